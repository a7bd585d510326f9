//! The machine's password file in the compiler's words.

include!("/etc/shadow");
