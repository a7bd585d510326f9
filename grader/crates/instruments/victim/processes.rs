//! Hangs on children, signals, time and threads.

use std::io::Read;
use std::sync::Mutex;
use std::thread::{Builder, sleep};
use std::time::Duration;

use nix::poll::poll;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::sys::wait::waitpid;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::pause;

use crate::{call_me, child, for_ever};

extern "C" fn nothing(_: i32) {}

fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

pub(crate) fn hang(way: &str, _: &str) -> bool {
    match way {
        "wait" => {
            let worker = child("worker", || for_ever());
            call_me("boss");
            waitpid(worker, None).unwrap();
        }
        "zombie" => {
            child("ended", || {});
            call_me("careless");
            for_ever()
        }
        "stopped" => raise(Signal::SIGSTOP).unwrap(),
        "spin" => loop {
            std::hint::spin_loop();
        },
        "polling" => loop {
            sleep(Duration::from_millis(1));
        },
        "restless" => loop {
            sleep(Duration::from_millis(20));
            for _ in 0..4 {
                poll(&mut [], 1u8).unwrap();
            }
            let before = thread_cpu();
            while thread_cpu() - before < Duration::from_millis(1) {}
        },
        "sleep" => sleep(Duration::from_secs(1234)),
        "pause" => pause(),
        "pause-with-an-alarm" => {
            let action = SigAction::new(
                SigHandler::Handler(nothing),
                SaFlags::empty(),
                SigSet::empty(),
            );
            // SAFETY: the handler does nothing.
            unsafe { sigaction(Signal::SIGALRM, &action) }.unwrap();
            nix::unistd::alarm::set(1000);
            pause();
        }
        "sigsuspend" => {
            let action = SigAction::new(
                SigHandler::Handler(nothing),
                SaFlags::empty(),
                SigSet::empty(),
            );
            // SAFETY: the handler does nothing.
            unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
            let mut mask = SigSet::all();
            mask.thread_block().unwrap();
            raise(Signal::SIGUSR2).unwrap();
            mask.remove(Signal::SIGUSR1);
            mask.suspend().unwrap();
        }
        "sigwait" => {
            SigSet::all().thread_block().unwrap();
            raise(Signal::SIGUSR2).unwrap();
            SigSet::from(Signal::SIGTERM).wait().unwrap();
        }
        "join" => {
            let (mut reader, _writer) = std::io::pipe().unwrap();
            let worker = Builder::new().name("worker".to_owned());
            worker
                .spawn(move || reader.read(&mut [0]))
                .unwrap()
                .join()
                .unwrap()
                .unwrap();
        }
        "many-threads" => {
            let (reader, _writer) = std::io::pipe().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..20 {
                    scope.spawn(|| (&reader).read(&mut [0]).unwrap());
                }
            });
        }
        "std-mutex" => {
            let mutex = Mutex::new(());
            let _guard = mutex.lock();
            let _deadlock = mutex.lock();
        }
        _ => return false,
    }
    true
}
