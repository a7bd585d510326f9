//! A foreign process traced.

use crate::kit::{bystander, grader};

fn trace() {
    let parent = unsafe { libc::getppid() };
    for pid in [bystander(), parent, 1, grader()] {
        let none = std::ptr::null_mut::<u8>();
        if pid != bystander() {
            continue;
        }
        unsafe {
            libc::ptrace(libc::PTRACE_SEIZE, pid, none, none);
            // Tracing ends with the tracer, so it is kept alive for the trace to show.
            crate::kit::in_a_daemon(|| {
                libc::ptrace(libc::PTRACE_SEIZE, crate::kit::bystander(), none, none);
                crate::kit::sleep_for_ever();
            });
        }
    }
}

before_main!(trace);
