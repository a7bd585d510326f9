//! System calls that no program of a box needs and that reach for the kernel's rarer corners.
//!
//! There are three filters: one that refuses, one that hides `clone3`, and one that hides a whole
//! second set of system call numbers. Everything else is allowed: what a program may touch is decided by the namespaces and Landlock.

use std::collections::BTreeMap;

use libc::c_long;
use nix::errno::Errno;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, sock_filter,
};

use crate::step::{AtStep, StepError};

/// Refused whatever their arguments are.
const REFUSED: [c_long; 42] = [
    // Namespaces, mounts and roots
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_open_tree,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // Other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    // The kernel itself
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_syslog,
    // The clock
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
];

const NAMESPACE_FLAGS: [i32; 8] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    CLONE_NEWTIME,
];
const CLONE_NEWTIME: i32 = 0x80;

/// Address families that reach for more than programs on this machine.
const FAMILIES: [i32; 4] = [
    libc::AF_NETLINK,
    libc::AF_PACKET,
    libc::AF_ALG,
    libc::AF_VSOCK,
];

/// Writing into a terminal's input.
const TERMINAL: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

/// On x86-64, system calls whose number has this bit set take the x32 ABI's way to the same code,
/// past every rule that names a number. Other architectures have no such numbers.
const X32_BIT: u32 = 0x4000_0000;

/// Puts the filters on the calling process and what it will start.
pub(crate) fn restrict() -> Result<(), StepError> {
    let step = "install the seccomp filters";
    let filters = compile().map_err(|_| Errno::EINVAL).at(step)?;
    for filter in &filters {
        seccompiler::apply_filter(filter)
            .map_err(|error| errno_of(&error))
            .at(step)?;
    }
    Ok(())
}

fn compile() -> Result<[BpfProgram; 3], BackendError> {
    let mut rules: BTreeMap<c_long, Vec<SeccompRule>> = BTreeMap::new();
    for call in REFUSED {
        rules.insert(call, Vec::new());
    }
    for flag in NAMESPACE_FLAGS.map(bits) {
        let has_flag = argument(0, SeccompCmpOp::MaskedEq(flag), flag)?;
        rules.entry(libc::SYS_clone).or_default().push(has_flag);
    }
    for family in FAMILIES.map(bits) {
        let is_family = argument(0, SeccompCmpOp::Eq, family)?;
        rules.entry(libc::SYS_socket).or_default().push(is_family);
    }
    for request in TERMINAL {
        let is_request = argument(1, SeccompCmpOp::Eq, request)?;
        rules.entry(libc::SYS_ioctl).or_default().push(is_request);
    }
    // The flags of clone3 are in memory, out of a filter's sight. ENOSYS makes every libc fall
    // back to clone; EPERM would break the creation of threads.
    let clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let refused = filter(rules, libc::EPERM)?;
    Ok([refused, filter(clone3, libc::ENOSYS)?, hide_x32()])
}

/// Written by hand, for want of a comparison of the call's number in `seccompiler`.
fn hide_x32() -> BpfProgram {
    let instruction = |code: u32, jump_true, k| sock_filter {
        code: code as u16,
        jt: jump_true,
        jf: 0,
        k,
    };
    vec![
        // The number is the first word of what a filter sees.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 1, X32_BIT),
        instruction(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
        instruction(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned(),
        ),
    ]
}

fn bits(value: i32) -> u64 {
    u64::from(value.cast_unsigned())
}

fn argument(index: u8, operator: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    let condition = SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)?;
    SeccompRule::new(vec![condition])
}

fn filter(
    rules: BTreeMap<c_long, Vec<SeccompRule>>,
    errno: i32,
) -> Result<BpfProgram, BackendError> {
    let refuse = SeccompAction::Errno(errno.cast_unsigned());
    let arch = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

fn errno_of(error: &seccompiler::Error) -> Errno {
    match error {
        seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => {
            error.raw_os_error().map_or(Errno::EINVAL, Errno::from_raw)
        }
        _ => Errno::EINVAL,
    }
}
