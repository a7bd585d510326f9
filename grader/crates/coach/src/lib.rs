//! What a public test uses: a process and a deadline of its own, and a failure that teaches.
//!
//! This is the student half of the grader. It knows no points, no hidden test and no box.
//!
//! ```no_run
//! # use coach::Lesson;
//! const EOF: Lesson = Lesson {
//!     lab: "pipes",
//!     part: 3,
//!     why: "a pipe is a byte stream: only read(2) = 0 means end of file",
//!     read: "README part 3, pipe(7), `read_full` in src/lib.rs",
//!     hints: [
//!         "Which return value of read(2) says that no byte will ever come again?",
//!         "read(2) under RETURN VALUE, pipe(7) under I/O on pipes and FIFOs.",
//!         "A loop that adds up what read(2) gives and leaves at 0 or when the buffer is full.",
//!     ],
//! };
//!
//! #[test]
//! fn read_full_stops_at_end_of_file() {
//!     coach::alone(&EOF, || {
//!         let got = 8;
//!         EOF.equal("read_full on a pipe that holds 8 bytes", 8, got);
//!     });
//! }
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!(
    "the labs talk to the Linux kernel: run them on Linux, in a virtual machine or in a container; \
     the README says how"
);

mod alone;
mod capture;
mod deadline;
mod ending;
mod lesson;
mod program;
mod reaper;
pub mod record;
mod running;
mod selfname;
mod still;
pub mod transcript;

pub use alone::alone;
pub use deadline::wait_until;
pub use ending::in_kernel_words;
pub use lesson::Lesson;
pub use program::Program;
pub use running::Running;
