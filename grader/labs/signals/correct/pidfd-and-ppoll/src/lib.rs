//! WHY: ppoll(2) in place of sigsuspend(2), posix_spawnp(3) for children, pidfds for their end, and one byte at most in the self-pipe

use std::ffi::CString;
use std::io::{self, Error, ErrorKind};
use std::marker::PhantomData;
use std::mem::{MaybeUninit, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64};
use std::time::{Duration, Instant};

use libc::c_int;
use nix::errno::Errno;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

mod names;
mod table;

pub use names::signal_number;
pub use table::Table;

fn done(result: c_int) -> io::Result<c_int> {
    match result {
        -1 => Err(Error::last_os_error()),
        result => Ok(result),
    }
}

pub fn install(
    sig: c_int,
    handler: extern "C" fn(c_int),
    restart: bool,
) -> io::Result<libc::sigaction> {
    let mut old = MaybeUninit::uninit();
    // SAFETY: zeros are a valid action, and sigaction fills in the old one.
    unsafe {
        let mut action: libc::sigaction = zeroed();
        action.sa_sigaction = handler as *const () as usize;
        libc::sigemptyset(&mut action.sa_mask);
        if restart {
            action.sa_flags |= libc::SA_RESTART;
        }
        done(libc::sigaction(sig, &action, old.as_mut_ptr()))?;
        Ok(old.assume_init())
    }
}

/// One counter a signal; number 0 is no signal.
static SEEN: [AtomicU64; 65] = [const { AtomicU64::new(0) }; 65];

extern "C" fn see(sig: c_int) {
    SEEN[sig as usize].fetch_add(1, SeqCst);
}

pub fn count(sig: c_int) -> io::Result<()> {
    install(sig, see, true).map(drop)
}

pub fn counted(sig: c_int) -> u64 {
    match sig {
        1..=64 => SEEN[sig as usize].load(SeqCst),
        _ => 0,
    }
}

#[must_use = "dropping the guard puts the old mask back at once"]
pub struct MaskGuard {
    before: libc::sigset_t,
    _this_thread: PhantomData<*const ()>,
}

fn set_of(sigs: &[Signal]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset fills it in.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for &sig in sigs {
            libc::sigaddset(set.as_mut_ptr(), sig as c_int);
        }
        set.assume_init()
    }
}

fn block_all_of(set: &libc::sigset_t) -> io::Result<MaskGuard> {
    let mut before = set_of(&[]);
    // SAFETY: two sets.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, set, &mut before) } {
        0 => Ok(MaskGuard {
            before,
            _this_thread: PhantomData,
        }),
        error => Err(Error::from_raw_os_error(error)),
    }
}

pub fn block(sigs: &[Signal]) -> io::Result<MaskGuard> {
    block_all_of(&set_of(sigs))
}

impl Drop for MaskGuard {
    fn drop(&mut self) {
        // SAFETY: a set.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

/// Sleeps until one of `fds` is ready, `limit` is over, or a handler has run (`None`). With a
/// `mask`, that is the mask of the sleep.
fn sleep(
    fds: &mut [libc::pollfd],
    limit: Option<Duration>,
    mask: Option<&libc::sigset_t>,
) -> io::Result<Option<usize>> {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: limit.subsec_nanos().into(),
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    let mask = mask.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: every pointer is null or of something that lives.
    match done(unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as _, limit, mask) }) {
        Ok(n) => Ok(Some(n as usize)),
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error),
    }
}

pub fn wait_flag(flag: &AtomicBool, sig: Signal) -> io::Result<()> {
    let guard = block(&[sig])?;
    let mut open = guard.before;
    // SAFETY: a set.
    unsafe { libc::sigdelset(&mut open, sig as c_int) };
    while !flag.load(SeqCst) {
        sleep(&mut [], None, Some(&open))?;
    }
    Ok(())
}

pub fn sleep_fully(time: Duration) -> io::Result<u32> {
    let seconds = libc::time_t::try_from(time.as_secs()).map_err(|_| ErrorKind::InvalidInput)?;
    let mut left = libc::timespec {
        tv_sec: seconds,
        tv_nsec: time.subsec_nanos().into(),
    };
    let mut n = 0;
    loop {
        let now = left;
        // SAFETY: two times.
        match done(unsafe { libc::nanosleep(&now, &mut left) }) {
            Ok(_) => return Ok(n),
            Err(error) if error.kind() == ErrorKind::Interrupted => n += 1,
            Err(error) => return Err(error),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    Signals(Vec<Signal>),
    Input,
}

pub struct SelfPipe {
    reader: OwnedFd,
    _writer: OwnedFd,
    before: Vec<(c_int, libc::sigaction)>,
}

static TAKEN: AtomicBool = AtomicBool::new(false);
static BELL: AtomicI32 = AtomicI32::new(-1);
/// A byte is in the pipe or on its way: no second one is needed.
static RUNG: AtomicBool = AtomicBool::new(false);
static HERE: [AtomicBool; 65] = [const { AtomicBool::new(false) }; 65];

extern "C" fn ring(sig: c_int) {
    HERE[sig as usize].store(true, SeqCst);
    if !RUNG.swap(true, SeqCst) {
        let errno = Errno::last();
        // SAFETY: one byte.
        unsafe { libc::write(BELL.load(SeqCst), b"\n".as_ptr().cast(), 1) };
        errno.set();
    }
}

impl SelfPipe {
    pub fn new(sigs: &[Signal]) -> io::Result<SelfPipe> {
        if TAKEN.swap(true, SeqCst) {
            return Err(Errno::EBUSY.into());
        }
        let mut ends = [-1; 2];
        // SAFETY: room for two descriptors.
        let made = unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) };
        if let Err(error) = done(made) {
            TAKEN.store(false, SeqCst);
            return Err(error);
        }
        // SAFETY: just made.
        let [reader, writer] = ends.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
        HERE.iter().for_each(|here| here.store(false, SeqCst));
        RUNG.store(false, SeqCst);
        BELL.store(writer.as_raw_fd(), SeqCst);
        let mut pipe = SelfPipe {
            reader,
            _writer: writer,
            before: Vec::new(),
        };
        for &sig in sigs {
            let sig = sig as c_int;
            pipe.before.push((sig, install(sig, ring, true)?));
        }
        Ok(pipe)
    }

    pub fn drain(&self) -> io::Result<Vec<Signal>> {
        let mut bytes = [0u8; 8];
        loop {
            // SAFETY: room for eight bytes.
            let n = unsafe { libc::read(self.reader.as_raw_fd(), bytes.as_mut_ptr().cast(), 8) };
            match done(n as c_int) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        // From here on a signal rings again, and what came before is in `HERE`.
        RUNG.store(false, SeqCst);
        let mut signals: Vec<_> = Signal::iterator()
            .filter(|sig| HERE[*sig as usize].swap(false, SeqCst))
            .collect();
        signals.sort_by_key(|sig| *sig as c_int);
        Ok(signals)
    }

    pub fn wait(&self, input: Option<BorrowedFd<'_>>) -> io::Result<Event> {
        let watch = |fd: c_int| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // poll leaves out negative descriptors.
        let input = input.map_or(-1, |input| input.as_raw_fd());
        let mut fds = [watch(self.reader.as_raw_fd()), watch(input)];
        loop {
            if sleep(&mut fds, None, None)?.is_none() {
                fds[1].revents = 0;
            }
            let signals = self.drain()?;
            if !signals.is_empty() {
                return Ok(Event::Signals(signals));
            }
            if fds[1].revents != 0 {
                return Ok(Event::Input);
            }
        }
    }
}

impl Drop for SelfPipe {
    fn drop(&mut self) {
        while let Some((sig, action)) = self.before.pop() {
            // SAFETY: an action that the kernel gave us.
            unsafe { libc::sigaction(sig, &action, ptr::null_mut()) };
        }
        BELL.store(-1, SeqCst);
        TAKEN.store(false, SeqCst);
    }
}

/// Looks at a child that has ended, without reaping it: its number.
fn peek(kind: libc::idtype_t, id: libc::id_t) -> io::Result<Option<Pid>> {
    loop {
        // SAFETY: zeros are valid, and waitid fills in what it finds.
        let mut info: libc::siginfo_t = unsafe { zeroed() };
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
        // SAFETY: as above.
        match done(unsafe { libc::waitid(kind, id, &mut info, flags) }) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            // SAFETY: waitid's fields.
            Ok(_) => match unsafe { info.si_pid() } {
                0 => return Ok(None),
                pid => return Ok(Some(Pid::from_raw(pid))),
            },
        }
    }
}

/// Reaps a child that ends or has ended.
fn bury(pid: Pid) -> io::Result<WaitStatus> {
    let mut status = 0;
    // SAFETY: room for a status.
    while let Err(error) = done(unsafe { libc::waitpid(pid.as_raw(), &mut status, 0) }) {
        if error.kind() != ErrorKind::Interrupted {
            return Err(error);
        }
    }
    if libc::WIFEXITED(status) {
        return Ok(WaitStatus::Exited(pid, libc::WEXITSTATUS(status)));
    }
    let sig = libc::WTERMSIG(status);
    Ok(match Signal::try_from(sig) {
        Ok(name) => WaitStatus::Signaled(pid, name, libc::WCOREDUMP(status)),
        Err(_) => WaitStatus::Exited(pid, 128 + sig),
    })
}

pub fn reap(on: &mut dyn FnMut(Pid, WaitStatus)) -> io::Result<usize> {
    for n in 0.. {
        match peek(libc::P_ALL, 0) {
            Ok(Some(pid)) => on(pid, bury(pid)?),
            Ok(None) => return Ok(n),
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(n),
            Err(error) => return Err(error),
        }
    }
    Ok(usize::MAX)
}

unsafe extern "C" {
    static environ: *const *mut libc::c_char;
}

pub fn spawn_child(kids: &mut Table, cmd: &[CString]) -> io::Result<Pid> {
    if cmd.is_empty() {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut argv: Vec<_> = cmd.iter().map(|arg| arg.as_ptr().cast_mut()).collect();
    argv.push(ptr::null_mut());
    let none = set_of(&[]);
    let mut all = none;
    // SAFETY: a set.
    unsafe { libc::sigfillset(&mut all) };
    let _guard = block_all_of(&all)?;
    let mut pid = 0;
    // SAFETY: attributes that are initialised and destroyed here, and C strings.
    let error = unsafe {
        let mut attributes = MaybeUninit::uninit();
        libc::posix_spawnattr_init(attributes.as_mut_ptr());
        let mut attributes = attributes.assume_init();
        let flags = libc::POSIX_SPAWN_SETPGROUP
            | libc::POSIX_SPAWN_SETSIGDEF
            | libc::POSIX_SPAWN_SETSIGMASK;
        libc::posix_spawnattr_setflags(&mut attributes, flags as _);
        libc::posix_spawnattr_setpgroup(&mut attributes, 0);
        libc::posix_spawnattr_setsigdefault(&mut attributes, &all);
        libc::posix_spawnattr_setsigmask(&mut attributes, &none);
        let error = libc::posix_spawnp(
            &mut pid,
            argv[0],
            ptr::null(),
            &attributes,
            argv.as_ptr(),
            environ,
        );
        libc::posix_spawnattr_destroy(&mut attributes);
        error
    };
    match error {
        0 => {}
        libc::EAGAIN | libc::ENOMEM => return Err(Error::from_raw_os_error(error)),
        // The program cannot be run: a child has to say so.
        // SAFETY: the child makes two system calls.
        _ => match done(unsafe { libc::fork() })? {
            0 => unsafe {
                libc::setpgid(0, 0);
                libc::_exit(127)
            },
            child => {
                pid = child;
                // SAFETY: our own child.
                unsafe { libc::setpgid(pid, pid) };
            }
        },
    }
    kids.insert(Pid::from_raw(pid));
    Ok(Pid::from_raw(pid))
}

fn tell_group(leader: Pid, sig: c_int) -> io::Result<()> {
    // SAFETY: sends a signal to a group that we made.
    match done(unsafe { libc::kill(-leader.as_raw(), sig) }) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        told => told.map(drop),
    }
}

pub fn shutdown(kids: &mut Table, grace: Duration) -> io::Result<()> {
    let start = Instant::now();
    let mut watched = Vec::new();
    for pid in kids.pids() {
        // SAFETY: makes a descriptor.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
        // SAFETY: just made.
        let fd = unsafe { OwnedFd::from_raw_fd(done(fd as c_int)?) };
        watched.push((pid, fd));
        tell_group(pid, libc::SIGTERM)?;
        tell_group(pid, libc::SIGCONT)?;
    }
    while !watched.is_empty() {
        let left = grace.saturating_sub(start.elapsed());
        let mut fds: Vec<_> = watched
            .iter()
            .map(|(_, fd)| libc::pollfd {
                fd: fd.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            })
            .collect();
        let ready = sleep(&mut fds, Some(left), None)?;
        let is_over = left.is_zero();
        if ready.is_none() && !is_over {
            continue;
        }
        let mut results = fds.iter().map(|fd| fd.revents != 0);
        for (pid, fd) in std::mem::take(&mut watched) {
            if results.next() == Some(true) || is_over {
                // Not reaped yet, so the number of its group is nobody else's.
                tell_group(pid, libc::SIGKILL)?;
                bury(pid)?;
                kids.remove(pid);
            } else {
                watched.push((pid, fd));
            }
        }
    }
    Ok(())
}

pub fn die_by(sig: Signal) -> ! {
    let set = set_of(&[sig]);
    // SAFETY: no handler of ours is left for it, and _exit ends the process.
    unsafe {
        libc::signal(sig as c_int, libc::SIG_DFL);
        libc::kill(libc::getpid(), sig as c_int);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, ptr::null_mut());
        libc::_exit(128 + sig as c_int)
    }
}
