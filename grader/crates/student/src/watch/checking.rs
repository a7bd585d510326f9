//! One check in the background: this program once more, telling its events as JSON.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::Pid;

use crate::event::Event;
use crate::tree::{Lab, Tree};

/// A check that runs; dropping it ends it.
pub(crate) struct Checking {
    child: Child,
    events: File,
    /// What has come of a line whose newline has not.
    piece: Vec<u8>,
    complaint: File,
}

/// What a check has told since it was asked last.
pub(crate) enum News {
    /// It goes on.
    Events(Vec<Event>),
    /// It has ended.
    End {
        /// Its last events.
        events: Vec<Event>,
        /// What it said on standard error.
        complaint: String,
    },
}

impl Checking {
    /// Starts a check of `lab`.
    pub(crate) fn start(tree: &Tree, lab: &Lab) -> io::Result<Self> {
        let complaint = tempfile::tempfile()?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .args(["check", &lab.name, "--json"])
            .current_dir(&tree.root)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(complaint.try_clone()?)
            .process_group(0);
        let unmask = || {
            // Ours are blocked, because they are read from a descriptor.
            SigSet::empty().thread_set_mask()?;
            set_pdeathsig(Signal::SIGTERM)?;
            Ok(())
        };
        // SAFETY: between fork and exec this makes two system calls and nothing else.
        unsafe { command.pre_exec(unmask) };
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().map(OwnedFd::from);
        let events = File::from(stdout.expect("standard output was asked to be a pipe"));
        let flags = OFlag::from_bits_retain(fcntl(&events, FcntlArg::F_GETFL)?);
        fcntl(&events, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Self {
            child,
            events,
            piece: Vec::new(),
            complaint,
        })
    }

    /// What becomes readable when there is news.
    pub(crate) fn news_fd(&self) -> &File {
        &self.events
    }

    /// Takes what is there.
    pub(crate) fn news(&mut self) -> News {
        let mut buffer = [0; 1 << 16];
        let mut has_ended = false;
        loop {
            match self.events.read(&mut buffer) {
                Ok(0) => {
                    has_ended = true;
                    break;
                }
                Ok(n) => self.piece.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let end = self
            .piece
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        let lines: Vec<u8> = self.piece.drain(..end).collect();
        let lines = lines.split(|&byte| byte == b'\n');
        let events = lines
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        match has_ended {
            false => News::Events(events),
            true => News::End {
                events,
                complaint: self.complaint(),
            },
        }
    }

    fn complaint(&mut self) -> String {
        let mut text = Vec::new();
        // Only said to be helpful; an empty complaint is one, too.
        let _unread = self
            .complaint
            .rewind()
            .and_then(|()| self.complaint.read_to_end(&mut text));
        String::from_utf8_lossy(&text).trim().to_owned()
    }
}

impl Drop for Checking {
    fn drop(&mut self) {
        // Its group holds cargo, the compiler and the processes that open boxes; boxes end with
        // those.
        let group = Pid::from_raw(self.child.id().cast_signed());
        let _ended = killpg(group, Signal::SIGKILL);
        let _reaped = self.child.wait();
    }
}
