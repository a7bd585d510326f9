//! The assembler reads a secret, past all macros.

use std::arch::global_asm;

global_asm!(
    ".pushsection .rodata",
    ".globl STOLEN",
    "STOLEN: .incbin \"@HIDDEN@\"",
    ".byte 0",
    ".popsection"
);

unsafe extern "C" {
    static STOLEN: std::ffi::c_char;
}

fn tell() {
    let stolen = unsafe { std::ffi::CStr::from_ptr(&raw const STOLEN) };
    crate::kit::say(&stolen.to_string_lossy());
}

before_main!(tell);
