//! What a box is asked to be: the folders bound into it and how much it may hold.

use std::path::PathBuf;

use crate::Rlimits;

/// What a box should hold and how much it may use.
#[derive(Clone, Debug)]
pub struct BoxSpec {
    /// Files and folders of the machine that appear in the box, beside the system's programs and
    /// libraries. On levels without a private root programs may use the sources where they are.
    pub binds: Vec<Bind>,
    /// Size of the private `/tmp`, in bytes. Levels without namespaces limit files only.
    pub tmp_bytes: u64,
    /// Size of the private `/dev/shm`, in bytes.
    pub shm_bytes: u64,
    /// Limits of every program, unless its command says otherwise.
    pub limits: Rlimits,
}

impl Default for BoxSpec {
    fn default() -> Self {
        Self {
            binds: Vec::new(),
            tmp_bytes: 64 << 20,
            shm_bytes: 128 << 20,
            limits: Rlimits::default(),
        }
    }
}

/// A file or folder of the machine that appears in the box, without devices and set-uid bits.
///
/// The programs see it as the box's user, so under a root caller it must be readable by others.
#[derive(Clone, Debug)]
pub struct Bind {
    /// The path on the machine.
    pub source: PathBuf,
    /// The absolute path in the box; missing folders on the way are made.
    pub target: PathBuf,
    /// Whether the programs may write there. A root caller hands the source over to their user
    /// (`chown`, not recursive) so that they can.
    pub writable: bool,
}
