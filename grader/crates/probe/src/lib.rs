//! A thin wire to one function of a submission: which to call, and the value back.
//!
//! A probe is a small program of the grader's, linked with the submission's library. The hidden
//! test holds the other end of a socket and says which function to call with which arguments; the
//! probe answers with what came back. It knows no expectation: whatever it says is a claim that
//! the test checks against data the submission could not have known beforehand.
//!
//! Only `std`, because it is compiled beside each submission.

mod call;
mod serve;
mod wire;

pub use call::{Call, Fields};
pub use serve::{Answer, SOCKET_FD, serve};
pub use wire::{Reply, read_reply, write_call};
