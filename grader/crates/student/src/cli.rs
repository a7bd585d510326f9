//! The command line of the student's loop.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use datapath::{Mechanism, Size};
use sandbox::Level;

/// What a student may ask for.
// No document comments on the variants: they would take the place of the longer help below.
#[expect(
    missing_docs,
    reason = "clap would show it in place of the command's own"
)]
#[derive(Debug, Subcommand)]
pub enum Command {
    Check(CheckArgs),
    Hint(HintArgs),
    Watch(WatchArgs),
}

/// Run the public tests of a lab and say what they teach.
///
/// Each test runs in a box of its own, as hidden tests do when the lab is graded: the same limits,
/// the same report on a hang, the same words. Without LAB: the lab of the current folder, or all.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab check pipes
  cargo lab check pipes --test cat_copies_its_input
  cargo lab check --json

Exit codes: 0 every public test passes; 1 not; 2 wrong usage; 3 a lab does not
compile; 4 the tests could not be run here.")]
pub struct CheckArgs {
    /// The lab, as its folder is called
    pub(crate) lab: Option<String>,
    /// Run only this test (may be given more than once)
    #[arg(long = "test", value_name = "TEST")]
    pub(crate) tests: Vec<String>,
    /// Tell what happens as JSON, one event a line
    #[arg(long)]
    pub(crate) json: bool,
    /// Use the box of this level instead of the best one: A to E, or none
    #[arg(long, value_name = "LEVEL")]
    pub(crate) isolation: Option<Level>,
}

/// Ask for a hint on one public test.
///
/// Every call tells one more: first a question, then where to read, then the shape of the
/// solution. Hints cost nothing. Which ones you took is noted in .lab/hints.jsonl, for you.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cargo lab hint pipes cat_copies_its_input

Exit codes: 0 a hint was told; 2 wrong usage, or no such test; 3 the lab does
not compile and was never checked before; 4 something else went wrong.")]
pub struct HintArgs {
    /// The lab, as its folder is called
    pub(crate) lab: String,
    /// The public test's name, as `cargo lab check` shows it
    pub(crate) test: String,
}

/// Check again whenever a file of the lab is saved.
///
/// Keys: h a hint for the test that is shown, n the next failing test, r run again, q quit.
/// Without LAB: the lab of the current folder, or the first one.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  cargo lab watch pipes

Exit codes: 0 quit; 2 wrong usage; 4 there is no terminal, or it went away.")]
pub struct WatchArgs {
    /// The lab, as its folder is called
    pub(crate) lab: Option<String>,
}

/// Compare the data paths: the same stream over every mechanism.
///
/// One process sends messages to another one, through pipes, sockets, queues and shared memory in
/// turn. Your functions move the bytes: `write_all` and `read_full` of the pipes lab, and the buffer
/// and the ring of the shm lab. What is not written yet is named in place of a figure.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab compare
  cargo lab compare --out paths
  cargo lab compare --via pipe,shm-semaphores --sizes 64,64K,1M --repeat 7

Mechanisms: pipe, fifo, unix-stream, unix-datagram, tcp, mqueue,
shm-semaphores, shm-spinning.

DIR then holds compare.html (the page, with the path drawn for each mechanism),
compare.svg (the plot) and compare.json.

Exit codes: 0 measured; 1 nothing could be; 2 wrong usage; 3 some could not;
4 a lab does not compile, or something else went wrong.")]
pub struct CompareArgs {
    #[command(flatten)]
    pub(crate) options: PathOptions,
}

// No document comment: it would become the help of every command that takes these options.
#[expect(
    missing_docs,
    reason = "clap would show it in place of the command's own"
)]
#[derive(Debug, Args)]
pub struct PathOptions {
    /// Only these mechanisms
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub(crate) via: Vec<Mechanism>,
    /// Sizes of messages, such as 64, 4K or 1M [default: 64,1K,4K,16K,64K,1M]
    #[arg(long, value_delimiter = ',', value_name = "SIZE,…")]
    pub(crate) sizes: Vec<Size>,
    /// Measure everything so often; figures are medians
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) repeat: u16,
    /// Most MiB in one stream; short messages are at most 100 000
    #[arg(long, default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=4096))]
    pub(crate) mib: u64,
    /// Write the page, the plot and the figures to this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
