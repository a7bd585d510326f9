//! What attacks share. The grader puts this module beside each of them and fills in what stands
//! between at signs: everything that an attacker could ever have found out.
#![allow(dead_code, unused_macros, unused_imports)]

use std::fs::File;
use std::io::Read;

/// In the name of everything an attack makes.
pub const MARK: &str = "@MARK@";
/// A secret beside the hidden tests, one in the home folder, one in another submission's seat.
pub const SECRETS: [&str; 3] = ["@HIDDEN@", "@HOME@", "@NEIGHBOUR@"];
/// A file of the machine that everybody may write, in a folder that everybody may write.
pub const PRECIOUS: &str = "@PRECIOUS@";
pub const OPEN_FOLDER: &str = "@OPEN@";
/// The repository, and the program with the hidden tests.
pub const ROOT: &str = "@ROOT@";
pub const VERDICT: &str = "@VERDICT@";

/// Key of System V objects.
pub fn key() -> i32 {
    number("@KEY@")
}

/// A process that has nothing to do with the test, and where it keeps its secret.
pub fn bystander() -> i32 {
    number("@BYSTANDER@")
}

pub fn its_secret() -> usize {
    usize::from_str_radix("@ADDRESS@".trim_start_matches("0x"), 16).unwrap_or(0)
}

pub fn grader() -> i32 {
    number("@GRADER@")
}

/// Where the machine listens, under its own address.
pub const TCP: [&str; 2] = ["127.0.0.1:@TCP@", "@LAN@:@TCP@"];
pub const UDP: [&str; 2] = ["127.0.0.1:@UDP@", "@LAN@:@UDP@"];

fn number(text: &str) -> i32 {
    text.parse().unwrap_or(-1)
}

/// Runs an attack before main.
macro_rules! before_main {
    ($attack:path) => {
        #[used]
        #[unsafe(link_section = ".init_array")]
        static BEFORE_MAIN: extern "C" fn() = {
            extern "C" fn run() {
                $attack()
            }
            run
        };
    };
}

/// Says something on standard error, whatever state the library is in.
pub fn say(text: &str) {
    unsafe { libc::syscall(libc::SYS_write, 2, text.as_ptr(), text.len()) };
}

/// Claims a success that leaves no trace of its own.
pub fn breach(what: &str) {
    say(&format!("{MARK} BREACH: {what}\n"));
}

/// Says the beginning of a file.
pub fn steal(path: &str) {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(path) {
        let _ = file.take(1000).read_to_end(&mut bytes);
        say(&String::from_utf8_lossy(&bytes));
    }
}

/// Claims a success if a system call that must fail did not.
pub fn refused(what: &str, result: libc::c_long) {
    if result >= 0 {
        breach(what);
    }
}

/// Takes the mark as this process's name.
pub fn take_name() {
    let name = format!("{MARK}\0");
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// The mark as a C string behind a prefix.
pub fn marked(prefix: &str) -> std::ffi::CString {
    std::ffi::CString::new(format!("{prefix}{MARK}")).unwrap_or_default()
}

/// Runs the rest in a child that its parent has forgotten.
pub fn in_a_daemon(rest: impl FnOnce()) {
    unsafe {
        if libc::fork() != 0 {
            return;
        }
        libc::setsid();
        if libc::fork() != 0 {
            libc::_exit(0);
        }
        take_name();
        rest();
        libc::_exit(0)
    }
}

pub fn sleep_for_ever() -> ! {
    loop {
        unsafe { libc::pause() };
    }
}

/// The first words of the command line decide which program of the lab this is.
pub fn argument(index: usize) -> String {
    std::env::args().nth(index).unwrap_or_default()
}
