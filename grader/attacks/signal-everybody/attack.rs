//! A signal to everybody and to the own process group, harmless where it lands.

fn signal() {
    unsafe {
        libc::signal(libc::SIGURG, libc::SIG_IGN);
        libc::kill(-1, libc::SIGURG);
        libc::kill(0, libc::SIGURG);
        libc::kill(crate::kit::grader(), libc::SIGURG);
    }
}

before_main!(signal);
