//! Hangs on file locks, POSIX message queues and other descriptors.

use std::fs::File;

use nix::fcntl::{Flock, FlockArg};
use nix::mqueue::{MQ_OFlag, MqAttr, mq_open, mq_receive, mq_send, mq_unlink};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::stat::Mode;

use crate::{call_me, child};

pub(crate) fn hang(way: &str, with: &str) -> bool {
    match way {
        "flock" => {
            let first = File::create(with).unwrap();
            let _lock = Flock::lock(first, FlockArg::LockExclusive).unwrap();
            call_me("first");
            child("second", || {
                let again = File::open(with).unwrap();
                drop(Flock::lock(again, FlockArg::LockExclusive));
            });
            crate::for_ever()
        }
        "fcntl" => {
            let file = File::create(with).unwrap();
            wait_for_record(&file);
            call_me("first");
            child("second", || wait_for_record(&file));
            crate::for_ever()
        }
        "mq-receive" | "mq-send" => {
            let both = MQ_OFlag::O_CREAT | MQ_OFlag::O_RDWR;
            let small = MqAttr::new(0, 1, 8, 0);
            let queue = mq_open(with, both, Mode::S_IRUSR | Mode::S_IWUSR, Some(&small)).unwrap();
            mq_unlink(with).unwrap();
            if way == "mq-receive" {
                mq_receive(&queue, &mut [0; 8], &mut 0).unwrap();
            } else {
                while mq_send(&queue, &[0; 5], 0).is_ok() {}
            }
        }
        "eventfd" => {
            let event = EventFd::from_flags(EfdFlags::empty()).unwrap();
            event.read().unwrap();
        }
        _ => return false,
    }
    true
}

fn wait_for_record(file: &File) {
    use nix::fcntl::{FcntlArg, fcntl};
    let whole = libc::flock {
        l_type: libc::F_WRLCK as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(file, FcntlArg::F_SETLKW(&whole)).unwrap();
}
