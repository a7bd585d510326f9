//! Who room and programs are to the kernel: user ids and capabilities.

use nix::errno::Errno;
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use crate::step::{AtStep, StepError};

/// The user and group id that a box opened by root runs under. It needs no entry in
/// `/etc/passwd`; programs in the box see it as 1000.
pub const BOX_UID: u32 = 60001;

/// The user and group id that programs in a box see.
pub(crate) const INNER_UID: u32 = 1000;

/// Leaves root's groups behind, before the cell inherits them.
pub(crate) fn leave_groups() -> Result<(), StepError> {
    setgroups(&[]).at("leave root's supplementary groups")
}

/// Becomes [`BOX_UID`] with all capabilities that root has.
pub(crate) fn give_up_root() -> Result<(), StepError> {
    let step = "change to the box's uid";
    prctl::set_keepcaps(true).at(step)?;
    let (uid, gid) = (Uid::from_raw(BOX_UID), Gid::from_raw(BOX_UID));
    setresgid(gid, gid, gid).at(step)?;
    setresuid(uid, uid, uid).at(step)?;
    take_back_capabilities()
}

/// Leaving uid 0 emptied the effective set, but the permitted one was kept.
fn take_back_capabilities() -> Result<(), StepError> {
    take_back(u32::MAX)
}

/// Takes back those that [`act_as`] left behind, except over files: what the user's programs may
/// not touch, a test that they lead there must not touch for them.
pub(crate) fn take_back_all_but_files() -> Result<(), StepError> {
    take_back(!OVER_FILES)
}

/// `CAP_CHOWN`, `CAP_DAC_OVERRIDE`, `CAP_DAC_READ_SEARCH`, `CAP_FOWNER`, `CAP_FSETID`
const OVER_FILES: u32 = 0b1_1111;

/// `low` chooses among the lower 32.
fn take_back(low: u32) -> Result<(), StepError> {
    let step = "keep root's capabilities";
    let mut capabilities = get_capabilities().at(step)?;
    for (half, chosen) in capabilities.iter_mut().zip([low, u32::MAX]) {
        half.effective = half.permitted & chosen;
        half.inheritable = 0;
    }
    set_capabilities(&capabilities).at(step)
}

/// Who a program becomes between fork and exec.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Identity {
    /// The spawn server itself, with whatever it may do.
    Same,
    /// The spawn server's user, without capabilities.
    Unprivileged,
    /// This user and group, without capabilities.
    Spare(u32),
}

impl Identity {
    /// Becomes the user: before the work folder is entered, which may be closed to others.
    pub(crate) fn change_user(self) -> nix::Result<()> {
        match self {
            Self::Same | Self::Unprivileged => Ok(()),
            Self::Spare(uid) => become_wholly(uid),
        }
    }

    /// Drops every capability, where that is part of it.
    pub(crate) fn drop_capabilities(self) -> nix::Result<()> {
        match self {
            Self::Same => Ok(()),
            Self::Unprivileged | Self::Spare(_) => set_capabilities(&[Capabilities::default(); 2]),
        }
    }
}

/// Becomes this user and group for good.
pub(crate) fn become_wholly(uid: u32) -> nix::Result<()> {
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)
}

/// Acts as this user and group from now on, without capabilities until
/// [`take_back_all_but_files`].
///
/// The real and the saved id remain root's. So whatever the calling process makes belongs to that
/// user, and `/proc` shows it what the user's processes do; but those may neither signal nor
/// trace it, nor does it count among them for `RLIMIT_NPROC`.
pub(crate) fn act_as(uid: u32) -> Result<(), StepError> {
    let step = "act as the box's uid";
    let root = (Uid::from_raw(0), Gid::from_raw(0));
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
    setresgid(root.1, gid, root.1).at(step)?;
    setresuid(root.0, uid, root.0).at(step)?;
    // Or else our own folder in /proc would be root's.
    prctl::set_dumpable(true).at(step)
}

/// Fails unless root may do what it takes to run programs as somebody else: containers can take
/// that away.
pub(crate) fn may_become_others() -> Result<(), StepError> {
    let effective = get_capabilities().at("read the capabilities")?[0].effective;
    for (number, name) in [
        (0, "CAP_CHOWN"),
        (5, "CAP_KILL"),
        (6, "CAP_SETGID"),
        (7, "CAP_SETUID"),
    ] {
        if effective & (1 << number) == 0 {
            return Err(Errno::EPERM).at(format!("use a spare uid without {name}"));
        }
    }
    Ok(())
}

/// Becomes the user that the cell's id maps know. Capabilities in the cell's user namespace stay:
/// uid 0 does not exist there.
pub(crate) fn become_inner_user() -> Result<(), StepError> {
    let (uid, gid) = (Uid::from_raw(INNER_UID), Gid::from_raw(INNER_UID));
    setresgid(gid, gid, gid).at("change to the cell's gid")?;
    setresuid(uid, uid, uid).at("change to the cell's uid")
}

/// Makes it impossible for the calling process and its descendants to gain capabilities.
pub(crate) fn forbid_new_privileges() -> Result<(), StepError> {
    prctl::set_no_new_privs().at("set no_new_privs")?;
    for capability in 0.. {
        // SAFETY: a prctl with plain numbers.
        let result =
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability as libc::c_ulong, 0, 0, 0) };
        match Errno::result(result) {
            Ok(_) => {}
            Err(Errno::EINVAL) => break, // past the last capability that this kernel knows
            Err(errno) => return Err(errno).at("empty the capability bounding set"),
        }
    }
    Ok(())
}

/// The lower and the upper 32 capabilities, as `capset` takes them.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Capabilities {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `_LINUX_CAPABILITY_VERSION_3`, for the calling thread.
const HEADER: Header = Header {
    version: 0x2008_0522,
    pid: 0,
};

fn get_capabilities() -> nix::Result<[Capabilities; 2]> {
    let mut header = HEADER;
    let mut capabilities = [Capabilities::default(); 2];
    // SAFETY: both point to what version 3 of the call reads and fills.
    let result =
        unsafe { libc::syscall(libc::SYS_capget, &raw mut header, capabilities.as_mut_ptr()) };
    Errno::result(result).map(|_| capabilities)
}

fn set_capabilities(capabilities: &[Capabilities; 2]) -> nix::Result<()> {
    let mut header = HEADER;
    // SAFETY: both point to what version 3 of the call reads.
    let result = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, capabilities.as_ptr()) };
    Errno::result(result).map(drop)
}
