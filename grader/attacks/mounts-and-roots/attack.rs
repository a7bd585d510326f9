//! A mount, a new root, a device.

use crate::kit::{marked, refused};

fn mount() {
    let (place, kind) = (c"/tmp".as_ptr(), c"tmpfs".as_ptr());
    let device = marked("/tmp/");
    unsafe {
        refused("it mounted a tmpfs", libc::mount(kind, place, kind, 0, std::ptr::null()).into());
        refused(
            "it remounted its root",
            libc::mount(kind, c"/".as_ptr(), kind, libc::MS_REMOUNT | libc::MS_BIND, std::ptr::null()).into(),
        );
        refused("it unmounted /proc", libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH).into());
        refused("it changed its root", libc::chroot(place).into());
        refused("it opened a file system", libc::syscall(libc::SYS_fsopen, kind, 0));
        refused(
            "it made a device",
            libc::mknod(device.as_ptr(), libc::S_IFBLK | 0o666, libc::makedev(254, 0)).into(),
        );
        libc::unlink(device.as_ptr());
    }
}

before_main!(mount);
