//! 2 GB in System V segments, which outlive their processes.

fn flood() {
    unsafe {
        libc::signal(libc::SIGBUS, libc::SIG_DFL);
        for segment in 0..20 {
            let id = libc::shmget(libc::IPC_PRIVATE, 100 << 20, libc::IPC_CREAT | 0o600);
            let at = libc::shmat(id, std::ptr::null(), 0);
            if id < 0 || at as isize == -1 {
                return;
            }
            for page in 0..(100 << 20) / 4096 {
                at.cast::<u8>().add(page * 4096).write_volatile(1);
            }
            libc::shmdt(at);
            if segment == 19 {
                crate::kit::breach("it holds 2 GiB in System V segments");
            }
        }
    }
}

before_main!(flood);
