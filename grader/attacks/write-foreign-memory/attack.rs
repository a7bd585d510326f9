//! The memory of a foreign process changed.

use crate::kit::{bystander, its_secret};

fn scribble() {
    let mut scribble = *b"scribble";
    let local = libc::iovec {
        iov_base: scribble.as_mut_ptr().cast(),
        iov_len: 8,
    };
    let remote = libc::iovec {
        iov_base: its_secret() as *mut _,
        iov_len: 8,
    };
    unsafe {
        libc::process_vm_writev(bystander(), &local, 1, &remote, 1, 0);
    }
}

before_main!(scribble);
