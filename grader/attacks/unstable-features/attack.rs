//! Features that stable compilers refuse.

#![feature(rustc_attrs, core_intrinsics)]
