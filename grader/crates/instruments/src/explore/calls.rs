//! Which system calls matter to the explorer, and how.

use super::space::Space;

/// Whether a call that changes what is mapped concerns shared memory. Looking at all mappings
/// takes long, and a program makes dozens of private ones while it starts.
pub(super) fn shares_memory(
    number: i64,
    registers: &libc::user_regs_struct,
    space: &Space,
) -> bool {
    match number {
        libc::SYS_mmap => registers.r10 & libc::MAP_SHARED as u64 != 0 || space.has(registers.rax),
        libc::SYS_munmap => space.has(registers.rdi),
        _ => true,
    }
}

/// Calls that change what is mapped.
pub(super) fn maps_memory(number: i64) -> bool {
    matches!(
        number,
        libc::SYS_mmap | libc::SYS_munmap | libc::SYS_mremap | libc::SYS_shmat | libc::SYS_shmdt
    )
}

/// Calls whose arguments point to further pointers.
pub(super) fn points_further(number: i64) -> bool {
    matches!(
        number,
        libc::SYS_readv | libc::SYS_writev | libc::SYS_sendmsg | libc::SYS_recvmsg
    )
}

/// Calls by which a program says that it waits for others without sleeping until they act.
pub(super) fn gives_way(number: i64) -> bool {
    matches!(
        number,
        libc::SYS_sched_yield | libc::SYS_nanosleep | libc::SYS_clock_nanosleep
    )
}

/// All but the calls that a program makes most often while it starts and that never sleep.
pub(super) fn may_sleep(number: i64) -> bool {
    !matches!(
        number,
        libc::SYS_mmap
            | libc::SYS_mprotect
            | libc::SYS_munmap
            | libc::SYS_brk
            | libc::SYS_close
            | libc::SYS_fstat
            | libc::SYS_newfstatat
            | libc::SYS_pread64
            | libc::SYS_rt_sigaction
            | libc::SYS_rt_sigprocmask
            | libc::SYS_sigaltstack
            | libc::SYS_arch_prctl
            | libc::SYS_set_tid_address
            | libc::SYS_set_robust_list
            | libc::SYS_rseq
            | libc::SYS_prlimit64
            | libc::SYS_getrandom
            | libc::SYS_access
            | libc::SYS_exit_group
    )
}
