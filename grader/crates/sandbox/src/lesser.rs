//! Machines that give less than this one, to see lower levels at work: abilities are taken away from
//! the calling process for real, and from all that it starts.

use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// What kind of machine a program finds itself on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// This one.
    Whole,
    /// This one, but nobody may trace programs, as under some filters of containers. Isolation is
    /// the same.
    NoTracing,
    /// One on which nobody can make a control group. Level B is the best.
    NoCgroups,
    /// A container that allows namespaces, with a `/proc` that is partly covered: the kernel
    /// mounts no new one there. Level C is the best.
    MaskedProc,
    /// A container as Docker makes it by default: no namespaces, few capabilities for root. Level D
    /// is the best for root, and E for others.
    NoNamespaces,
    /// The same, with a kernel that has no Landlock. No level is left.
    NoLandlock,
}

/// No machine is called so.
#[derive(Debug, thiserror::Error)]
#[error("no machine is called {0:?}: try {names}", names = Machine::ALL.map(Machine::name).join(", "))]
pub struct UnknownMachine(String);

impl Machine {
    /// From the one that gives most to the one that gives least.
    pub const ALL: [Self; 6] = [
        Self::Whole,
        Self::NoTracing,
        Self::NoCgroups,
        Self::MaskedProc,
        Self::NoNamespaces,
        Self::NoLandlock,
    ];

    /// Its name on a command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::NoTracing => "no-tracing",
            Self::NoCgroups => "no-cgroups",
            Self::MaskedProc => "masked-proc",
            Self::NoNamespaces => "no-namespaces",
            Self::NoLandlock => "no-landlock",
        }
    }

    /// Moves the calling process there, as itself or as the user `uid`. It must have one thread, and
    /// be root to become somebody else. There is no way back.
    ///
    /// # Errors
    /// What the kernel says, for example where even this machine has no namespaces.
    pub fn enter(self, uid: Option<u32>) -> io::Result<()> {
        let uid = uid.unwrap_or_else(|| Uid::effective().as_raw());
        match self {
            Self::Whole => {}
            Self::NoTracing => refuse(vec![(libc::SYS_ptrace, vec![])], libc::EPERM)?,
            Self::NoCgroups => {
                enter_mount_namespace()?;
                mount_fs("tmpfs", "/sys/fs/cgroup", MsFlags::MS_RDONLY, "size=4k")?;
            }
            Self::MaskedProc => {
                enter_mount_namespace()?;
                // One of those that Docker covers.
                bind("/dev/null", "/proc/keys")?;
            }
            Self::NoNamespaces | Self::NoLandlock => {
                let is_root = Uid::effective().is_root();
                if is_root {
                    enter_mount_namespace()?;
                    mount_queues()?;
                    drop_from_bounding_set();
                }
                refuse_namespaces(self == Self::NoLandlock)?;
                change_user(uid)?;
                if is_root && uid == 0 {
                    limit_capabilities()?;
                }
            }
        }
        change_user(uid)
    }
}

impl FromStr for Machine {
    type Err = UnknownMachine;

    fn from_str(name: &str) -> Result<Self, UnknownMachine> {
        let found = Self::ALL.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| UnknownMachine(name.to_owned()))
    }
}

fn change_user(uid: u32) -> io::Result<()> {
    if uid != Uid::effective().as_raw() {
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(uid));
        setgroups(&[])?;
        setresgid(gid, gid, gid)?;
        setresuid(uid, uid, uid)?;
    }
    Ok(())
}

fn enter_mount_namespace() -> io::Result<()> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    if uid.is_root() {
        unshare(CloneFlags::CLONE_NEWNS)?;
    } else {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
    }
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    Ok(mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)?)
}

fn bind(source: &str, target: &str) -> io::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    Ok(mount(
        Some(source),
        target,
        None::<&str>,
        flags,
        None::<&str>,
    )?)
}

fn mount_fs(kind: &str, place: &str, flags: MsFlags, options: &str) -> io::Result<()> {
    Ok(mount(Some(kind), place, Some(kind), flags, Some(options))?)
}

/// Containers have a `/dev` of their own, with message queues in it.
fn mount_queues() -> io::Result<()> {
    let folder = nix::unistd::mkdtemp(&std::env::temp_dir().join("box-dev-XXXXXX"))?;
    let dev = folder.display().to_string();
    mount_fs("tmpfs", &dev, MsFlags::empty(), "mode=755")?;
    for file in ["null", "zero", "full", "random", "urandom"] {
        fs::write(format!("{dev}/{file}"), "")?;
        bind(&format!("/dev/{file}"), &format!("{dev}/{file}"))?;
    }
    std::os::unix::fs::symlink("/proc/self/fd", format!("{dev}/fd"))?;
    for sub in ["shm", "mqueue"] {
        fs::create_dir(format!("{dev}/{sub}"))?;
    }
    bind("/dev/shm", &format!("{dev}/shm"))?;
    mount_fs("mqueue", &format!("{dev}/mqueue"), MsFlags::empty(), "")?;
    bind(&dev, "/dev")?;
    umount2(dev.as_str(), MntFlags::MNT_DETACH)?;
    fs::remove_dir(Path::new(&dev))
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
fn limit_capabilities() -> io::Result<()> {
    let low = KEPT as u32;
    let header = [0x2008_0522_u32, 0];
    let sets = [low, low, 0, 0, 0, 0];
    // SAFETY: both arrays are what version 3 of the call reads.
    match unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), sets.as_ptr()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Namespaces are refused, as by Docker's filter; Landlock is missing if so wished.
fn refuse_namespaces(landlock: bool) -> io::Result<()> {
    let has_flag = |flag: i32| {
        let flag = u64::from(flag.cast_unsigned());
        let operator = SeccompCmpOp::MaskedEq(flag);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, flag);
        condition.and_then(|condition| SeccompRule::new(vec![condition]))
    };
    let flags = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWNET,
    ];
    let namespaces: Result<Vec<_>, _> = flags.into_iter().map(has_flag).collect();
    let namespaces = namespaces.map_err(io::Error::other)?;
    let refused = vec![(libc::SYS_clone, namespaces), (libc::SYS_unshare, vec![])];
    // Its flags are out of a filter's sight; without it, libraries take clone.
    let mut missing = vec![(libc::SYS_clone3, vec![])];
    if landlock {
        missing.push((libc::SYS_landlock_create_ruleset, vec![]));
    }
    refuse(refused, libc::EPERM)?;
    refuse(missing, libc::ENOSYS)
}

/// These calls fail from now on; those with rules only where one of them holds.
fn refuse(calls: Vec<(i64, Vec<SeccompRule>)>, errno: i32) -> io::Result<()> {
    let filter = SeccompFilter::new(
        calls.into_iter().collect(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno.cast_unsigned()),
        std::env::consts::ARCH
            .try_into()
            .map_err(io::Error::other)?,
    );
    let program: Result<BpfProgram, _> = filter.and_then(TryInto::try_into);
    seccompiler::apply_filter(&program.map_err(io::Error::other)?).map_err(io::Error::other)
}
