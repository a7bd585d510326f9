//! What stands around programs that have no namespaces of their own.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::BoxSpec;
use crate::seccomp::Fenced;
use crate::step::{AtStep, StepError};

/// Where the machine's message queues are.
pub(crate) const QUEUES: &str = "/dev/mqueue";

/// The fence of one box. All programs inside it are of one user.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    /// The only folder of the machine that is the box's own.
    pub(crate) work_dir: PathBuf,
    /// What else programs may read.
    pub(crate) readable: Vec<PathBuf>,
    /// What else they may write.
    pub(crate) writable: Vec<PathBuf>,
    /// The user they run as; the spawn server's own if `None`.
    pub(crate) spare: Option<u32>,
}

impl Fence {
    pub(crate) fn new(spec: &BoxSpec, work_dir: PathBuf, spare: Option<u32>) -> Self {
        let (writable, readable) = spec
            .binds
            .iter()
            .partition::<Vec<_>, _>(|bind| bind.writable);
        let sources = |binds: Vec<&crate::Bind>| binds.iter().map(|it| it.source.clone()).collect();
        Self {
            work_dir,
            readable: sources(readable),
            writable: sources(writable),
            spare,
        }
    }

    /// What the calling process, the spawn server, has to forbid beside the usual.
    pub(crate) fn calls(&self) -> Fenced {
        Fenced {
            // Root is out of reach anyway.
            protected: self.spare.is_none().then(nix::unistd::getpid),
            queues: has_queues(),
        }
    }
}

/// Whether message queues have names that can be listed, and so be removed.
fn has_queues() -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .any(|line| line.split(' ').nth(1) == Some(QUEUES))
}

/// Fails at the first source of a bind that the calling process cannot reach: its folder, or one
/// above it, may be closed to the box's user.
pub(crate) fn reach(spec: &BoxSpec) -> Result<(), StepError> {
    for bind in &spec.binds {
        let source = bind.source.display();
        fs::metadata(&bind.source)
            .and_then(|kind| match kind.is_dir() {
                true => fs::read_dir(&bind.source).map(drop),
                false => fs::File::open(&bind.source).map(drop),
            })
            .at(match closed(&bind.source) {
                Some(closed) => format!(
                    "reach {source} as the box's user, whom {} keeps out (open it with chmod o+x, \
                     or keep {source} elsewhere)",
                    closed.display()
                ),
                None => format!("reach {source} as the box's user"),
            })?;
    }
    Ok(())
}

/// The first folder on the way that lets the calling process not pass.
fn closed(path: &Path) -> Option<&Path> {
    let way: Vec<&Path> = path.ancestors().collect();
    let denied = |path: &Path| {
        fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
    };
    let first = way.into_iter().rev().find(|path| denied(path));
    first.and_then(Path::parent)
}

/// The error of a level that is for somebody else.
pub(crate) fn only_for(step: &str) -> StepError {
    StepError {
        step: step.to_owned(),
        errno: Errno::EPERM,
    }
}
