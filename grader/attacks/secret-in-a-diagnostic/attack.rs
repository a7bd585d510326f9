//! A secret in the compiler's words rather than in the program.

compile_error!(include_str!("@HIDDEN@"));
