//! The descriptors of other processes.

use crate::kit::{bystander, breach, grader};

fn borrow() {
    let parent = unsafe { libc::getppid() };
    for pid in [1, parent, bystander(), grader()] {
        unsafe {
            let pidfd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
            for fd in 0..16 {
                if libc::syscall(libc::SYS_pidfd_getfd, pidfd, fd, 0) >= 0 {
                    breach("it borrowed a descriptor of another process");
                }
            }
        }
        for fd in 0..16 {
            let path = format!("/proc/{pid}/fd/{fd}");
            if std::fs::read_link(&path).is_ok() {
                breach("it saw the descriptors of another process");
            }
        }
    }
}

before_main!(borrow);
