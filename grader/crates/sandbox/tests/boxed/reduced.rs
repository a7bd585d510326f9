//! Machines that give less than this one: abilities are taken away for real, then a program is
//! executed that has to do with what is left.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use sandbox::Level;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// What kind of machine a program finds itself on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Machine {
    /// This one.
    Whole,
    /// A container that allows namespaces, with a `/proc` that is partly covered: the kernel
    /// mounts no new one there.
    MaskedProc,
    /// A container as Docker makes it by default: no namespaces, few capabilities for root.
    NoNamespaces,
    /// The same, with a kernel that has no Landlock.
    NoLandlock,
}

impl Machine {
    pub(crate) const ALL: [Self; 4] = [
        Self::Whole,
        Self::MaskedProc,
        Self::NoNamespaces,
        Self::NoLandlock,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::MaskedProc => "masked-proc",
            Self::NoNamespaces => "no-namespaces",
            Self::NoLandlock => "no-landlock",
        }
    }

    /// The levels to run the cases on.
    pub(crate) fn levels(self, uid: u32) -> &'static [Level] {
        match self {
            Self::Whole => &[Level::A, Level::B, Level::None],
            Self::MaskedProc => &[Level::C],
            Self::NoNamespaces if uid == 0 => &[Level::D],
            Self::NoNamespaces => &[Level::E],
            Self::NoLandlock => &[],
        }
    }

    /// What [`sandbox::best_level`] must find, unless the machine is this one.
    pub(crate) fn best(self, uid: u32) -> Option<Level> {
        match self {
            Self::Whole => None,
            Self::NoLandlock => Some(Level::None),
            Self::MaskedProc | Self::NoNamespaces => self.levels(uid).first().copied(),
        }
    }
}

/// `within MACHINE UID PROGRAM …`: becomes the program, as this user of that machine.
pub(crate) fn run(machine: &str, uid: &str, program: &[&str]) -> io::Error {
    let machine = Machine::ALL.into_iter().find(|it| it.name() == machine);
    let uid = uid.parse().unwrap();
    let change_user = || {
        if uid != Uid::effective().as_raw() {
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
            setgroups(&[]).unwrap();
            setresgid(gid, gid, gid).unwrap();
            setresuid(uid, uid, uid).unwrap();
        }
    };
    match machine.unwrap() {
        Machine::Whole => change_user(),
        Machine::MaskedProc => {
            enter_mount_namespace();
            // One of those that Docker covers.
            bind("/dev/null", "/proc/keys");
            change_user();
        }
        machine => {
            let is_root = Uid::effective().is_root();
            if is_root {
                enter_mount_namespace();
                mount_queues();
                drop_from_bounding_set();
            }
            refuse(machine == Machine::NoLandlock);
            change_user();
            if is_root && uid == 0 {
                limit_capabilities();
            }
        }
    }
    Command::new(program[0]).args(&program[1..]).exec()
}

fn enter_mount_namespace() {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    if uid.is_root() {
        unshare(CloneFlags::CLONE_NEWNS).unwrap();
    } else {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS).unwrap();
        fs::write("/proc/self/setgroups", "deny").unwrap();
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1")).unwrap();
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1")).unwrap();
    }
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).unwrap();
}

fn bind(source: &str, target: &str) {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), target, None::<&str>, flags, None::<&str>).unwrap();
}

/// Containers have a `/dev` of their own, with message queues in it.
fn mount_queues() {
    let folder = nix::unistd::mkdtemp(&std::env::temp_dir().join("box-dev-XXXXXX")).unwrap();
    let dev = folder.to_str().unwrap();
    let mount_fs = |kind: &str, place: &str, options: &str| {
        mount(
            Some(kind),
            place,
            Some(kind),
            MsFlags::empty(),
            Some(options),
        )
        .unwrap();
    };
    mount_fs("tmpfs", dev, "mode=755");
    for file in ["null", "zero", "full", "random", "urandom"] {
        fs::write(format!("{dev}/{file}"), "").unwrap();
        bind(&format!("/dev/{file}"), &format!("{dev}/{file}"));
    }
    std::os::unix::fs::symlink("/proc/self/fd", format!("{dev}/fd")).unwrap();
    for sub in ["shm", "mqueue"] {
        fs::create_dir(format!("{dev}/{sub}")).unwrap();
    }
    bind("/dev/shm", &format!("{dev}/shm"));
    mount_fs("mqueue", &format!("{dev}/mqueue"), "");
    bind(dev, "/dev");
    nix::mount::umount2(dev, nix::mount::MntFlags::MNT_DETACH).unwrap();
    fs::remove_dir(Path::new(dev)).unwrap();
}

/// CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, NET_RAW,
/// SYS_CHROOT, MKNOD, AUDIT_WRITE, SETFCAP: what Docker leaves to root.
const KEPT: u64 = 0xa804_25fb;

fn drop_from_bounding_set() {
    for capability in 0..=40 {
        if KEPT & (1 << capability) == 0 {
            // SAFETY: a prctl with plain numbers; the kernel refuses those that it does not know.
            unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
        }
    }
}

/// Only the bounding set would count at the exec, but the rest shall not be there before either.
fn limit_capabilities() {
    let low = KEPT as u32;
    let header = [0x2008_0522_u32, 0];
    let sets = [low, low, 0, 0, 0, 0];
    // SAFETY: both arrays are what version 3 of the call reads.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) };
    assert_eq!(result, 0);
}

/// Namespaces are refused, as by Docker's filter; Landlock is missing if so wished.
fn refuse(landlock: bool) {
    let has_flag = |flag: i32| {
        let flag = u64::from(flag.cast_unsigned());
        let operator = SeccompCmpOp::MaskedEq(flag);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, flag);
        SeccompRule::new(vec![condition.unwrap()]).unwrap()
    };
    let flags = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWNET,
    ];
    let namespaces: Vec<SeccompRule> = flags.into_iter().map(has_flag).collect();
    let refused = [(libc::SYS_clone, namespaces), (libc::SYS_unshare, vec![])];
    let mut missing = vec![(libc::SYS_clone3, vec![])];
    if landlock {
        missing.push((libc::SYS_landlock_create_ruleset, vec![]));
    }
    for (rules, errno) in [(refused.to_vec(), libc::EPERM), (missing, libc::ENOSYS)] {
        let filter = SeccompFilter::new(
            rules.into_iter().collect(),
            SeccompAction::Allow,
            SeccompAction::Errno(errno.cast_unsigned()),
            std::env::consts::ARCH.try_into().unwrap(),
        );
        let program: BpfProgram = filter.unwrap().try_into().unwrap();
        seccompiler::apply_filter(&program).unwrap();
    }
}
