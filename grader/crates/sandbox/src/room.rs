//! Opening a box: the order of the steps, on each level.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use nix::sys::stat::{Mode, umask};
use nix::unistd::{Gid, Uid, chown};

use crate::cell::{self, Setup, Warden};
use crate::cgroup::Cgroup;
use crate::credentials::{self, BOX_UID, INNER_UID};
use crate::fence::{self, Fence};
use crate::guardian::{Duty, Guardian};
use crate::step::{AtStep, StepError};
use crate::traces::{Era, Traces};
use crate::wire::Channel;
use crate::{BoxSpec, landlock, mounts, namespaces, spare, work_dir};

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

/// What lives as long as the box; dropping it kills everything in there.
#[derive(Debug)]
pub(crate) enum Holdings {
    /// Fields drop in this order: a cgroup can only be removed once its processes are gone.
    Cell {
        _warden: Warden,
        cgroup: Option<Cgroup>,
    },
    Fence(Guardian),
    Bare {
        _warden: Warden,
    },
}

impl Holdings {
    /// Whether the kernel has killed something because the box's memory was used up.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        match self {
            Self::Cell { cgroup, .. } => cgroup.as_ref().is_some_and(Cgroup::ran_out_of_memory),
            Self::Fence(_) | Self::Bare { .. } => false,
        }
    }

    /// Kills everything in the box; names the IPC objects that had to be removed from the machine.
    pub(crate) fn release(self) -> Vec<String> {
        match self {
            Self::Fence(mut guardian) => guardian.dismiss(),
            Self::Cell { .. } | Self::Bare { .. } => Vec::new(),
        }
    }
}

/// What of a cell not every machine gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extras {
    pub(crate) cgroup: bool,
    pub(crate) proc: bool,
}

/// A room and a cell in namespaces.
pub(crate) fn open(spec: &BoxSpec, extras: Extras) -> Result<Room, StepError> {
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
    let mut cgroup = if extras.cgroup {
        Some(Cgroup::create(spec)?)
    } else {
        None
    };
    mounts::lay_out(spec)?;

    let writable = spec.binds.iter().filter(|bind| bind.writable);
    let setup = Setup::Cell {
        writable: writable.map(|bind| bind.target.clone()).collect(),
        with_proc: extras.proc,
        groups: cgroup.as_mut().map(Cgroup::take_doors).unwrap_or_default(),
    };
    let (ours, theirs) = Channel::pair().at("make a socket pair")?;
    let (warden, channel) = cell::start(ours, theirs, &setup)?;
    namespaces::map_ids(&warden.pid().to_string(), INNER_UID, uid, gid)?;
    cell::begin(&channel)?;
    // The cell has had its own copy of the mounts since it was cloned, so both can move in at once.
    let queues = Some(mounts::move_in()?);
    if is_root {
        credentials::give_up_root()?;
    }
    umask(mask);
    let landlocked = cell::await_ready(&channel)?;
    let holdings = Holdings::Cell {
        _warden: warden,
        cgroup,
    };
    Ok(Room {
        channel,
        work_dir: "/tmp".into(),
        landlocked,
        queues,
        holdings,
    })
}

/// A fence around programs that run as a spare user.
pub(crate) fn open_spare(spec: &BoxSpec) -> Result<Room, StepError> {
    if !Uid::effective().is_root() {
        return Err(fence::only_for("use a spare uid without being root"));
    }
    credentials::may_become_others()?;
    credentials::leave_groups()?;
    let (uid, uid_lock) = spare::take()?;
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(uid)));
    for bind in spec.binds.iter().filter(|bind| bind.writable) {
        let step = format!("hand over {}", bind.source.display());
        chown(&bind.source, owner.0, owner.1).at(step)?;
    }
    let fence = Fence::new(spec, work_dir::make()?, Some(uid));
    let duty = Duty {
        fence: fence.clone(),
        traces: Traces::OfUser(uid),
        uid_lock: Some(uid_lock),
    };
    let room = open_fence(duty).inspect_err(|_| {
        // It is still root's, so the guardian cannot do it.
        let _ = std::fs::remove_dir(&fence.work_dir);
    })?;
    // Only now: the spawn server, which is root, has entered it while it could.
    chown(&fence.work_dir, owner.0, owner.1).at("hand over the work folder")?;
    credentials::act_as(uid)?;
    fence::reach(spec)?;
    credentials::take_back_all_but_files()?;
    Ok(room)
}

/// A fence around programs that run as the caller.
pub(crate) fn open_own(spec: &BoxSpec) -> Result<Room, StepError> {
    if Uid::effective().is_root() {
        // The kernel limits neither how many processes root has nor what its uid opens.
        return Err(fence::only_for(
            "fence root in with nothing but its own uid",
        ));
    }
    fence::reach(spec)?;
    let traces = Traces::Since(Era::enter()?);
    open_fence(Duty {
        fence: Fence::new(spec, work_dir::make()?, None),
        traces,
        uid_lock: None,
    })
}

fn open_fence(duty: Duty) -> Result<Room, StepError> {
    let work_dir = duty.fence.work_dir.clone();
    // Before the first fork: only whoever is in a domain around theirs can watch the programs.
    landlock::fence_in_room(&duty.fence)?;
    let (ours, theirs) = Channel::pair().at("make a socket pair")?;
    let (guardian, channel) = Guardian::start(ours, theirs, duty)?;
    cell::begin(&channel)?;
    let landlocked = cell::await_ready(&channel)?;
    Ok(Room {
        channel,
        work_dir,
        landlocked,
        queues: None,
        holdings: Holdings::Fence(guardian),
    })
}

/// A spawn server without any isolation, and a fresh work folder.
pub(crate) fn open_bare() -> Result<Room, StepError> {
    let work_dir = work_dir::make()?;
    let setup = Setup::Bare {
        work_dir: work_dir.clone(),
    };
    let (ours, theirs) = Channel::pair().at("make a socket pair")?;
    let (warden, channel) = cell::start(ours, theirs, &setup)?;
    cell::begin(&channel)?;
    let landlocked = cell::await_ready(&channel)?;
    let holdings = Holdings::Bare { _warden: warden };
    Ok(Room {
        channel,
        work_dir,
        landlocked,
        queues: None,
        holdings,
    })
}
