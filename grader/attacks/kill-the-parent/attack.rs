//! The process that started it killed and stopped.

fn kill() {
    unsafe {
        let parent = libc::getppid();
        libc::kill(parent, libc::SIGSTOP);
        libc::kill(parent, libc::SIGKILL);
        libc::kill(1, libc::SIGKILL);
        libc::kill(1, libc::SIGSTOP);
        libc::kill(1, libc::SIGTERM);
    }
}

before_main!(kill);
