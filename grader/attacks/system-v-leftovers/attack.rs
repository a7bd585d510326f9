//! Shared memory, semaphores and a queue under keys.

fn leave() {
    let key = crate::kit::key();
    unsafe {
        libc::shmget(key, 4096, libc::IPC_CREAT | 0o666);
        libc::semget(key, 1, libc::IPC_CREAT | 0o666);
        libc::msgget(key, libc::IPC_CREAT | 0o666);
    }
}

before_main!(leave);
