//! A foreign process traced, so that it dies with its tracer.

use crate::kit::bystander;

fn trace() {
    unsafe {
        let tracer = libc::fork();
        if tracer == 0 {
            let (none, option) = (std::ptr::null_mut::<u8>(), libc::PTRACE_O_EXITKILL);
            libc::ptrace(libc::PTRACE_SEIZE, bystander(), none, option as usize);
            libc::ptrace(libc::PTRACE_SEIZE, libc::getppid(), none, 0usize);
            libc::_exit(0);
        }
        libc::waitpid(tracer, std::ptr::null_mut(), 0);
    }
}

before_main!(trace);
