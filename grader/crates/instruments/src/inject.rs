//! Records the system calls of programs, and makes chosen ones fail, fall short, wait or be
//! interrupted.
//!
//! # Theory of operation
//!
//! The programs run under a filter that announces chosen calls (the sandbox puts it on): the
//! calling thread stops inside the kernel, before anything has happened, until somebody answers.
//! A [`Recorder`] is that somebody. Its one thread hears all programs of a test, so the order in
//! its [`Log`] is the order in which the calls were made, across fork, exec and threads.
//!
//! What it answers is decided by [`Rule`]s. A rule is a [`Point`], such as *the third read on a
//! pipe*, and an [`Effect`]. Without a rule the call goes on as if nobody had watched.
//!
//! - An error is answered in place of the call.
//! - A short count is made by doing a shorter call for the program (`proxy.rs`): a filter cannot
//!   change arguments.
//! - A signal is handled *before* the call, the very moment that `if !flag { pause() }` forgets.
//! - A hold answers late: when another process has come to its own point. Two mirrored holds are
//!   a rendezvous. A correct program may never let the other come there, because of a lock, say.
//!   So a hold ends as soon as nobody moves any more (`quiet.rs`), and never by a guessed time.
//! - What a call returned is not announced. Where a test asks for it, a tracer beside the recorder
//!   sees each call end and writes it down (`results.rs`).
//!
//! Every rule counts how often it took effect, and [`Recorder::reports`] tells: a fault that was
//! never injected proves nothing.
//!
//! Limits: the kernel needs 5.19, and some containers forbid announcements.

mod borrow;
mod calls;
mod log;
mod memory;
mod notify;
mod point;
mod possible;
mod proxy;
mod quiet;
mod recorder;
mod results;
mod rule;
mod scene;
mod supervisor;
mod target;

pub use calls::{
    Calls, accept, call, close, connect, exec, exit, fork, futex, futex_wait, open, poll, read,
    receive, send, signal_wait, sleep, unlink, wait, write,
};
pub use log::{Actor, Entry, Log};
pub use point::Point;
pub use recorder::{Recorder, Report};
pub use rule::Effect::{self, Delayed, Eintr, Fails, HeldUntil, Short, Signal};
pub use rule::{Rule, Until, inject, meet};
pub use target::{On, Target, fifo, file, pipe, socket};
