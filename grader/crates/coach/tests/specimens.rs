//! Public tests as a student might have them, all red in their own way. They are ignored here;
//! `tests/alone.rs` runs them one by one and reads what the student would read.

use std::io::{Read, pipe};
use std::num::NonZeroUsize;
use std::process::Command;

use nix::sys::mman::{MapFlags, ProtFlags, mmap};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use coach::{Lesson, Program, alone, wait_until};

const EOF: Lesson = Lesson {
    lab: "pipes",
    part: 3,
    why: "end-of-file comes when the last write end is closed",
    read: "README part 3, pipe(7)",
    hints: ["question", "manual", "shape"],
};

#[test]
#[ignore = "a specimen"]
fn passes() {
    alone(&EOF, || println!("said on the way"));
}

#[test]
#[ignore = "a specimen"]
fn is_not_written_yet() {
    alone(&EOF, || todo!("pipes part 3"));
}

#[test]
#[ignore = "a specimen"]
fn is_wrong() {
    alone(&EOF, || EOF.equal("read(2) on an empty pipe", 8, 3));
}

#[test]
#[ignore = "a specimen"]
fn holds_its_own_write_end() {
    alone(&EOF, || {
        let (mut reader, _writer) = pipe().unwrap();
        reader.read_to_end(&mut Vec::new()).unwrap();
    });
}

#[test]
#[ignore = "a specimen"]
fn leaves_an_escaped_process_and_hangs() {
    alone(&EOF, || {
        // Out of the process group and away from its parent.
        Command::new("sh")
            .args(["-c", "setsid sleep 1000 & echo $!"])
            .status()
            .unwrap();
        wait_until(&EOF, "pigs fly", || false);
    });
}

#[test]
#[ignore = "a specimen"]
fn leaves_an_escaped_process_and_passes() {
    alone(&EOF, || {
        assert!(
            Command::new("sh")
                .args(["-c", "setsid sleep 1000 &"])
                .status()
                .unwrap()
                .success()
        );
    });
}

#[test]
#[ignore = "a specimen"]
fn dies_by_a_signal() {
    alone(&EOF, || {
        let empty = tempfile::tempfile().unwrap();
        let length = NonZeroUsize::new(4096).unwrap();
        let (read, shared) = (ProtFlags::PROT_READ, MapFlags::MAP_SHARED);
        // SAFETY: a fresh mapping of our own; the read past its end is the point.
        let page = unsafe { mmap(None, length, read, shared, &empty, 0) }
            .unwrap()
            .cast::<u8>();
        // SAFETY: the same.
        unsafe { page.read_volatile() };
    });
}

#[test]
#[ignore = "a specimen"]
fn ends_early_and_claims_success() {
    alone(&EOF, || std::process::exit(0));
}

#[test]
#[ignore = "a specimen"]
fn has_a_second_body_that_fails() {
    alone(&EOF, || ());
    alone(&EOF, || panic!("the second body ran"));
}

fn elsewhere() {
    alone(&EOF, || panic!("the body of a function that is no test"));
}

#[test]
#[ignore = "a specimen"]
fn calls_through_a_function() {
    elsewhere();
}

#[test]
#[ignore = "a specimen"]
fn program_never_ends() {
    alone(&EOF, || {
        Program::new(&EOF, "sh")
            .args(["-c", "echo on my way >&2; sleep 1000 | cat"])
            .run(b"");
    });
}

#[test]
#[ignore = "a specimen"]
fn program_leaves_its_output_open() {
    alone(&EOF, || {
        Program::new(&EOF, "sh")
            .args(["-c", "sleep 1000 &"])
            .run(b"");
    });
}

#[test]
#[ignore = "a specimen"]
fn program_says_nothing() {
    alone(&EOF, || {
        Program::new(&EOF, "cat").start().read_line_stdout();
    });
}

#[test]
#[ignore = "a specimen"]
fn gets_its_own_signals() {
    alone(&EOF, || {
        // Sent to the process: the kernel may choose any thread that does not block it.
        let usr1 = SigSet::from(Signal::SIGUSR1);
        usr1.thread_block().unwrap();
        kill(Pid::this(), Signal::SIGUSR1).unwrap();
        assert_eq!(usr1.wait().unwrap(), Signal::SIGUSR1);
        assert_eq!(SigSet::thread_get_mask().unwrap(), usr1);
    });
}

mod inner {
    use super::{EOF, alone};

    #[test]
    #[ignore = "a specimen"]
    fn is_in_a_module() {
        alone(&EOF, || panic!("seen in the module"));
    }
}
