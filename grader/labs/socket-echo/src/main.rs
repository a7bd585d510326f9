//! The hidden tests of the socket-echo lab. The table in `rubric` says what there is; the modules
//! say what each test does, and `peer` and `server` what it is done with.

use std::process::ExitCode;

mod calls;
mod chunks;
mod clients;
mod datagrams;
mod faults;
mod limits;
mod names;
mod peer;
mod rubric;
mod server;
mod talking;

fn main() -> ExitCode {
    harness::main("socket-echo", rubric::TESTS)
}
