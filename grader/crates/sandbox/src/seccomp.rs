//! System calls that no program of a box needs and that reach for the kernel's rarer corners.
//!
//! There are three filters: one that refuses, one that hides `clone3`, and one that hides a whole
//! second set of system call numbers. Everything else is allowed: what a program may touch is
//! decided by the namespaces and Landlock. Without a PID namespace the filters also refuse what
//! reaches for other processes and what Landlock does not stop.

use std::collections::BTreeMap;

use libc::c_long;
use nix::errno::Errno;
use nix::unistd::Pid;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, sock_filter,
};

use crate::step::{AtStep, StepError};

/// What to refuse, by system call; one without rules is refused whatever its arguments are.
type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

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

/// What has to be refused besides where programs share the PID namespace with others.
#[derive(Debug)]
pub(crate) struct Fenced {
    /// Given where programs are of the grader's own user: a process of that user that they could
    /// signal but must not. Landlock lets them, because it is behind the fence with them.
    pub(crate) protected: Option<Pid>,
    /// Whether message queues work. Without a mounted file system for them, Landlock refuses to
    /// open a queue after the kernel has made it, and nobody could find it again.
    pub(crate) queues: bool,
}

/// Puts the filters on the calling process and what it will start.
pub(crate) fn restrict(fenced: Option<&Fenced>) -> Result<(), StepError> {
    let step = "install the seccomp filters";
    let filters = compile(fenced).map_err(|_| Errno::EINVAL).at(step)?;
    for filter in &filters {
        seccompiler::apply_filter(filter)
            .map_err(|error| errno_of(&error))
            .at(step)?;
    }
    Ok(())
}

fn compile(fenced: Option<&Fenced>) -> Result<[BpfProgram; 3], BackendError> {
    let mut rules = Rules::new();
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
    if let Some(fenced) = fenced {
        refuse_scheduling_others(&mut rules)?;
        if let Some(pid) = fenced.protected {
            refuse_signals_to(pid, &mut rules)?;
            for call in MODES.iter().chain(OLD_MODES).copied() {
                rules.insert(call, Vec::new());
            }
        }
    }
    // The flags of clone3 are in memory, out of a filter's sight. ENOSYS makes every libc fall
    // back to clone; EPERM would break the creation of threads.
    let mut hidden = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    if fenced.is_some_and(|fenced| !fenced.queues) {
        hidden.insert(libc::SYS_mq_open, Vec::new());
    }
    let refused = filter(rules, libc::EPERM)?;
    Ok([refused, filter(hidden, libc::ENOSYS)?, hide_x32()])
}

/// Limits, priorities and CPUs of other processes: every process of one user may change them for
/// every other, and Landlock has no say in it. A 0 names the caller itself.
fn refuse_scheduling_others(rules: &mut Rules) -> Result<(), BackendError> {
    let someone_else = |index| argument(index, SeccompCmpOp::Ne, 0);
    for call in [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ] {
        rules.entry(call).or_default().push(someone_else(0)?);
    }
    // The second argument is a process or a group, unless the first says that it is a user.
    for (call, user) in [
        (libc::SYS_setpriority, u64::from(libc::PRIO_USER)),
        (libc::SYS_ioprio_set, IOPRIO_WHO_USER),
    ] {
        let any_user = argument(0, SeccompCmpOp::Eq, user)?;
        let rules = rules.entry(call).or_default();
        rules.extend([any_user, someone_else(1)?]);
    }
    Ok(())
}
const IOPRIO_WHO_USER: u64 = 3;

/// Modes, access lists and owners of files, which Landlock leaves to whoever owns them: refused
/// where that is everything that the grader's user has.
const MODES: [c_long; 13] = [
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    SYS_SETXATTRAT,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SYS_REMOVEXATTRAT,
];
/// Calls that newer architectures do without.
#[cfg(target_arch = "x86_64")]
const OLD_MODES: &[c_long] = &[libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown];
#[cfg(not(target_arch = "x86_64"))]
const OLD_MODES: &[c_long] = &[];
// Recent calls have one number on every architecture; not every libc knows them yet.
const SYS_FCHMODAT2: c_long = 452;
const SYS_SETXATTRAT: c_long = 463;
const SYS_REMOVEXATTRAT: c_long = 466;

const F_SETOWN_EX: i32 = 15;
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;

/// Every way to send a signal to the process, or to all at once.
fn refuse_signals_to(pid: Pid, rules: &mut Rules) -> Result<(), BackendError> {
    let (process, group) = (bits(pid.as_raw()), bits(-pid.as_raw()));
    let named = |index| argument(index, SeccompCmpOp::Eq, process);
    let in_group = |index| argument(index, SeccompCmpOp::Eq, group);
    let everybody = argument(0, SeccompCmpOp::Eq, bits(-1))?;
    let mut refuse = |call, its: Vec<SeccompRule>| rules.entry(call).or_default().extend(its);
    refuse(libc::SYS_kill, vec![named(0)?, in_group(0)?, everybody]);
    for call in [libc::SYS_tgkill, libc::SYS_rt_tgsigqueueinfo] {
        refuse(call, vec![named(0)?, named(1)?]);
    }
    for call in [libc::SYS_tkill, libc::SYS_rt_sigqueueinfo] {
        refuse(call, vec![named(0)?]);
    }
    // A folder of /proc does for a pidfd here, so it does not help to refuse only `pidfd_open`.
    refuse(libc::SYS_pidfd_send_signal, Vec::new());
    // A descriptor can be made to signal its owner, even with SIGKILL.
    for owner in [process, group] {
        let sets_owner = condition(1, SeccompCmpOp::Eq, bits(libc::F_SETOWN))?;
        let to_it = condition(2, SeccompCmpOp::Eq, owner)?;
        refuse(
            libc::SYS_fcntl,
            vec![SeccompRule::new(vec![sets_owner, to_it])?],
        );
    }
    let in_memory = argument(1, SeccompCmpOp::Eq, bits(F_SETOWN_EX))?;
    refuse(libc::SYS_fcntl, vec![in_memory]);
    for request in [FIOSETOWN, SIOCSPGRP] {
        refuse(
            libc::SYS_ioctl,
            vec![argument(1, SeccompCmpOp::Eq, request)?],
        );
    }
    Ok(())
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
    SeccompRule::new(vec![condition(index, operator, value)?])
}

fn condition(
    index: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)
}

fn filter(rules: Rules, errno: i32) -> Result<BpfProgram, BackendError> {
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
