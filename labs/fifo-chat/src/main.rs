//! Given and finished: the program `fifo-chat`. It parses arguments, joins the library's
//! functions together, and turns errors into one line and an exit code.
//!
//! Standard output carries the chat and nothing else.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use fifo_chat::{
    Claim, Event, Flow, HUB, Hub, Lines, event_loop, fifo_of, is_nick, open_writer, post, speaker,
};

const USAGE: &str = "\
usage: fifo-chat hub  --dir DIR
       fifo-chat join --dir DIR --nick NICK [--deadline MS]
       fifo-chat say  --dir DIR --nick NICK [--deadline MS] [TEXT]

hub    passes every line to all members, until a signal ends it
join   shows the chat and says what is typed, until the hub leaves or a signal ends it
say    says TEXT, or every line of standard input, and ends

DIR/hub.fifo takes lines of the form NICK TAB TEXT; DIR/NICK.fifo is where NICK listens.
--deadline is how long to wait for the hub, in milliseconds (5000).
exit:  0 done, 1 error, 2 usage, 3 no hub came, 4 bad line, 5 the FIFO's name or reader is taken";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = if words.iter().any(|word| word == "--help") {
        show(vec![USAGE.into()])
    } else {
        Arguments::parse(words).and_then(|arguments| match arguments.command.as_str() {
            "hub" => hub(&arguments),
            "join" => join(&arguments),
            _ => say(&arguments),
        })
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure);
            failure.exit_code()
        }
    }
}

/// Reads `hub.fifo` and passes on what comes.
fn hub(arguments: &Arguments) -> Result<(), Failure> {
    let path = fifo_of(&arguments.dir, HUB);
    let claim = Claim::take(&path).during(&format!("claim {}", path.display()))?;
    // The hub listens to members only: a hub in the background must not touch the terminal.
    let nothing = File::open("/dev/null").during("open /dev/null")?;
    let mut hub = Hub::new(&arguments.dir);
    let mut lines = Lines::default();
    let mut outcome = Ok(());
    event_loop(claim.reader(), nothing.as_fd(), &mut |event| {
        let complete = match event {
            Event::Inbox(bytes) => lines.push(bytes),
            Event::WritersGone => Ok(Vec::from_iter(lines.finish())),
            Event::Stdin(_) | Event::StdinEnd => return Flow::Go,
        };
        // One bad writer must not end the chat.
        let complete = complete
            .during("read")
            .inspect_err(complain)
            .unwrap_or_default();
        for line in complete {
            let Some(from) = speaker(&line) else { continue };
            if let Err(failure) = hub.deliver(from, &line).during("deliver") {
                outcome = Err(failure);
                return Flow::Stop;
            }
        }
        Flow::Go
    })
    .during("watch")?;
    outcome
}

/// Shows what the hub sends and says what is typed.
fn join(arguments: &Arguments) -> Result<(), Failure> {
    let path = fifo_of(&arguments.dir, &arguments.nick);
    // Our own FIFO first: when the hub hears of us, we can already be told something.
    let claim = Claim::take(&path).during(&format!("claim {}", path.display()))?;
    let to_hub = arguments.open_hub()?;
    let say = |text: &str| post(to_hub.as_fd(), &arguments.nick, text).during("post");
    say("joined")?;

    let (mut heard, mut typed) = (Lines::default(), Lines::default());
    let mut outcome = Ok(());
    event_loop(claim.reader(), io::stdin().as_fd(), &mut |event| {
        let done = match event {
            Event::Inbox(bytes) => heard.push(bytes).during("read").and_then(show),
            Event::Stdin(bytes) => typed.push(bytes).during("read").and_then(|lines| {
                lines
                    .iter()
                    .try_for_each(|line| text_of(line).and_then(say))
            }),
            Event::StdinEnd => typed
                .finish()
                .map_or(Ok(()), |line| text_of(&line).and_then(say)),
            // Only the hub writes to us: it has left.
            Event::WritersGone => return Flow::Stop,
        };
        match done {
            Ok(()) => Flow::Go,
            // A slip of the keyboard is no reason to leave.
            Err(failure) if failure.is_bad_line() => {
                complain(&failure);
                Flow::Go
            }
            Err(failure) => {
                outcome = Err(failure);
                Flow::Stop
            }
        }
    })
    .during("watch")?;
    outcome
}

/// Says one text, or every line of standard input.
fn say(arguments: &Arguments) -> Result<(), Failure> {
    let to_hub = arguments.open_hub()?;
    let say = |text: &str| post(to_hub.as_fd(), &arguments.nick, text).during("post");
    match &arguments.text {
        Some(text) => say(text),
        None => io::stdin()
            .lock()
            .lines()
            .try_for_each(|line| say(&line.during("read")?)),
    }
}

/// Writes lines to standard output at once, so that a program reading it sees them too.
fn show(lines: Vec<Vec<u8>>) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    let written = lines.iter().try_for_each(|line| {
        stdout.write_all(line)?;
        stdout.write_all(b"\n")
    });
    written.and_then(|()| stdout.flush()).during("write")
}

/// A typed line as text.
fn text_of(line: &[u8]) -> Result<&str, Failure> {
    std::str::from_utf8(line)
        .map_err(|_| io::ErrorKind::InvalidData.into())
        .during("read")
}

/// One line on standard error. If that is closed, there is nobody left to tell.
fn complain(failure: &Failure) {
    let _ = match failure {
        Failure::Usage(what) => writeln!(io::stderr(), "fifo-chat: {what}\n{USAGE}"),
        Failure::Failed { operation, error } => {
            writeln!(io::stderr(), "fifo-chat: {operation}: {error}")
        }
    };
}

/// Why the program ends without having done its work.
enum Failure {
    Usage(String),
    Failed { operation: String, error: io::Error },
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        let Self::Failed { error, .. } = self else {
            return ExitCode::from(2);
        };
        ExitCode::from(match error.kind() {
            io::ErrorKind::TimedOut => 3,
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => 4,
            io::ErrorKind::AlreadyExists | io::ErrorKind::ResourceBusy => 5,
            _ => 1,
        })
    }

    fn is_bad_line(&self) -> bool {
        self.exit_code() == ExitCode::from(4)
    }
}

/// Names the operation in which an error came up.
trait During<T> {
    fn during(self, operation: &str) -> Result<T, Failure>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, operation: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::Failed {
            operation: operation.to_owned(),
            error,
        })
    }
}

/// The command line.
struct Arguments {
    command: String,
    dir: PathBuf,
    nick: String,
    deadline: Duration,
    text: Option<String>,
}

impl Arguments {
    fn parse(words: Vec<String>) -> Result<Self, Failure> {
        let usage = |what: &str| Failure::Usage(what.to_owned());
        let mut words = words.into_iter();
        let command = words.next().ok_or_else(|| usage("a command is missing"))?;
        if !["hub", "join", "say"].contains(&command.as_str()) {
            return Err(usage(&format!("unknown command {command}")));
        }
        let (mut dir, mut nick, mut text) = (None, None, None);
        let mut deadline = Duration::from_secs(5);
        while let Some(word) = words.next() {
            let mut value = || {
                words
                    .next()
                    .ok_or_else(|| usage(&format!("{word} needs a value")))
            };
            match word.as_str() {
                "--dir" => dir = Some(PathBuf::from(value()?)),
                "--nick" if command != "hub" => nick = Some(value()?),
                "--deadline" if command != "hub" => {
                    let millis = value()?.parse();
                    deadline = Duration::from_millis(
                        millis.map_err(|_| usage("--deadline needs a number of milliseconds"))?,
                    );
                }
                _ if command == "say" && text.is_none() && !word.starts_with("--") => {
                    text = Some(word);
                }
                _ => return Err(usage(&format!("unexpected argument {word}"))),
            }
        }
        let nick = match nick {
            _ if command == "hub" => HUB.to_owned(),
            Some(nick) if is_nick(&nick) => nick,
            Some(_) => return Err(usage("this nick cannot be used")),
            None => return Err(usage("--nick is missing")),
        };
        let dir = dir.ok_or_else(|| usage("--dir is missing"))?;
        Ok(Self {
            command,
            dir,
            nick,
            deadline,
            text,
        })
    }

    /// The writing end of the hub's FIFO, once the hub reads it.
    fn open_hub(&self) -> Result<OwnedFd, Failure> {
        let path = fifo_of(&self.dir, HUB);
        open_writer(&path, self.deadline).during(&format!("open {}", path.display()))
    }
}
