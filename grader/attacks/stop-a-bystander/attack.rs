//! A foreign process stopped.

fn stop() {
    unsafe { libc::kill(crate::kit::bystander(), libc::SIGSTOP) };
}

before_main!(stop);
