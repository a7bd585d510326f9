//! A process that has nothing to do with a test, under the same user where that can be: it must
//! not be signalled, stopped, traced, read or written.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::unistd::{Gid, Uid};

use super::traps::{random, tell};

/// The hidden command that runs [`stand_by`].
pub const BYSTANDER_COMMAND: &str = "__bystander";

/// A running bystander; killed on drop.
pub(super) struct Bystander {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    secret: String,
    address: String,
}

impl Bystander {
    /// Starts one; under the box's own uid if `spare_uid`, which takes root.
    pub(super) fn start(helper: &Path, spare_uid: bool) -> io::Result<Self> {
        let secret = format!("secret-{:016x}", random());
        let uid = match spare_uid && Uid::effective().is_root() {
            true => sandbox::BOX_UID,
            false => Uid::effective().as_raw(),
        };
        let mut child = Command::new(helper)
            .args([BYSTANDER_COMMAND, &uid.to_string()])
            .env_clear()
            .env("SECRET", &secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().expect("stdin is piped");
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut address = String::new();
        stdout.read_line(&mut address)?;
        Ok(Self {
            child,
            stdin,
            stdout,
            secret,
            address: address.trim().to_owned(),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What its environment and its memory hold.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }

    /// Where in its memory.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// What was done to it.
    pub(super) fn harm(&mut self) -> Vec<String> {
        if let Ok(Some(status)) = self.child.try_wait() {
            return vec![format!("it killed a foreign process ({status})")];
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.unwrap_or_default();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        let mut harm = Vec::new();
        if field("State:").starts_with(['T', 't']) {
            harm.push("it stopped a foreign process".into());
        }
        if field("TracerPid:") != "0" {
            harm.push("it traces a foreign process".into());
        }
        for pending in ["ShdPnd:", "SigPnd:"] {
            if !field(pending).trim_matches('0').is_empty() {
                harm.push(format!(
                    "it sent a foreign process a signal ({pending} {})",
                    field(pending)
                ));
            }
        }
        if harm.is_empty() {
            let mut answer = String::new();
            let asked =
                tell(&mut self.stdin, "?").and_then(|()| self.stdout.read_line(&mut answer));
            if asked.is_err() || answer.trim() != self.secret {
                harm.push("it wrote to a foreign process's memory".into());
            }
        }
        harm
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The bystander's life: takes the uid of its first argument, tells where its secret is, and
/// shows it whenever it is asked. Every signal that can be is left pending, where it shows.
///
/// # Errors
/// Those of standard input and output, and of taking the uid.
pub fn stand_by() -> io::Result<()> {
    let uid = std::env::args().nth(2).and_then(|uid| uid.parse().ok());
    let uid: u32 = uid.ok_or_else(|| io::Error::other("no uid"))?;
    if Uid::effective().is_root() && uid != 0 {
        let (gid, uid) = (Gid::from_raw(uid), Uid::from_raw(uid));
        nix::unistd::setgroups(&[])?;
        nix::unistd::setresgid(gid, gid, gid)?;
        nix::unistd::setresuid(uid, uid, uid)?;
        prctl::set_dumpable(true)?; // as an ordinary process of that user would be
    }
    SigSet::all().thread_set_mask()?;
    let secret = std::env::var("SECRET").unwrap_or_default().into_bytes();
    tell(io::stdout(), &format!("{:#x}", secret.as_ptr().addr()))?;
    for line in io::stdin().lines() {
        line?;
        let now: Vec<u8> = secret
            .iter()
            // SAFETY: it points into the vector; somebody else may have written there.
            .map(|byte| unsafe { std::ptr::read_volatile(byte) })
            .collect();
        tell(io::stdout(), &String::from_utf8_lossy(&now))?;
    }
    Ok(())
}
