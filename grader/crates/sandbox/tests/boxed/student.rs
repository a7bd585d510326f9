//! The programs that run in the box.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZero;
use std::os::fd::FromRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::ExitCode;

use nix::fcntl::OFlag;
use nix::mqueue::{MQ_OFlag, MqAttr, mq_open, mq_receive, mq_send};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, shm_open};
use nix::sys::stat::Mode;

pub(crate) fn run(name: &str, args: &[&str]) -> ExitCode {
    match (name, args) {
        ("echo-fifo", [input, output]) => {
            let text = fs::read(input).unwrap();
            File::options()
                .write(true)
                .open(output)
                .unwrap()
                .write_all(&text)
                .unwrap();
        }
        ("shm", [name]) => add_one_in_shared_memory(name),
        ("mq", [from, to]) => {
            let read = mq_open(*from, MQ_OFlag::O_RDONLY, Mode::empty(), None).unwrap();
            let mut message = vec![0; 64];
            let mut priority = 0;
            let length = mq_receive(&read, &mut message, &mut priority).unwrap();
            let flags = MQ_OFlag::O_WRONLY | MQ_OFlag::O_CREAT;
            let size = MqAttr::new(0, 4, 64, 0);
            let write = mq_open(*to, flags, Mode::from_bits_truncate(0o600), Some(&size)).unwrap();
            mq_send(&write, &message[..length], priority).unwrap();
        }
        ("sysv", [key]) => {
            // SAFETY: attaches a segment that the case made 4096 bytes large, and writes to it.
            unsafe {
                let id = libc::shmget(key.parse().unwrap(), 0, 0);
                assert!(id >= 0, "{}", nix::errno::Errno::last());
                let segment = libc::shmat(id, std::ptr::null(), 0).cast::<u8>();
                assert_ne!(segment.addr(), usize::MAX);
                *segment += 1;
            }
        }
        ("connect", [address]) => echo(TcpStream::connect(address).unwrap()),
        ("listen", [address]) => {
            let listener = TcpListener::bind(address).unwrap();
            println!("port {}.", listener.local_addr().unwrap().port());
            echo(listener.accept().unwrap().0);
        }
        ("unix-connect", [path]) => echo(UnixStream::connect(path).unwrap()),
        ("unix-listen", [path]) => {
            let listener = UnixListener::bind(path).unwrap();
            println!("ready.");
            echo(listener.accept().unwrap().0);
        }
        ("descriptors", []) => print_descriptors(),
        ("environment", []) => {
            for (name, value) in std::env::vars() {
                println!("{name}={value}");
            }
        }
        ("argument-lengths", args) => {
            println!("{:?}", args.iter().map(|arg| arg.len()).collect::<Vec<_>>());
        }
        ("spin", [milliseconds]) => {
            let enough: u128 = milliseconds.parse().unwrap();
            let clock = nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID;
            let usage = || nix::time::clock_gettime(clock).unwrap();
            while std::time::Duration::from(usage()).as_millis() < enough {}
        }
        ("touch-memory", [mebibytes]) => {
            let mut bytes = vec![0_u8; mebibytes.parse::<usize>().unwrap() << 20];
            bytes.iter_mut().step_by(4096).for_each(|byte| *byte = 1);
            println!("touched.");
            let _ = std::io::stdin().read(&mut bytes);
        }
        ("refused", []) => print_refused(),
        ("signal-pid-1", []) => match nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(1),
            nix::sys::signal::Signal::SIGKILL,
        ) {
            Ok(()) => println!("sent"),
            Err(errno) => println!("{errno:?}"),
        },
        ("touch-others", names) => crate::touch::run(names),
        ("fork-bomb", []) => {
            let mut born = 0;
            loop {
                // SAFETY: the child only sleeps.
                match unsafe { libc::fork() } {
                    0 => loop {
                        nix::unistd::pause();
                    },
                    -1 => break,
                    _ => born += 1,
                }
            }
            println!("{born} {}", nix::errno::Errno::last());
        }
        ("threads", []) => std::thread::spawn(|| println!("threaded")).join().unwrap(),
        ("daemon", []) => {
            // SAFETY: this process has one thread.
            if unsafe { libc::fork() } == 0 {
                nix::unistd::setsid().unwrap();
                let parent = nix::unistd::getpid();
                // SAFETY: as above.
                if unsafe { libc::fork() } == 0 {
                    while nix::unistd::getppid() == parent {}
                    println!("daemon.");
                    nix::unistd::pause();
                }
            }
        }
        ("ready-on", [number]) => {
            // SAFETY: the case gave this descriptor to nobody else.
            let mut out = unsafe { File::from_raw_fd(number.parse().unwrap()) };
            out.write_all(b"ready.").unwrap();
            nix::unistd::pause();
        }
        ("stop-everybody", []) => loop {
            // SAFETY: a signal to everybody but itself, as far as the kernel lets it.
            unsafe { libc::kill(-1, libc::SIGSTOP) };
        },
        ("sleep", []) => nix::unistd::pause(),
        ("zombie", []) => {
            // SAFETY: the child ends at once.
            let child = unsafe { libc::fork() };
            if child == 0 {
                return ExitCode::SUCCESS;
            }
            let child = nix::sys::wait::Id::Pid(nix::unistd::Pid::from_raw(child));
            let flags = nix::sys::wait::WaitPidFlag::WEXITED | nix::sys::wait::WaitPidFlag::WNOWAIT;
            nix::sys::wait::waitid(child, flags).unwrap();
            println!("zombie.");
            nix::unistd::pause();
        }
        _ => panic!("no program {name} {args:?}"),
    }
    ExitCode::SUCCESS
}

fn echo(mut stream: impl Read + Write) {
    let mut bytes = [0; 5];
    stream.read_exact(&mut bytes).unwrap();
    stream.write_all(&bytes).unwrap();
}

/// Adds one to the first byte, then posts the semaphore of the same name.
fn add_one_in_shared_memory(name: &str) {
    let fd = shm_open(name, OFlag::O_RDWR, Mode::empty()).unwrap();
    let (read_write, length) = (
        ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
        NonZero::new(4096),
    );
    let c_name = CString::new(name).unwrap();
    // SAFETY: the case made the object 4096 bytes large, and the semaphore too.
    unsafe {
        let map = mmap(
            None,
            length.unwrap(),
            read_write,
            MapFlags::MAP_SHARED,
            &fd,
            0,
        )
        .unwrap();
        *map.cast::<u8>().as_ptr() += 1;
        let semaphore = libc::sem_open(c_name.as_ptr(), 0);
        assert!(!semaphore.is_null(), "{}", nix::errno::Errno::last());
        libc::sem_post(semaphore);
    }
}

fn print_descriptors() {
    let mut numbers: Vec<i32> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .file_name()
                .to_str()
                .unwrap()
                .parse()
                .unwrap()
        })
        .collect();
    numbers.sort_unstable();
    for number in numbers {
        // The descriptor of the listing itself is gone by now.
        if let Ok(what) = fs::read_link(format!("/proc/self/fd/{number}")) {
            println!("{number} {}", what.display());
        }
    }
}

/// Reaches for what no program of a box may have, and prints the answers.
fn print_refused() {
    let mut header = [0_u64; 11];
    header[0] = libc::CLONE_NEWUSER as u64;
    let calls: [(&str, libc::c_long, [i64; 3]); 8] = [
        (
            "unshare",
            libc::SYS_unshare,
            [i64::from(libc::CLONE_NEWUSER), 0, 0],
        ),
        (
            "clone",
            libc::SYS_clone,
            [i64::from(libc::CLONE_NEWNS), 0, 0],
        ),
        (
            "clone3",
            libc::SYS_clone3,
            [header.as_ptr().addr() as i64, 88, 0],
        ),
        (
            "unshare by x32",
            0x4000_0000 | libc::SYS_unshare,
            [i64::from(libc::CLONE_NEWUSER), 0, 0],
        ),
        (
            "ptrace",
            libc::SYS_ptrace,
            [i64::from(libc::PTRACE_TRACEME), 0, 0],
        ),
        (
            "chroot",
            libc::SYS_chroot,
            [c"/tmp".as_ptr().addr() as i64, 0, 0],
        ),
        ("io_uring", libc::SYS_io_uring_setup, [1, 0, 0]),
        (
            "netlink",
            libc::SYS_socket,
            [i64::from(libc::AF_NETLINK), 3, 0],
        ),
    ];
    for (name, number, [a, b, c]) in calls {
        // SAFETY: each of these fails, or is a signal.
        let result = unsafe { libc::syscall(number, a, b, c) };
        match nix::errno::Errno::result(result) {
            Ok(value) => println!("{name}: {value}"),
            Err(errno) => println!("{name}: {errno:?}"),
        }
    }
}
