//! Limits and priorities raised.

use crate::kit::{breach, refused};

fn raise() {
    let limits = [
        libc::RLIMIT_AS,
        libc::RLIMIT_NPROC,
        libc::RLIMIT_NOFILE,
        libc::RLIMIT_FSIZE,
        libc::RLIMIT_CPU,
        libc::RLIMIT_CORE,
    ];
    for limit in limits {
        let all = libc::rlimit {
            rlim_cur: libc::RLIM_INFINITY,
            rlim_max: libc::RLIM_INFINITY,
        };
        if unsafe { libc::setrlimit(limit, &all) } == 0 {
            breach(&format!("it raised the limit {limit}"));
        }
    }
    unsafe {
        refused("it raised its priority", libc::setpriority(libc::PRIO_PROCESS, 0, -20).into());
        let first = libc::sched_param { sched_priority: 1 };
        refused("it became a real-time process", libc::sched_setscheduler(0, libc::SCHED_FIFO, &first).into());
    }
    if std::fs::write("/proc/self/oom_score_adj", "-1000").is_ok() {
        breach("it cannot be killed when memory runs out");
    }
}

before_main!(raise);
