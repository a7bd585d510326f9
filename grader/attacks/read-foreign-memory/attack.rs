//! The memory of a foreign process, by every way there is.

use crate::kit::{bystander, its_secret, say};

fn look() {
    let mut stolen = [0u8; 64];
    let local = libc::iovec {
        iov_base: stolen.as_mut_ptr().cast(),
        iov_len: 23,
    };
    let remote = libc::iovec {
        iov_base: its_secret() as *mut _,
        iov_len: 23,
    };
    unsafe {
        libc::process_vm_readv(bystander(), &local, 1, &remote, 1, 0);
    }
    say(&String::from_utf8_lossy(&stolen));
    if let Ok(memory) = std::fs::File::open(format!("/proc/{}/mem", bystander())) {
        use std::os::unix::fs::FileExt;
        let _ = memory.read_at(&mut stolen, its_secret() as u64);
        say(&String::from_utf8_lossy(&stolen));
    }
}

before_main!(look);
