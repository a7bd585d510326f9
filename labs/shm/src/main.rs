//! Given and finished: the program of this lab. It turns arguments into calls of the library and
//! errors into exit codes; what the calls do is written in `lib.rs`.
//!
//! Standard output carries data only. An error is one line on standard error, and the exit code
//! is 1 (the call failed), 2 (wrong arguments), 3 (waited too long), 4 (bad data) or 5 (exists).

use std::io::{self, BufRead, Write};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;

use shm::{BoundedBuf, Geometry, Stats, Via, transfer};

const USAGE: &str = "usage: shm create  --name /NAME [--capacity ITEMS] [--item-max BYTES]
       shm produce --name /NAME [--deadline MS]   pushes every line of standard input
       shm consume --name /NAME [--deadline MS] [--count ITEMS]   pops and prints lines
       shm close   --name /NAME [--deadline MS]   no more items: consumers finish and end
       shm rm      --name /NAME
       shm bench   [--via pipe|shm] [--bytes N]   prints the bill, then waits for end of input";

fn main() -> ExitCode {
    let failure = match run(std::env::args().skip(1).collect()) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(failure) => failure,
    };
    // Nobody is left to tell if standard error is gone.
    let _ = match &failure {
        Failure::Usage(what) => writeln!(io::stderr(), "shm: {what}\n{USAGE}"),
        Failure::Call(operation, error) => writeln!(io::stderr(), "shm: {operation}: {error}"),
    };
    failure.exit_code()
}

/// Why the program ends early.
enum Failure {
    /// The arguments make no sense.
    Usage(String),
    /// This operation failed with this error.
    Call(String, io::Error),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Call(_, error) => match error.kind() {
                io::ErrorKind::TimedOut => 3,
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => 4,
                io::ErrorKind::AlreadyExists => 5,
                _ => 1,
            },
        })
    }
}

/// Says which operation an error belongs to.
fn failed(operation: &str) -> impl FnOnce(io::Error) -> Failure {
    move |error| Failure::Call(operation.to_owned(), error)
}

fn run(args: Vec<String>) -> Result<(), Failure> {
    let mut args = args.into_iter();
    let command = args
        .next()
        .ok_or_else(|| Failure::Usage("no command".into()))?;
    let mut options = Options::parse(args)?;
    match command.as_str() {
        "create" => {
            let name = options.name()?;
            let capacity = options.number("--capacity", NonZeroU32::new(8))?;
            let item_max = options.number("--item-max", Some(256))?;
            options.finish()?;
            let geometry = Geometry { capacity, item_max };
            BoundedBuf::create(&name, geometry).map_err(failed(&format!("create {name}")))?;
            Ok(())
        }
        "produce" => {
            let buf = options.open_buffer()?;
            options.finish()?;
            produce(&buf)
        }
        "consume" => {
            let count = options.number("--count", Some(u64::MAX))?;
            let buf = options.open_buffer()?;
            options.finish()?;
            consume(&buf, count)
        }
        "close" => {
            let buf = options.open_buffer()?;
            options.finish()?;
            buf.close().map_err(failed("close"))
        }
        "rm" => {
            let name = options.name()?;
            options.finish()?;
            BoundedBuf::unlink(&name).map_err(failed(&format!("rm {name}")))
        }
        "bench" => {
            let via = options.take("--via");
            let bytes = options.number("--bytes", Some(64 << 20))?;
            options.finish()?;
            bench(via.as_deref(), bytes)
        }
        _ => Err(Failure::Usage(format!("no such command: {command}"))),
    }
}

fn produce(buf: &BoundedBuf) -> Result<(), Failure> {
    let mut lines = io::stdin().lock();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).map_err(failed("read"))? > 0 {
        let item = line.strip_suffix(b"\n").unwrap_or(&line);
        buf.push(item).map_err(failed("push"))?;
        line.clear();
    }
    Ok(())
}

fn consume(buf: &BoundedBuf, count: u64) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut item = Vec::new();
    for _ in 0..count {
        if buf.pop(&mut item).map_err(failed("pop"))?.is_none() {
            break;
        }
        item.push(b'\n');
        // Flushed at once: a popped item is in nobody's hands but ours.
        out.write_all(&item)
            .and_then(|()| out.flush())
            .map_err(failed("write"))?;
    }
    Ok(())
}

fn bench(via: Option<&str>, bytes: u64) -> Result<(), Failure> {
    let rows: &[(&str, Via)] = match via {
        None => &[("pipe", Via::Pipe), ("shm", Via::Shm)],
        Some("pipe") => &[("pipe", Via::Pipe)],
        Some("shm") => &[("shm", Via::Shm)],
        Some(other) => return Err(Failure::Usage(format!("--via {other}: pipe or shm"))),
    };
    for &(name, via) in rows {
        let stats = transfer(via, bytes).map_err(failed(&format!("transfer via {name}")))?;
        let Stats {
            bytes,
            wchar,
            writes,
            reads,
            switches,
            cpu_us,
        } = stats;
        writeln!(
            io::stdout(),
            r#"{{"via":"{name}","bytes":{bytes},"wchar":{wchar},"writes":{writes},"reads":{reads},"switches":{switches},"cpu_us":{cpu_us}}}"#
        )
        .map_err(failed("write"))?;
    }
    // Until end of input, so that the process can be looked at.
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map_err(failed("read"))?;
    Ok(())
}

/// The options that are not used yet, as pairs of name and value.
struct Options(Vec<(String, String)>);

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut pairs = Vec::new();
        while let Some(key) = args.next() {
            let value = args
                .next()
                .ok_or_else(|| Failure::Usage(format!("{key}: no value")))?;
            pairs.push((key, value));
        }
        Ok(Self(pairs))
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let found = self.0.iter().position(|(name, _)| name == key)?;
        Some(self.0.remove(found).1)
    }

    fn number<T: std::str::FromStr>(&mut self, key: &str, or: Option<T>) -> Result<T, Failure> {
        match self.take(key) {
            Some(text) => text.parse().ok(),
            None => or,
        }
        .ok_or_else(|| Failure::Usage(format!("{key}: not a number that fits")))
    }

    /// The name that every command but `bench` needs: a slash and then no other.
    fn name(&mut self) -> Result<String, Failure> {
        self.take("--name")
            .filter(|name| {
                name.strip_prefix('/')
                    .is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
            })
            .ok_or_else(|| Failure::Usage("--name /NAME is needed, with this one slash".into()))
    }

    fn open_buffer(&mut self) -> Result<BoundedBuf, Failure> {
        let name = self.name()?;
        let deadline = Duration::from_millis(self.number("--deadline", Some(2000))?);
        BoundedBuf::open(&name, deadline).map_err(failed(&format!("open {name}")))
    }

    fn finish(&self) -> Result<(), Failure> {
        match self.0.first() {
            Some((key, _)) => Err(Failure::Usage(format!("{key} does not belong here"))),
            None => Ok(()),
        }
    }
}
