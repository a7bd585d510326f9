//! Who the cases run as, and where the executable is that everybody can run.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use sandbox::{CHECK_COMMAND, Level};

/// A user of the grader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    Root,
    /// Root as many containers have it: no debugging of others.
    RootWithoutPtrace,
    Ordinary,
}

/// The user id of nobody in particular.
const ORDINARY: u32 = 65534;

const CAP_SYS_PTRACE: libc::c_ulong = 19;

impl User {
    /// Root tests for all; anyone else only as itself.
    pub(crate) fn all() -> &'static [Self] {
        match nix::unistd::geteuid().is_root() {
            true => &[Self::Root, Self::RootWithoutPtrace, Self::Ordinary],
            false => &[Self::Ordinary],
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::RootWithoutPtrace => "root-without-ptrace",
            Self::Ordinary => "ordinary",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let all = [Self::Root, Self::RootWithoutPtrace, Self::Ordinary];
        all.into_iter().find(|user| user.name() == name).unwrap()
    }

    /// Levels that differ for the instrument.
    pub(crate) fn levels(self) -> &'static [Level] {
        match self {
            Self::Root => &[Level::A, Level::B, Level::D, Level::None],
            Self::RootWithoutPtrace => &[Level::D],
            Self::Ordinary => &[Level::B, Level::E, Level::None],
        }
    }

    /// Becomes this user and executes the program; comes back only with an error.
    pub(crate) fn become_and_run(self, program: &[&str]) -> io::Error {
        let mut command = Command::new(program[0]);
        command.args(&program[1..]);
        match self {
            Self::Root => {}
            Self::RootWithoutPtrace => {
                // SAFETY: a prctl with plain numbers.
                unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0) };
            }
            Self::Ordinary if nix::unistd::geteuid().is_root() => {
                command.uid(ORDINARY).gid(ORDINARY).current_dir("/");
            }
            Self::Ordinary => {}
        }
        command.exec()
    }
}

/// A copy of this executable that everybody can run; removed when dropped.
pub(crate) struct Installed {
    folder: PathBuf,
    pub(crate) exe: PathBuf,
}

impl Installed {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("inject-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, PermissionsExt::from_mode(0o755)).unwrap();
        let exe = folder.join("victim");
        fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
        fs::set_permissions(&exe, PermissionsExt::from_mode(0o755)).unwrap();
        Self { folder, exe }
    }

    pub(crate) fn as_user(&self, user: User) -> Command {
        let mut command = Command::new(&self.exe);
        command.args(["within", user.name()]).arg(&self.exe);
        command
    }

    pub(crate) fn gives(&self, user: User, level: Level) -> Result<(), String> {
        let output = self
            .as_user(user)
            .args([CHECK_COMMAND, &level.to_string()])
            .output()
            .unwrap();
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
