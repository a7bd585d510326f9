//! The program that reaches for the grader's processes, in every way a process can be reached.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;

/// Tries everything on each of `who=PID` and prints what worked.
pub(crate) fn run(names: &[&str]) {
    for name in names {
        let (who, pid) = name.split_once('=').unwrap();
        let pid: i32 = pid.parse().unwrap();
        for (how, done) in ways(pid) {
            if done {
                println!("{who}: {how}");
            }
        }
    }
    println!("tried.");
}

/// The signal is one that kills; a way that works will be seen by its effect, too.
const SIGNAL: i32 = libc::SIGTERM;

fn ways(pid: i32) -> Vec<(&'static str, bool)> {
    let call = |number: libc::c_long, args: [i64; 6]| {
        let [a, b, c, d, e, f] = args;
        // SAFETY: every address given is that of memory which outlives the call, or null.
        unsafe { libc::syscall(number, a, b, c, d, e, f) >= 0 }
    };
    let (p, s) = (i64::from(pid), i64::from(SIGNAL));
    let mut info = [0_i32; 32];
    (info[0], info[2]) = (SIGNAL, libc::SI_QUEUE);
    let info = info.as_ptr().addr() as i64;
    let limit = [0_u64; 2];
    let limit = limit.as_ptr().addr() as i64;
    let cpus = [1_u64; 16];
    let cpus = cpus.as_ptr().addr() as i64;
    let parameter = [0_i32; 1];
    let parameter = parameter.as_ptr().addr() as i64;
    let mut bytes = [0_u8; 8];
    let mut vector = [bytes.as_mut_ptr().addr() as u64, 8];
    let vector = vector.as_mut_ptr().addr() as i64;
    let folder = File::open(format!("/proc/{pid}"));
    let folder = folder
        .as_ref()
        .map_or(-1, |folder| i64::from(folder.as_raw_fd()));
    // SAFETY: plain numbers.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let opens =
        |file: &str| fs::read(format!("/proc/{pid}/{file}")).is_ok_and(|text| !text.is_empty());
    vec![
        ("kill", call(libc::SYS_kill, [p, s, 0, 0, 0, 0])),
        ("kill its group", call(libc::SYS_kill, [-p, s, 0, 0, 0, 0])),
        (
            "stop",
            call(libc::SYS_kill, [p, i64::from(libc::SIGSTOP), 0, 0, 0, 0]),
        ),
        ("tkill", call(libc::SYS_tkill, [p, s, 0, 0, 0, 0])),
        ("tgkill", call(libc::SYS_tgkill, [p, p, s, 0, 0, 0])),
        (
            "sigqueue",
            call(libc::SYS_rt_sigqueueinfo, [p, s, info, 0, 0, 0]),
        ),
        (
            "tgsigqueue",
            call(libc::SYS_rt_tgsigqueueinfo, [p, p, s, info, 0, 0]),
        ),
        (
            "pidfd signal",
            pidfd >= 0 && call(libc::SYS_pidfd_send_signal, [pidfd, s, 0, 0, 0, 0]),
        ),
        (
            "signal by /proc",
            call(libc::SYS_pidfd_send_signal, [folder, s, 0, 0, 0, 0]),
        ),
        (
            "pidfd_getfd",
            pidfd >= 0 && call(libc::SYS_pidfd_getfd, [pidfd, 0, 0, 0, 0, 0]),
        ),
        ("own a descriptor", signal_by_owner(pid)),
        (
            "ptrace",
            call(
                libc::SYS_ptrace,
                [i64::from(libc::PTRACE_SEIZE), p, 0, 0, 0, 0],
            ),
        ),
        (
            "process_vm_readv",
            call(libc::SYS_process_vm_readv, [p, vector, 1, vector, 1, 0]),
        ),
        (
            "mem",
            File::options()
                .write(true)
                .open(format!("/proc/{pid}/mem"))
                .is_ok(),
        ),
        ("environ", opens("environ")),
        ("maps", opens("maps")),
        (
            "descriptors",
            // Their numbers are no secret, what they are is.
            fs::read_link(format!("/proc/{pid}/fd/0")).is_ok(),
        ),
        (
            "oom_score_adj",
            fs::write(format!("/proc/{pid}/oom_score_adj"), "1000").is_ok(),
        ),
        (
            "prlimit",
            call(
                libc::SYS_prlimit64,
                [p, i64::from(libc::RLIMIT_CPU), limit, 0, 0, 0],
            ),
        ),
        (
            "setpriority",
            call(libc::SYS_setpriority, [0, p, 19, 0, 0, 0]),
        ),
        (
            "ioprio",
            call(libc::SYS_ioprio_set, [1, p, 3 << 13, 0, 0, 0]),
        ),
        (
            "affinity",
            call(libc::SYS_sched_setaffinity, [p, 128, cpus, 0, 0, 0]),
        ),
        (
            "scheduler",
            call(
                libc::SYS_sched_setscheduler,
                [p, i64::from(libc::SCHED_IDLE), parameter, 0, 0, 0],
            ),
        ),
    ]
}

/// Makes a socket signal the process when something arrives; whether the kernel takes the owner
/// and the process gets it is seen only there, so this says whether the owner was taken and no
/// Landlock is there to stop the signal: never both for somebody outside.
fn signal_by_owner(pid: i32) -> bool {
    let (mut one, other) = std::os::unix::net::UnixStream::pair().unwrap();
    // SAFETY: plain numbers, on a descriptor that is open.
    unsafe {
        let fd = other.as_raw_fd();
        libc::fcntl(fd, libc::F_SETOWN, pid);
        libc::fcntl(fd, 10 /* F_SETSIG */, libc::SIGKILL);
        libc::fcntl(fd, libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK);
    }
    io::Write::write_all(&mut one, b"x").unwrap();
    false // its effect would be that the process is gone
}
