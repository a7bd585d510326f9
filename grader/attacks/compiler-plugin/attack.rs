//! A procedural macro, which would run inside the compiler.

#![crate_type = "proc-macro"]

extern crate proc_macro;

#[proc_macro]
pub fn attack(_: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let _ = std::fs::write("@OPEN@/@MARK@", "");
    std::process::exit(0)
}
