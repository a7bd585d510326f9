//! A program that stops itself.

fn stop() {
    unsafe { libc::raise(libc::SIGSTOP) };
}

before_main!(stop);
