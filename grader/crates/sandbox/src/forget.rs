//! What a copy of the room lets go of before it serves the box: descriptors, signal handlers, and
//! the command line.

use std::ffi::CStr;
use std::fs;
use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::sys::prctl;

use crate::step::{AtStep, StepError};

/// Closes every descriptor but `kept`, and takes `name`. The command line goes too: programs could
/// otherwise read it in `/proc`.
pub(crate) fn forget_the_room(kept: &[RawFd], name: &CStr) -> Result<(), StepError> {
    let step = "close the room's descriptors";
    let null = fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .at("open /dev/null")?;
    nix::unistd::dup2_stdin(&null).at(step)?;
    nix::unistd::dup2_stdout(&null).at(step)?;
    nix::unistd::dup2_stderr(&null).at(step)?;
    drop(null);
    let mut kept: Vec<u32> = kept.iter().map(|fd| fd.cast_unsigned()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for end in kept.into_iter().filter(|fd| *fd >= 3) {
        close(first, end - 1).at(step)?;
        first = end + 1;
    }
    close(first, u32::MAX).at(step)?;
    reset_signals();
    prctl::set_name(name).at("take a name")?;
    prctl::set_dumpable(false).at("become undumpable")?;
    erase_command_line().at("erase the command line")
}

fn close(first: u32, last: u32) -> nix::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: whoever owned these descriptors in the room never runs in this process.
    Errno::result(unsafe { libc::close_range(first, last, 0) }).map(drop)
}

/// Sets every disposition to the default, so that programs start with it. The C library would not
/// let us near the two signals that it uses itself, and those may have been inherited as ignored.
fn reset_signals() {
    let default = [0_u64; 4]; // the kernel's own sigaction: handler, flags, restorer, mask
    for number in 1..=libc::SIGRTMAX() {
        let action = default.as_ptr();
        let none = std::ptr::null_mut::<u64>();
        // SAFETY: the default disposition runs no code, and a mask is 8 bytes. SIGKILL and SIGSTOP
        // are refused, which is as well.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, number, action, none, 8_usize) };
    }
}

/// `/proc/PID/cmdline` shows the process's own memory between two addresses.
fn erase_command_line() -> std::io::Result<()> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    // proc(5) counts from 1, and two fields are before the parenthesis.
    let field = |number: usize| {
        fields
            .split_whitespace()
            .nth(number - 3)?
            .parse::<usize>()
            .ok()
    };
    if let (Some(start), Some(end)) = (field(48), field(49))
        && start != 0
        && start < end
    {
        // SAFETY: the kernel put the arguments there and made them writable; nothing in this
        // process, which never reads its arguments, holds a reference into them.
        unsafe { std::ptr::write_bytes(start as *mut u8, 0, end - start) };
    }
    Ok(())
}
