//! An option for the linker inside a library's name.

#[link(name = "c,--dynamic-linker=@OPEN@/@MARK@")]
unsafe extern "C" {}

#[link(name = "c -Wl,-T,@OPEN@/@MARK@", kind = "dylib", modifiers = "+verbatim")]
unsafe extern "C" {}
