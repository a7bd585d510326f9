//! Becomes the tracer of a program, if need be with the real user id of that program.
//!
//! ptrace(2) compares *real* ids. A grader that is root without CAP_SYS_PTRACE, as in a container,
//! and that runs programs as another user only acts as that user, so it would be refused. The ids
//! of one thread can be changed alone and changed back, and once it traces, nobody asks again.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;

/// Traces the program; it goes on as if nothing had happened.
pub(super) fn seize(pid: Pid, options: Options) -> nix::Result<()> {
    match ptrace::seize(pid, options) {
        Err(Errno::EPERM) => as_its_user(pid, || ptrace::seize(pid, options)),
        result => result,
    }
}

fn as_its_user(pid: Pid, work: impl FnOnce() -> nix::Result<()>) -> nix::Result<()> {
    let owner = fs::metadata(format!("/proc/{pid}")).map_err(|_| Errno::ESRCH)?;
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    set_real_gid(owner.gid())?;
    let result = set_real_uid(owner.uid()).and_then(|()| {
        let result = work();
        set_real_uid(uid.as_raw())?;
        result
    });
    set_real_gid(gid.as_raw())?;
    result
}

/// Of this thread only: the C library's function would change all threads.
fn set_real_uid(uid: u32) -> nix::Result<()> {
    // SAFETY: plain numbers; -1 leaves an id as it is.
    Errno::result(unsafe { libc::syscall(libc::SYS_setresuid, uid, -1, -1) }).map(drop)
}

fn set_real_gid(gid: u32) -> nix::Result<()> {
    // SAFETY: plain numbers; -1 leaves an id as it is.
    Errno::result(unsafe { libc::syscall(libc::SYS_setresgid, gid, -1, -1) }).map(drop)
}
