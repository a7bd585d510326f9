//! The public tests of the lab: one for the everyday use of each function and a few for the
//! program. They show the shape of things; the edges are in the handout and in `lib.rs`.
//!
//! Each test that needs a pipe makes it with std, so that only the function under test can fail.

use std::ffi::CString;
use std::io::{PipeReader, Read, Write, pipe};
use std::os::fd::AsFd;

use coach::{Lesson, Program, alone};
use nix::sys::wait::{WaitStatus, waitpid};
use pipes::{
    make_pipe, read_full, read_record, run_pipeline, spawn_stage, write_all, write_record,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_pipes");

/// A lesson of this lab.
const fn lesson(
    part: u8,
    why: &'static str,
    read: &'static str,
    hints: [&'static str; 3],
) -> Lesson {
    Lesson {
        lab: "pipes",
        part,
        why,
        read,
        hints,
    }
}

/// The words of a command line, as `spawn_stage` takes them.
fn argv(words: &[&str]) -> Vec<CString> {
    words
        .iter()
        .map(|word| CString::new(*word).expect("a word without a NUL"))
        .collect()
}

/// Bytes as a person reads them.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All that comes out of a pipe until its last write end is closed.
fn drain(lesson: &Lesson, mut reader: PipeReader) -> String {
    let mut text = String::new();
    lesson.ok(
        "read the output to its end",
        reader.read_to_string(&mut text),
    );
    text
}

#[test]
fn make_pipe_connects_a_read_end_and_a_write_end() {
    let lesson = lesson(
        1,
        "descriptors are references: what is written to one end comes out of the other",
        "README part 1, pipe(2), `make_pipe` in src/lib.rs",
        [
            "Which of the two descriptors that pipe(2) fills in is for reading?",
            "pipe(2) under DESCRIPTION, and its flags; nix::unistd::pipe2.",
            "One call of pipe2 with the flag that closes both ends on exec, and both ends returned in its order.",
        ],
    );
    alone(&lesson, || {
        let (reader, writer) = lesson.ok("make_pipe()", make_pipe());
        let sent = nix::unistd::write(&writer, b"hello").map_err(Into::into);
        lesson.equal(
            "write(2) of 5 bytes to the second end",
            5,
            lesson.ok("write(2)", sent),
        );
        let mut buf = [0; 16];
        let got = nix::unistd::read(&reader, &mut buf).map_err(Into::into);
        let got = lesson.ok("read(2) from the first end", got);
        lesson.equal("read(2) from the first end", "hello", &text(&buf[..got]));
    });
}

#[test]
fn write_all_writes_the_whole_buffer() {
    let lesson = lesson(
        2,
        "write(2) may take only a part of the buffer; the rest is yours to write",
        "README part 2, write(2) RETURN VALUE, `write_all` in src/lib.rs",
        [
            "How many of your bytes has write(2) taken, and what becomes of the rest?",
            "write(2) under RETURN VALUE and ERRORS (EINTR).",
            "A loop over the bytes that are left: advance by what was taken, go on after EINTR, return every other error.",
        ],
    );
    alone(&lesson, || {
        let (reader, writer) = lesson.ok("pipe(2)", pipe());
        lesson.ok(
            "write_all of 13 bytes",
            write_all(writer.as_fd(), b"Hello, pipes!"),
        );
        drop(writer);
        lesson.equal(
            "what came out of the pipe",
            "Hello, pipes!".to_string(),
            drain(&lesson, reader),
        );
    });
}

#[test]
fn read_full_reads_until_the_buffer_is_full_or_the_file_ends() {
    let lesson = lesson(
        3,
        "a pipe is a stream of bytes: only read(2) = 0 means that it has ended",
        "README part 3, read(2) RETURN VALUE, pipe(7), `read_full` in src/lib.rs",
        [
            "Which return value of read(2) says that no byte will ever come again?",
            "read(2) under RETURN VALUE, pipe(7) under I/O on pipes and FIFOs.",
            "A loop that reads into what is left of the buffer and leaves when it is full or read(2) gave 0.",
        ],
    );
    alone(&lesson, || {
        let (reader, mut writer) = lesson.ok("pipe(2)", pipe());
        lesson.ok("write(2) of 10 bytes", writer.write_all(b"0123456789"));
        drop(writer);
        let mut buf = [0; 6];
        let first = lesson.ok("read_full of 6 bytes", read_full(reader.as_fd(), &mut buf));
        lesson.equal("the first 6 bytes of 10", "012345", &text(&buf[..first]));
        let second = lesson.ok("read_full of 6 bytes", read_full(reader.as_fd(), &mut buf));
        lesson.equal(
            "the last 4 bytes of 10, then the end of the file",
            "6789",
            &text(&buf[..second]),
        );
    });
}

#[test]
fn write_record_puts_the_length_before_the_bytes() {
    let lesson = lesson(
        4,
        "a pipe keeps no boundaries between writes, so each record has to say how long it is",
        "README part 4, pipe(7) PIPE_BUF, `write_record` in src/lib.rs",
        [
            "How does a reader know where your record ends and the next one begins?",
            "pipe(7) under PIPE_BUF: when a write is not mixed with another one.",
            "Header and bytes in one buffer, and that buffer in one call: u32::to_le_bytes, then the record.",
        ],
    );
    alone(&lesson, || {
        let (reader, writer) = lesson.ok("pipe(2)", pipe());
        lesson.ok(
            "write_record of \"hello\"",
            write_record(writer.as_fd(), b"hello"),
        );
        drop(writer);
        lesson.equal(
            "the bytes in the pipe",
            "\u{5}\0\0\0hello".to_string(),
            drain(&lesson, reader),
        );
    });
}

#[test]
fn read_record_gives_back_records_and_then_none() {
    let lesson = lesson(
        5,
        "the end of the file is clean only where a record could have begun",
        "README part 5, `read_record` in src/lib.rs",
        [
            "What may read_full have returned when the writer left between two records, and what in the middle of one?",
            "The contract of your own read_full; read(2) under RETURN VALUE.",
            "Read four bytes: none is the end, fewer is an error. Then exactly as many as they say, or an error.",
        ],
    );
    alone(&lesson, || {
        let (reader, mut writer) = lesson.ok("pipe(2)", pipe());
        let bytes = b"\x03\0\0\0one\x05\0\0\0three";
        lesson.ok("write(2) of two records", writer.write_all(bytes));
        drop(writer);
        let mut buf = b"what was here before".to_vec();
        for record in ["one", "three"] {
            let got = lesson.ok("read_record", read_record(reader.as_fd(), &mut buf));
            lesson.equal("the length of the record", Some(record.len()), got);
            lesson.equal("the record", record, &text(&buf));
        }
        let got = lesson.ok(
            "read_record at the end",
            read_record(reader.as_fd(), &mut buf),
        );
        lesson.equal("read_record at the end of the file", None, got);
    });
}

#[test]
fn spawn_stage_runs_a_program_between_two_pipes() {
    let lesson = lesson(
        6,
        "fork makes a second process, dup2 gives it our pipes as 0 and 1, exec keeps them open",
        "README part 6, fork(2), dup2(2), execvp(3), `spawn_stage` in src/lib.rs",
        [
            "Which descriptors does the new program expect to find at 0 and 1, and who puts them there?",
            "fork(2), dup2(2) and execvp(3); signal-safety(7) for what may be called between fork and exec.",
            "In the child: dup2 both ends to 0 and 1, exec, and _exit with 127 if exec came back. In the parent: close both and return the pid.",
        ],
    );
    alone(&lesson, || {
        let (stdin, mut input) = lesson.ok("pipe(2)", pipe());
        let (output, stdout) = lesson.ok("pipe(2)", pipe());
        let pid = spawn_stage(&argv(&["tr", "a-z", "A-Z"]), stdin.into(), stdout.into());
        let pid = lesson.ok("spawn_stage of `tr a-z A-Z`", pid);
        lesson.ok("write(2) to the program", input.write_all(b"quiet\n"));
        drop(input);
        lesson.equal(
            "what the program wrote",
            "QUIET\n".to_string(),
            drain(&lesson, output),
        );
        let status = waitpid(pid, None).map_err(Into::into);
        lesson.equal(
            "how the program ended",
            WaitStatus::Exited(pid, 0),
            lesson.ok("waitpid(2)", status),
        );
    });
}

#[test]
fn run_pipeline_connects_the_stages_and_waits_for_all() {
    let lesson = lesson(
        7,
        "every stage has an end of its own, and every child has to be waited for",
        "README part 7, waitpid(2), `run_pipeline` in src/lib.rs",
        [
            "Which ends of which pipes does each stage need, and which ones does the parent still need?",
            "waitpid(2), and what dropping an OwnedFd does.",
            "One pipe between each two stages, handed on and not kept; after the last stage is started, wait for every pid in order.",
        ],
    );
    alone(&lesson, || {
        let (stdin, mut input) = lesson.ok("pipe(2)", pipe());
        let (output, stdout) = lesson.ok("pipe(2)", pipe());
        lesson.ok("write(2) of the input", input.write_all(b"b\na\nb\n"));
        drop(input);
        let stages = [argv(&["sort"]), argv(&["uniq"])];
        let ended = run_pipeline(&stages, stdin.into(), stdout.into());
        let ended = lesson.ok("run_pipeline of `sort -- uniq`", ended);
        lesson.equal(
            "what came out",
            "a\nb\n".to_string(),
            drain(&lesson, output),
        );
        let codes: Vec<Option<i32>> = ended
            .iter()
            .map(|status| match status {
                WaitStatus::Exited(_, code) => Some(*code),
                _ => None,
            })
            .collect();
        lesson.equal(
            "the exit codes of the stages",
            vec![Some(0), Some(0)],
            codes,
        );
    });
}

#[test]
fn the_end_of_the_file_travels_through_the_pipeline() {
    let lesson = lesson(
        7,
        "a reader sees the end of the file when the last write end is closed; a forgotten copy \
         in any process keeps everybody waiting",
        "README part 7 and `Common traps`, pipe(7), `run_pipeline` in src/lib.rs",
        [
            "Which processes hold a write end of the pipe that the waiting stage reads?",
            "pipe(7) under I/O on pipes and FIFOs; the autopsy names the holder.",
            "Move each end into the stage that uses it, so that it is closed in the parent before the next fork.",
        ],
    );
    alone(&lesson, || {
        let (stdin, mut input) = lesson.ok("pipe(2)", pipe());
        let (output, stdout) = lesson.ok("pipe(2)", pipe());
        lesson.ok("write(2) of the input", input.write_all(b"12345"));
        drop(input);
        let stages = [argv(&["cat"]), argv(&["cat"]), argv(&["wc", "-c"])];
        let ended = run_pipeline(&stages, stdin.into(), stdout.into());
        lesson.ok("run_pipeline of `cat -- cat -- wc -c`", ended);
        lesson.equal(
            "what wc counted, which it prints at the end of its input",
            "5".to_string(),
            drain(&lesson, output).trim().to_string(),
        );
    });
}

#[test]
fn what_produce_writes_consume_counts() {
    let lesson = lesson(
        5,
        "two programs that agree on a record format need nothing else to talk",
        "README checkpoint, `write_record` and `read_record` in src/lib.rs",
        [
            "Which bytes does `pipes produce --id 7 --count 3 | xxd` show?",
            "README parts 4 and 5, and its checkpoint.",
            "Nothing new to write: length and bytes in write_record, the same order and width in read_record.",
        ],
    );
    alone(&lesson, || {
        let produced = Program::new(&lesson, PROGRAM)
            .args(["produce", "--id", "7", "--count", "3"])
            .run(b"");
        lesson.check(
            produced.status.success(),
            "`pipes produce --id 7 --count 3`",
            "exit code 0",
            String::from_utf8_lossy(&produced.stderr),
        );
        let consumed = Program::new(&lesson, PROGRAM)
            .args(["consume"])
            .run(&produced.stdout);
        lesson.check(
            consumed.stdout == b"7 3\n",
            "`pipes consume` on the output of `pipes produce --id 7 --count 3`",
            "\"7 3\"",
            String::from_utf8_lossy(&[consumed.stdout, consumed.stderr].concat()),
        );
    });
}

#[test]
fn cat_copies_its_input() {
    let lesson = lesson(
        3,
        "copying is a loop of read_full and write_all that ends at the end of the file",
        "README part 3, `read_full` and `write_all` in src/lib.rs",
        [
            "What does `cat` do with a buffer that was filled only in part?",
            "read(2) and write(2) under RETURN VALUE.",
            "Nothing new to write: read_full must return the short last piece and then 0.",
        ],
    );
    alone(&lesson, || {
        let copied = Program::new(&lesson, PROGRAM)
            .args(["cat"])
            .run(b"one\ntwo\n");
        lesson.check(
            copied.stdout == b"one\ntwo\n",
            "`printf 'one\\ntwo\\n' | pipes cat`",
            "one\ntwo\n",
            String::from_utf8_lossy(&[copied.stdout, copied.stderr].concat()),
        );
    });
}

#[test]
fn pipe_says_how_the_stages_ended() {
    let lesson = lesson(
        7,
        "every stage has a status of its own, not only the last one",
        "README part 7, waitpid(2), `run_pipeline` in src/lib.rs",
        [
            "What happened to the status of the first stage?",
            "waitpid(2) under RETURN VALUE; WaitStatus in nix.",
            "Keep every pid, wait for each one by its own number, and return the statuses in the order of the stages.",
        ],
    );
    alone(&lesson, || {
        let ended = Program::new(&lesson, PROGRAM)
            .args(["pipe", "false", "--", "true"])
            .run(b"");
        lesson.check(
            ended.stderr == b"pipes: pipe: stages ended with 1 0\n",
            "`pipes pipe false -- true`",
            "pipes: pipe: stages ended with 1 0",
            String::from_utf8_lossy(&ended.stderr),
        );
        lesson.equal("its exit code", Some(1), ended.status.code());
    });
}

#[test]
fn a_wrong_command_line_is_answered_with_the_usage() {
    let lesson = lesson(
        1,
        "a program that was called wrongly says how to call it, with an exit code of its own",
        "src/main.rs, which is given: this test is green from the start",
        [
            "What does the program print when you give it a letter for a number?",
            "src/main.rs, function by function.",
            "This test is green from the start: put src/main.rs back as it was given.",
        ],
    );
    alone(&lesson, || {
        let refused = Program::new(&lesson, PROGRAM)
            .args(["produce", "--id", "many"])
            .run(b"");
        let said = text(&refused.stderr);
        lesson.check(
            said.starts_with("usage: pipes") && said.contains("consume"),
            "standard error of `pipes produce --id many`",
            "the usage of all commands",
            said,
        );
        lesson.equal("its exit code", Some(2), refused.status.code());
        lesson.equal("its standard output", "", &text(&refused.stdout));
    });
}
