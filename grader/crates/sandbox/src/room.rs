//! Opening a box: the order of the steps, on each level.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, mkdtemp};

use crate::cell::{self, Setup, Warden};
use crate::cgroup::Cgroup;
use crate::credentials::{self, BOX_UID, INNER_UID};
use crate::step::{AtStep, StepError};
use crate::wire::Channel;
use crate::{BoxSpec, mounts, namespaces};

/// An open box, before the room has any thread.
#[derive(Debug)]
pub(crate) struct Room {
    pub(crate) channel: Channel,
    pub(crate) work_dir: PathBuf,
    pub(crate) landlocked: bool,
    /// The message queue file system, where it is private to the box.
    pub(crate) queues: Option<OwnedFd>,
    pub(crate) holdings: Holdings,
}

/// What lives as long as the box. Fields drop in this order: a cgroup can only be removed once
/// its processes are gone.
#[derive(Debug)]
pub(crate) struct Holdings {
    _warden: Warden,
    _cgroup: Option<Cgroup>,
}

/// A room and a cell in namespaces, with or without a cgroup.
pub(crate) fn open(spec: &BoxSpec, with_cgroup: bool) -> Result<Room, StepError> {
    // The cell's user must be able to pass the folders made on the way, whatever our mask is.
    let mask = umask(Mode::from_bits_truncate(0o022));
    let is_root = Uid::effective().is_root();
    let (uid, gid) = if is_root {
        credentials::leave_groups()?;
        (BOX_UID, BOX_UID)
    } else {
        (Uid::effective().as_raw(), Gid::effective().as_raw())
    };
    namespaces::enter_room()?;
    namespaces::bound_system_v(spec.shm_bytes);
    let cgroup = if with_cgroup {
        Some(Cgroup::create(spec)?)
    } else {
        None
    };
    mounts::lay_out(spec)?;

    let writable = spec.binds.iter().filter(|bind| bind.writable);
    let setup = Setup::Cell {
        writable: writable.map(|bind| bind.target.clone()).collect(),
    };
    let (ours, theirs) = Channel::pair().at("make a socket pair")?;
    let (warden, channel) = cell::start(ours, theirs, &setup)?;
    namespaces::map_ids(&warden.pid().to_string(), INNER_UID, uid, gid)?;
    if let Some(cgroup) = &cgroup {
        cgroup.take(warden.pid())?;
    }
    let landlocked = cell::begin(&channel)?;
    let queues = Some(mounts::move_in()?);
    if is_root {
        credentials::give_up_root()?;
    }
    umask(mask);
    let holdings = Holdings {
        _warden: warden,
        _cgroup: cgroup,
    };
    Ok(Room {
        channel,
        work_dir: "/tmp".into(),
        landlocked,
        queues,
        holdings,
    })
}

/// A spawn server without any isolation, and a fresh work folder.
pub(crate) fn open_bare() -> Result<Room, StepError> {
    let work_dir = mkdtemp(&std::env::temp_dir().join("box-XXXXXX")).at("make a work folder")?;
    let setup = Setup::Bare {
        work_dir: work_dir.clone(),
    };
    let (ours, theirs) = Channel::pair().at("make a socket pair")?;
    let (warden, channel) = cell::start(ours, theirs, &setup)?;
    let landlocked = cell::begin(&channel)?;
    let holdings = Holdings {
        _warden: warden,
        _cgroup: None,
    };
    Ok(Room {
        channel,
        work_dir,
        landlocked,
        queues: None,
        holdings,
    })
}
