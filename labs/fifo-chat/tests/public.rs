//! The public tests: one happy path per function, two for the program. They show the shape of
//! each part; the edges are yours to find in the documentation.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use coach::{Lesson, Program};
use fifo_chat::{
    Event, Flow, Hub, Lines, ensure_fifo, event_loop, fifo_of, open_reader, open_writer, post,
};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fifo-chat");

const fn lesson(
    part: u8,
    why: &'static str,
    read: &'static str,
    hints: [&'static str; 3],
) -> Lesson {
    Lesson {
        lab: "fifo-chat",
        part,
        why,
        read,
        hints,
    }
}

const ENSURE: Lesson = lesson(
    1,
    "a FIFO is a file: it is made once, and everybody who knows its name can find it",
    "README part 1, mkfifo(3), `ensure_fifo` in src/lib.rs",
    [
        "What does mkfifo(3) answer when the name exists, and when is that fine?",
        "mkfifo(3) under EEXIST; fs::symlink_metadata and FileTypeExt::is_fifo.",
        "Make it with mode 600; when it exists already, look without following links and accept a FIFO only.",
    ],
);
const READER: Lesson = lesson(
    2,
    "a blocking open of a FIFO sleeps until the other end is opened; with O_NONBLOCK a reader need not wait",
    "README part 2, fifo(7), open(2) under O_NONBLOCK, `open_reader` in src/lib.rs",
    [
        "For whom does open(2) wait here?",
        "fifo(7), and open(2) under O_NONBLOCK.",
        "Open for reading with O_NONBLOCK and close-on-exec, and say what the descriptor is if it is no FIFO.",
    ],
);
const WRITER: Lesson = lesson(
    3,
    "a writer that opens with O_NONBLOCK is told ENXIO while nobody reads, so it can give up",
    "README part 3, fifo(7), ENXIO in open(2), `open_writer` in src/lib.rs",
    [
        "Which error says that nobody reads yet, and for how long may you ask again?",
        "open(2) under ENXIO, fifo(7).",
        "Open with O_NONBLOCK until it works or the deadline has passed, with a short nap between; then switch O_NONBLOCK off.",
    ],
);
const POST: Lesson = lesson(
    4,
    "many writers share one FIFO: only a line sent in one write(2) stays in one piece",
    "README part 4, pipe(7) under PIPE_BUF, `post` in src/lib.rs",
    [
        "What can land between two write(2) calls of yours?",
        "pipe(7) under PIPE_BUF.",
        "Check nick and text first, build `nick TAB text NEWLINE` in one buffer, refuse more than PIPE_BUF, and write it with one call.",
    ],
);
const LINES: Lesson = lesson(
    5,
    "a FIFO is a stream of bytes: a read may return half a line, or three",
    "README part 5, pipe(7), `Lines` in src/lib.rs",
    [
        "Where do you keep the piece that has no newline yet?",
        "pipe(7): a stream has no message boundaries.",
        "Append to a buffer, cut off whole lines at each newline, keep the rest for the next push; finish hands out that rest once.",
    ],
);
const DELIVER: Lesson = lesson(
    6,
    "each member has a FIFO of their own: two readers of one FIFO would split the lines",
    "README part 6, pipe(7), `Hub::deliver` in src/lib.rs",
    [
        "Who is a member, and from when on?",
        "README part 6; fifo(7) under ENXIO and EPIPE.",
        "Add the speaker if new, then write the line to every member's FIFO without blocking, and count those that took it.",
    ],
);
const LOOP: Lesson = lesson(
    7,
    "end of file on a FIFO means that the last writer has left, and that is not for ever",
    "README part 7, poll(2) under POLLHUP, `event_loop` in src/lib.rs",
    [
        "What does poll(2) report on a FIFO whose last writer has left, and what when a new one opens it?",
        "poll(2) under POLLHUP, read(2) returning 0, fifo(7).",
        "Poll both descriptors; read what is ready; at 0 from the FIFO tell WritersGone once and wait for the next writer without spinning; at 0 from standard input tell StdinEnd once and stop polling it.",
    ],
);

/// A FIFO made without the functions under test.
fn fifo_at(path: &Path) {
    mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR).expect("make a FIFO");
}

/// Its reading end, likewise.
fn reader_of(path: &Path) -> File {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .expect("open the FIFO")
}

/// Its writing end, likewise. There must be a reader.
fn writer_of(path: &Path) -> File {
    OpenOptions::new()
        .write(true)
        .open(path)
        .expect("open the FIFO")
}

/// The text that is in the FIFO now.
fn text_in(mut reader: &File) -> String {
    let mut bytes = [0; 4096];
    let n = reader.read(&mut bytes).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..n]).into_owned()
}

/// Lines as a person reads them.
fn texts(lines: impl IntoIterator<Item = Vec<u8>>) -> Vec<String> {
    let text = |line: Vec<u8>| String::from_utf8_lossy(&line).into_owned();
    lines.into_iter().map(text).collect()
}

/// A program in the background, killed at the end of the test.
struct Background(Child);

impl Background {
    fn start(args: &[&str]) -> Self {
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        Self(command.spawn().expect("start the program"))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn ensure_fifo_makes_a_fifo_and_finds_it_again() {
    coach::alone(&ENSURE, || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.fifo");
        ENSURE.ok("ensure_fifo where nothing is", ensure_fifo(&path));
        let made = fs::symlink_metadata(&path).unwrap();
        ENSURE.check(
            made.file_type().is_fifo(),
            "file type",
            "a FIFO",
            "something else",
        );
        let mode = made.permissions().mode() & 0o777;
        ENSURE.equal("mode of the new FIFO", "600".into(), format!("{mode:o}"));
        ENSURE.ok("ensure_fifo where a FIFO is", ensure_fifo(&path));
    });
}

#[test]
fn open_reader_returns_before_any_writer_comes() {
    coach::alone(&READER, || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.fifo");
        fifo_at(&path);
        let reader = File::from(READER.ok("open_reader without a writer", open_reader(&path)));
        writer_of(&path).write_all(b"hello\n").unwrap();
        READER.equal(
            "reading what a writer wrote",
            "hello\n".into(),
            text_in(&reader),
        );
    });
}

#[test]
fn open_writer_opens_where_somebody_reads() {
    coach::alone(&WRITER, || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.fifo");
        fifo_at(&path);
        let reader = reader_of(&path);
        let opened = open_writer(&path, Duration::from_secs(5));
        let mut writer = File::from(WRITER.ok("open_writer with a reader", opened));
        WRITER.ok("write(2)", writer.write_all(b"hello\n"));
        WRITER.equal(
            "reading what was written",
            "hello\n".into(),
            text_in(&reader),
        );
    });
}

#[test]
fn open_writer_gives_up_where_nobody_reads() {
    coach::alone(&WRITER, || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.fifo");
        fifo_at(&path);
        let opened = open_writer(&path, Duration::from_millis(50));
        let error = opened.map_err(|error| error.kind()).map(|_| "a descriptor");
        let what = "open_writer for 50 ms without a reader";
        WRITER.equal(what, Err(std::io::ErrorKind::TimedOut), error);
    });
}

#[test]
fn post_sends_nick_tab_text_newline() {
    coach::alone(&POST, || {
        let (mut reader, writer) = std::io::pipe().unwrap();
        POST.ok("post", post(writer.as_fd(), "ann", "hello, world"));
        drop(writer);
        let mut sent = String::new();
        reader.read_to_string(&mut sent).unwrap();
        POST.equal("the bytes in the pipe", "ann\thello, world\n".into(), sent);
    });
}

#[test]
fn lines_are_put_together_from_pieces() {
    coach::alone(&LINES, || {
        let mut lines = Lines::default();
        let first = LINES.ok("push", lines.push(b"ann\the"));
        LINES.equal("lines after half a line", Vec::new(), texts(first));
        let then = LINES.ok("push", lines.push(b"llo\nbob\thi\nann"));
        let expected = vec!["ann\thello".to_string(), "bob\thi".to_string()];
        LINES.equal(
            "lines after the rest, one more line, and a piece",
            expected,
            texts(then),
        );
    });
}

#[test]
fn the_last_line_needs_no_newline() {
    coach::alone(&LINES, || {
        let mut lines = Lines::default();
        LINES.ok("push", lines.push(b"ann\thello\nbob\tbye"));
        let bye = vec!["bob\tbye".to_string()];
        LINES.equal("finish", bye, texts(lines.finish()));
        LINES.equal("finish again", Vec::new(), texts(lines.finish()));
    });
}

#[test]
fn deliver_gives_each_line_to_every_member() {
    coach::alone(&DELIVER, || {
        let dir = tempfile::tempdir().unwrap();
        let mut hub = Hub::new(dir.path());
        let [ann, bob] = ["ann", "bob"].map(|nick| {
            let path = fifo_of(dir.path(), nick);
            fifo_at(&path);
            reader_of(&path)
        });
        let first = DELIVER.ok("deliver", hub.deliver("ann", b"ann\tjoined"));
        DELIVER.equal(
            "members that got the line, after ann has spoken",
            1,
            first.sent,
        );
        let second = DELIVER.ok("deliver", hub.deliver("bob", b"bob\tjoined"));
        DELIVER.equal(
            "members that got the line, after bob has spoken",
            2,
            second.sent,
        );
        DELIVER.equal(
            "what ann reads",
            "ann\tjoined\nbob\tjoined\n".into(),
            text_in(&ann),
        );
        DELIVER.equal("what bob reads", "bob\tjoined\n".into(), text_in(&bob));
    });
}

#[test]
fn event_loop_tells_about_the_fifo_and_standard_input() {
    coach::alone(&LOOP, || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.fifo");
        fifo_at(&path);
        let inbox = reader_of(&path);
        let mut writer = writer_of(&path);
        writer.write_all(b"heard\n").unwrap();
        let (stdin, mut keyboard) = std::io::pipe().unwrap();
        keyboard.write_all(b"typed\n").unwrap();
        drop(keyboard);

        let (mut heard, mut typed) = (Vec::new(), Vec::new());
        let mut stdin_ends = 0;
        let ended = event_loop(inbox.as_fd(), stdin.as_fd(), &mut |event| {
            match event {
                Event::Inbox(bytes) => heard.extend_from_slice(bytes),
                Event::Stdin(bytes) => typed.extend_from_slice(bytes),
                Event::StdinEnd => stdin_ends += 1,
                Event::WritersGone => {}
            }
            if stdin_ends > 0 && !heard.is_empty() {
                Flow::Stop
            } else {
                Flow::Go
            }
        });
        LOOP.ok("event_loop", ended);
        LOOP.equal(
            "bytes from the FIFO",
            "heard\n".into(),
            String::from_utf8_lossy(&heard),
        );
        LOOP.equal(
            "bytes from standard input",
            "typed\n".into(),
            String::from_utf8_lossy(&typed),
        );
        LOOP.equal("ends of standard input", 1, stdin_ends);
    });
}

#[test]
fn event_loop_hears_the_next_writer_too() {
    coach::alone(&LOOP, || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.fifo");
        fifo_at(&path);
        let inbox = reader_of(&path);
        writer_of(&path).write_all(b"one ").unwrap();
        let stdin = File::open("/dev/null").unwrap();

        let mut heard = Vec::new();
        let mut gone = 0;
        let ended = event_loop(inbox.as_fd(), stdin.as_fd(), &mut |event| {
            match event {
                Event::Inbox(bytes) => heard.extend_from_slice(bytes),
                Event::WritersGone if gone == 0 => {
                    gone += 1;
                    writer_of(&path).write_all(b"two").unwrap();
                }
                Event::WritersGone => return Flow::Stop,
                Event::Stdin(_) | Event::StdinEnd => {}
            }
            Flow::Go
        });
        LOOP.ok("event_loop", ended);
        LOOP.equal(
            "what two writers wrote",
            "one two".into(),
            String::from_utf8_lossy(&heard),
        );
    });
}

#[test]
fn a_line_said_reaches_a_member_through_the_hub() {
    coach::alone(&LOOP, || {
        let dir = tempfile::tempdir().unwrap();
        // The program needs every part; the first one that is missing is named here.
        ENSURE.ok("ensure_fifo", ensure_fifo(&fifo_of(dir.path(), "hub")));
        let dir = dir.path().to_str().unwrap();
        let _hub = Background::start(&["hub", "--dir", dir]);
        let mut ann = Background::start(&["join", "--dir", dir, "--nick", "ann"]);
        let mut shown = BufReader::new(ann.0.stdout.take().unwrap()).lines();
        let mut next = || {
            shown
                .next()
                .and_then(Result::ok)
                .unwrap_or("end of file".into())
        };
        LOOP.equal("the first line that ann sees", "ann\tjoined".into(), next());
        let say = Program::new(&LOOP, PROGRAM);
        let said = say
            .args(["say", "--dir", dir, "--nick", "bob", "hello"])
            .run(b"");
        LOOP.equal("exit code of say", Some(0), said.status.code());
        LOOP.equal("the next line that ann sees", "bob\thello".into(), next());
    });
}

#[test]
fn the_program_tells_its_errors_apart_by_exit_code() {
    coach::alone(&WRITER, || {
        let dir = tempfile::tempdir().unwrap();
        let say = |what: &str, more: &[&str], code: i32, words: &str| {
            let mut say = Program::new(&WRITER, PROGRAM)
                .args(["say", "--dir", ".", "--deadline", "50"])
                .args(more);
            say.command().current_dir(&dir);
            let ended = say.run(b"");
            let said = String::from_utf8_lossy(&ended.stderr);
            WRITER.check(
                ended.status.code() == Some(code)
                    && said.contains(words)
                    && ended.stdout.is_empty(),
                what,
                format!("exit code {code}, and on standard error: {words}"),
                format!("{}, and: {said}", ended.status),
            );
        };
        let named = "fifo-chat: open ./hub.fifo: ";
        say("say where no hub is", &["--nick", "ann", "hello"], 3, named);
        say("say without a nick", &["hello"], 2, "--nick is missing");
    });
}
