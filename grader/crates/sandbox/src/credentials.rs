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
    let mut capabilities = get_capabilities().at(step)?;
    prctl::set_keepcaps(true).at(step)?;
    let (uid, gid) = (Uid::from_raw(BOX_UID), Gid::from_raw(BOX_UID));
    setresgid(gid, gid, gid).at(step)?;
    setresuid(uid, uid, uid).at(step)?;
    // Leaving uid 0 emptied the effective set; the permitted one was kept.
    for half in &mut capabilities {
        half.effective = half.permitted;
        half.inheritable = 0;
    }
    set_capabilities(&capabilities).at(step)
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

/// Drops every capability.
pub(crate) fn drop_capabilities() -> nix::Result<()> {
    set_capabilities(&[Capabilities::default(); 2])
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
