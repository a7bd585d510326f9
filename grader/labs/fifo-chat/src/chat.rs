//! The test's own part in a chat: a folder, the ends of its FIFOs that the test holds, and the
//! moment when the hub has done all it can.
//!
//! Nothing here uses the submission's library, and nothing here judges it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::{Bench, Check, Input, Launch, Process, ensure_eq, wrong};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

/// A chat in a folder of its own.
pub(crate) struct Chat<'a> {
    bench: &'a Bench,
    pub(crate) dir: PathBuf,
}

impl<'a> Chat<'a> {
    pub(crate) fn new(bench: &'a Bench) -> Check<Self> {
        Ok(Self {
            bench,
            dir: bench.folder("chat")?,
        })
    }

    /// The FIFO that `nick` reads.
    pub(crate) fn fifo(&self, nick: &str) -> PathBuf {
        self.dir.join(format!("{nick}.fifo"))
    }

    /// The submission's program with one of its commands.
    pub(crate) fn program(&self, command: &str) -> Launch {
        self.bench.program([command, "--dir"]).arg(&self.dir)
    }

    /// Starts a hub, and waits until it listens. The test holds a writing end from then on: as
    /// long as it does, the hub's last writer has not left.
    pub(crate) fn hub(&self) -> Check<(Process, Door)> {
        let hub = self.program("hub").start()?;
        let door = self.door(&hub)?;
        Ok((hub, door))
    }

    /// A writing end of the hub's FIFO, as soon as the hub reads it.
    pub(crate) fn door(&self, hub: &Process) -> Check<Door> {
        writer_to(self.bench, hub, &self.fifo("hub")).map(Door)
    }

    /// A member whose FIFO the test reads. The hub learns of them at their first line.
    pub(crate) fn ear(&self, nick: &str) -> Check<Ear> {
        let path = self.fifo(nick);
        make_fifo(&path)?;
        Ok(Ear(reader_of(&path)?))
    }

    /// Starts a member's program, and waits until it has heard of its own joining.
    pub(crate) fn join(&self, nick: &str) -> Check<Process> {
        let member = self
            .program("join")
            .args(["--nick", nick])
            .stdin(Input::Pipe)
            .start()?;
        let joined = format!("{nick}\tjoined\n").into_bytes();
        member.until_stdout("a line of its own joining", |shown| {
            shown.starts_with(&joined)
        })?;
        Ok(member)
    }

    /// A line that nobody could know, said by `nick`, without its newline.
    pub(crate) fn line(&self, nick: &str) -> String {
        let words: String = self
            .bench
            .bytes(12)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("{nick}\t{words}")
    }

    /// Waits until the hub has taken everything out of its FIFO and can do no more: it sleeps,
    /// wherever that is. A hub that spins is given 30 ms of processor time instead.
    pub(crate) fn settle(&self, hub: &Process, door: &Door) -> Check {
        self.settle_when(hub, || bytes_in(&door.0) == 0)
    }

    /// As [`Chat::settle`], with nothing to take out.
    pub(crate) fn settle_without_writers(&self, hub: &Process) -> Check {
        self.settle_when(hub, || true)
    }

    /// As [`Chat::settle`], once there is nothing to take out any more.
    pub(crate) fn settle_when(&self, hub: &Process, empty: impl Fn() -> bool) -> Check {
        let used = || hub.proc().cpu().unwrap_or_default();
        let mut before = used();
        self.bench.until(|| {
            if !empty() {
                before = used();
                return hub.exit().is_some();
            }
            hub.exit().is_some()
                || hub.proc().is_asleep()
                || used() > before + Duration::from_millis(30)
        });
        still_there(hub)
    }

    /// The names in the folder, in order.
    pub(crate) fn names(&self) -> Check<Vec<String>> {
        let entries: Result<Vec<_>, _> = fs::read_dir(&self.dir)?.collect();
        let mut names: Vec<String> = entries?
            .iter()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        Ok(names)
    }
}

/// A finding if the program has ended.
pub(crate) fn still_there(process: &Process) -> Check {
    match process.exit() {
        None => Ok(()),
        Some(exit) => Err(wrong(
            format!("`{}` has ended", process.command()),
            "it runs on",
            format!("{}: {}", exit.status, process.stderr_so_far().trim()),
        )),
    }
}

/// A writing end of the hub's FIFO.
pub(crate) struct Door(pub(crate) File);

impl Door {
    /// Says one line, which comes without its newline, as `printf` would.
    pub(crate) fn say(&mut self, line: &str) -> Check {
        Ok(self.0.write_all(format!("{line}\n").as_bytes())?)
    }
}

/// The reading end of a member's FIFO.
pub(crate) struct Ear(File);

impl Ear {
    /// The ear at this reading end.
    pub(crate) fn new(fifo: File) -> Self {
        Self(fifo)
    }

    /// Gives the FIFO room for `bytes` only, one page at least, and says how much that is: pages
    /// are larger on some machines.
    pub(crate) fn shrink(&self, bytes: i32) -> Check<usize> {
        let room = fcntl(&self.0, FcntlArg::F_SETPIPE_SZ(bytes))?;
        Ok(usize::try_from(room).unwrap_or_default())
    }

    /// Everything that is in the FIFO now.
    pub(crate) fn heard(&mut self) -> Check<String> {
        let mut heard = Vec::new();
        match self.0.read_to_end(&mut heard) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        Ok(String::from_utf8_lossy(&heard).into_owned())
    }

    /// A finding unless exactly these lines are in the FIFO now.
    pub(crate) fn expect(&mut self, who: &str, lines: &[&str]) -> Check {
        let expected: String = lines.iter().map(|line| format!("{line}\n")).collect();
        ensure_eq(
            format!("what the hub has written to {who}.fifo"),
            expected,
            self.heard()?,
        )
    }
}

/// A FIFO that every program may read and write.
pub(crate) fn make_fifo(path: &Path) -> Check {
    match mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR) {
        // A program was there first: it has no business with this name before the test makes it.
        Err(Errno::EEXIST) => {
            return Err(wrong(
                format!("what the program leaves at {}", path.display()),
                "nothing, until somebody else makes a FIFO there",
                "something that the program put there",
            ));
        }
        made => made?,
    }
    Ok(fs::set_permissions(path, PermissionsExt::from_mode(0o666))?)
}

/// The reading end of a FIFO; reading it never waits.
pub(crate) fn reader_of(path: &Path) -> Check<File> {
    Ok(OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?)
}

/// The writing end of a FIFO, as soon as `reader` reads it; writing to it never waits.
pub(crate) fn writer_to(bench: &Bench, reader: &Process, path: &Path) -> Check<File> {
    let mut writer = None;
    bench.until(|| {
        let opened = OpenOptions::new()
            .write(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(path);
        writer = opened.ok();
        writer.is_some() || reader.exit().is_some()
    });
    match writer {
        Some(writer) => Ok(writer),
        None => {
            still_there(reader)?;
            Err(wrong(
                format!("opening {}", path.display()),
                "somebody reads it",
                "nobody does",
            ))
        }
    }
}

/// How many bytes are in a pipe.
pub(crate) fn bytes_in(pipe: &File) -> usize {
    let mut n_bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int to the address given.
    unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &mut n_bytes) };
    usize::try_from(n_bytes).unwrap_or(0)
}
