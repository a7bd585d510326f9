//! The file systems of a box: the cell's root, and the folders that room and cell share.
//!
//! The room lays out the whole root on a small tmpfs that covers its `/tmp`, the shared folders
//! included. The cell, born with a copy of the room's mounts, makes that tmpfs its root and drops
//! the rest. Afterwards the room takes the shared folders to their usual places, which covers the
//! root. Doing it in this order means that no mount has to cross from one mount namespace to
//! another, which the kernel refuses.

use std::ffi::{CString, OsStr};
use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{Gid, Uid, chdir, pivot_root};

use crate::credentials::BOX_UID;
use crate::step::{AtStep, StepError};
use crate::{Bind, BoxSpec};

/// Where the cell's root is while it is laid out: any folder that exists everywhere.
const ROOT: &str = "/tmp";

/// Folders of the machine that programs, interpreters and a linker need.
pub(crate) const SYSTEM: [&str; 6] = [
    "/usr",
    "/bin",
    "/lib",
    "/lib64",
    "/etc/alternatives",
    "/etc/ld.so.cache",
];

const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// What room and cell share, at the same path in both.
const SHARED: [&str; 3] = ["/tmp", "/dev/shm", "/dev/mqueue"];

/// Files that name lookups read. The machine's own would tell who uses it.
const WRITTEN: [(&str, &str); 3] = [
    ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("/etc/passwd", "student:x:1000:1000::/tmp:/bin/sh\n"),
    ("/etc/group", "student:x:1000:\n"),
];

/// Lays out the cell's root. For the room, in its own mount namespace.
pub(crate) fn lay_out(spec: &BoxSpec) -> Result<(), StepError> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount_fs(None, "/", flags, "").at("make mounts private")?;
    // The sources have to be in hand before the root covers what is below /tmp.
    let system = system_sources()?;
    let binds = bind_sources(&spec.binds)?;

    let no_devices = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount_fs(
        Some("tmpfs"),
        ROOT,
        no_devices,
        "size=4m,nr_inodes=8k,mode=755",
    )
    .at("mount a root")?;
    for folder in ["/proc", "/dev", "/etc"].into_iter().chain(SHARED) {
        fs::create_dir(inside(folder)).at(format!("make {folder} in the box"))?;
    }
    let tmp = format!("size={},nr_inodes=16k,mode=1777", spec.tmp_bytes);
    let shm = format!("size={},nr_inodes=4k,mode=1777", spec.shm_bytes);
    let no_programs = no_devices | MsFlags::MS_NOEXEC;
    mount_fs(Some("tmpfs"), inside("/tmp"), no_devices, &tmp).at("mount /tmp")?;
    mount_fs(Some("tmpfs"), inside("/dev/shm"), no_programs, &shm).at("mount /dev/shm")?;
    mount_fs(Some("mqueue"), inside("/dev/mqueue"), no_programs, "").at("mount /dev/mqueue")?;

    for source in system.iter().chain(&binds) {
        source.place()?;
    }
    for device in DEVICES {
        let path = Path::new("/dev").join(device);
        let device = Source {
            content: Content::Tree(clone_tree(&path)?),
            target: path,
        };
        device.place()?;
    }
    for (name, target) in [
        ("fd", ""),
        ("stdin", "/0"),
        ("stdout", "/1"),
        ("stderr", "/2"),
    ] {
        let link = inside("/dev").join(name);
        symlink(format!("/proc/self/fd{target}"), link).at(format!("link /dev/{name}"))?;
    }
    for (path, text) in WRITTEN {
        fs::write(inside(path), text).at(format!("write {path} in the box"))?;
    }
    let root = fs::File::open(ROOT).at("open the root")?;
    restrict(&OwnedFd::from(root), false, true)
}

/// Makes the laid out root the calling process's own. For the cell, in its own mount namespace.
/// Without `with_proc`, `/proc` is an empty folder.
pub(crate) fn enter_root(with_proc: bool) -> Result<(), StepError> {
    // Mounts that came from the room's user namespace are locked; a bind of them is not.
    mount(
        Some(ROOT),
        ROOT,
        None::<&str>,
        MsFlags::MS_BIND | MsFlags::MS_REC,
        None::<&str>,
    )
    .at("bind the root")?;
    chdir(ROOT).at("enter the root")?;
    if with_proc {
        // The kernel allows a new /proc only while an unobstructed one is still visible.
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount_fs(Some("proc"), "proc", flags, "").at("mount /proc")?;
    }
    pivot_root(".", ".").at("pivot to the root")?;
    umount2(".", MntFlags::MNT_DETACH).at("unmount the machine's root")?;
    chdir("/tmp").at("enter /tmp")
}

/// Moves the shared folders to their usual places, which covers the root. For the room, once the
/// cell has its copy of the mounts. Returns the message queue file system: minimal machines have no
/// `/dev/mqueue` to mount it at, and whoever looks for leftovers needs it.
pub(crate) fn move_in() -> Result<OwnedFd, StepError> {
    let [tmp, shm, queues] = SHARED;
    let trees = [clone_tree(&inside(tmp))?, clone_tree(&inside(shm))?];
    // The room still sees the machine's files, and a program may leave a link to one of them where
    // a test will read or write. In here, unlike in the cell, links lead nowhere.
    for tree in &trees {
        set_attributes(tree, NO_LINKS, false)?;
    }
    let queue_tree = clone_tree(&inside(queues))?;
    // The root stays mounted below the new /tmp, where no path leads: after every unmounting the
    // kernel waits for all processors, which takes milliseconds on a busy machine.
    for (tree, place) in trees.iter().zip([tmp, shm]) {
        attach(tree, Path::new(place))?;
    }
    if Path::new(queues).exists() {
        attach(&queue_tree, Path::new(queues))?;
    }
    Ok(queue_tree)
}

/// Something that will be placed in the box.
struct Source {
    content: Content,
    target: PathBuf,
}

enum Content {
    /// A detached copy of a file's or folder's mounts.
    Tree(OwnedFd),
    /// A symbolic link, such as /bin on most systems.
    Link(PathBuf),
}

impl Source {
    fn place(&self) -> Result<(), StepError> {
        let place = inside(&self.target);
        let step = || format!("make {} in the box", self.target.display());
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).at(step())?;
        }
        match &self.content {
            Content::Link(to) => symlink(to, &place).at(step()),
            Content::Tree(tree) => {
                let is_dir =
                    nix::sys::stat::fstat(tree).at(step())?.st_mode & libc::S_IFMT == libc::S_IFDIR;
                if is_dir {
                    fs::create_dir_all(&place).at(step())?;
                } else if !place.exists() {
                    fs::write(&place, "").at(step())?;
                }
                attach(tree, &place)
            }
        }
    }
}

fn system_sources() -> Result<Vec<Source>, StepError> {
    let mut sources = Vec::new();
    for path in SYSTEM {
        let Ok(kind) = fs::symlink_metadata(path) else {
            continue; // not every machine has all of them
        };
        let content = if kind.is_symlink() {
            Content::Link(fs::read_link(path).at(format!("read the link {path}"))?)
        } else {
            let tree = clone_tree(Path::new(path))?;
            restrict(&tree, true, true)?;
            Content::Tree(tree)
        };
        sources.push(Source {
            content,
            target: path.into(),
        });
    }
    Ok(sources)
}

fn bind_sources(binds: &[Bind]) -> Result<Vec<Source>, StepError> {
    let mut sources = Vec::new();
    for bind in binds {
        if bind.writable && Uid::effective().is_root() {
            let (uid, gid) = (Uid::from_raw(BOX_UID), Gid::from_raw(BOX_UID));
            nix::unistd::chown(&bind.source, Some(uid), Some(gid))
                .at(format!("hand over {}", bind.source.display()))?;
        }
        let tree = clone_tree(&bind.source)?;
        restrict(&tree, true, !bind.writable)?;
        sources.push(Source {
            content: Content::Tree(tree),
            target: bind.target.clone(),
        });
    }
    Ok(sources)
}

/// Where `path` of the box is while the root is laid out.
fn inside(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    Path::new(ROOT).join(path.strip_prefix("/").unwrap_or(path))
}

fn mount_fs(
    kind: Option<&str>,
    target: impl AsRef<Path>,
    flags: MsFlags,
    options: &str,
) -> nix::Result<()> {
    mount(kind, target.as_ref(), kind, flags, Some(options))
}

/// A detached copy of everything mounted at `path`.
fn clone_tree(path: &Path) -> Result<OwnedFd, StepError> {
    let step = format!("bind {}", path.display());
    let flags =
        libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_RECURSIVE.cast_unsigned();
    let path = c_path(path.as_os_str()).at(&*step)?;
    // SAFETY: the path is a C string that outlives the call.
    let fd = unsafe { libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, path.as_ptr(), flags) };
    let fd = Errno::result(fd).at(&*step)?;
    // SAFETY: the kernel just made this descriptor, for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Takes set-uid bits and devices away from a mount, and writing too if `read_only`; from those
/// below it too if `recursive`.
fn restrict(tree: &OwnedFd, recursive: bool, read_only: bool) -> Result<(), StepError> {
    let no_writes = if read_only {
        libc::MOUNT_ATTR_RDONLY
    } else {
        0
    };
    let attributes = no_writes | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
    set_attributes(tree, attributes, recursive)
}

/// `MOUNT_ATTR_NOSYMFOLLOW`
const NO_LINKS: u64 = 0x0020_0000;

fn set_attributes(tree: &OwnedFd, attributes: u64, recursive: bool) -> Result<(), StepError> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    let attributes = libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: an empty path names the descriptor, and the size is that of the attributes.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attributes,
            size_of::<libc::mount_attr>(),
        )
    };
    Errno::result(result).at("restrict a mount").map(drop)
}

/// Mounts a detached tree at `place`.
fn attach(tree: &OwnedFd, place: &Path) -> Result<(), StepError> {
    let step = format!("mount {}", place.display());
    let path = c_path(place.as_os_str()).at(&*step)?;
    // SAFETY: an empty path names the descriptor, and the other one is a C string; both outlive
    // the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH,
        )
    };
    Errno::result(result).at(step).map(drop)
}

fn c_path(path: &OsStr) -> nix::Result<CString> {
    CString::new(path.as_bytes()).map_err(|_| Errno::EINVAL)
}
