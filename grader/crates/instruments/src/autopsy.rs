//! Why a process tree does not move: one sentence a process, in the kernel's own words.
//!
//! Diagnose before killing, and without stopping first: both falsify the states. Two looks a
//! tenth of a second apart tell a process that is blocked from one that spins or polls. What
//! cannot be read is left out; nothing here panics, or blocks for longer than that tenth and
//! what a [closer look](look) at restless threads takes.

mod blocked;
mod calls;
mod children;
mod circle;
mod files;
mod futex;
mod futex_word;
mod locks;
mod look;
mod pipes;
mod polls;
mod scene;
mod signals;
mod sock_diag;
mod socket_table;
mod sockets;
mod sysv;
mod tcp_socket;
mod timeouts;
mod unix_socket;

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::proc::{Activity, Process, State, Thread};
use blocked::Blocked;
pub(crate) use calls::name as call_name;
use look::{FirstLook, Look};
use scene::Scene;

/// Between the two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// More wake-ups than this between the looks are polling.
const POLLING: u64 = 3;

/// More lines for the threads of one process than this would hide the others.
const MOST_LINES: usize = 6;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Autopsy {
    /// One sentence a process, parents first; a process with several threads has one a thread.
    /// If some of them wait for each other in a circle, the first line tells that circle.
    pub lines: Vec<String>,
    /// Nothing runs, and every sleeper waits for an event without a time limit: a deadlock, not
    /// a slow program, unless somebody outside the trees sends the event.
    pub all_asleep_without_timer: bool,
}

/// Explains the processes with these numbers and all their descendants.
pub fn explain(roots: &[i32]) -> Autopsy {
    let before = look::first(&scene::members(roots));
    let began = Instant::now();
    sleep(BETWEEN_LOOKS);
    let scene = Scene::new(roots);
    let mut autopsy = Autopsy::default();
    let mut motionless = 0;
    let mut moving = 0;
    let mut waiters = Vec::new();
    for &process in scene.members() {
        let findings: Vec<(Thread, Finding)> = process
            .threads()
            .into_iter()
            .filter_map(|thread| {
                let earlier = before.iter().find(|look| look.thread == thread);
                Some((thread, examine(&scene, process, thread, earlier, began)?))
            })
            .collect();
        let called = |thread: Thread| match thread.is_main() {
            true => scene.who(process),
            false => {
                let name = thread.name().unwrap_or_default();
                format!("{}, thread {name},", scene.who(process))
            }
        };
        // A thread that only waits for another one explains nothing when that one is shown.
        let is_explained = findings
            .iter()
            .any(|(_, finding)| !finding.waits_for_thread);
        let mut n_lines = 0;
        for (thread, finding) in findings {
            match finding.motion {
                Motion::None => {
                    motionless += 1;
                    waiters.extend(finding.call.map(|(call, awaited)| circle::Waiter {
                        thread,
                        name: format!("{}, in {call}", called(thread).trim_end_matches(',')),
                        awaited,
                    }));
                }
                Motion::Possible => moving += 1,
                Motion::Ended => {}
            }
            if is_explained && finding.waits_for_thread {
                continue;
            }
            n_lines += 1;
            if n_lines <= MOST_LINES {
                let sentence = finding.what.sentence();
                autopsy.lines.push(format!("{} {sentence}", called(thread)));
            }
        }
        if let more @ 1.. = n_lines.saturating_sub(MOST_LINES) {
            let who = scene.who(process);
            autopsy.lines.push(format!("{who} has {more} more threads"));
        }
    }
    // The reason comes before what follows from it.
    if let Some(circle) = circle::sentence(&waiters) {
        autopsy.lines.insert(0, circle);
    }
    autopsy.all_asleep_without_timer = motionless > 0 && moving == 0;
    autopsy
}

/// What one thread does.
struct Finding<'a> {
    what: What<'a>,
    motion: Motion,
    /// It sleeps until another thread of its process ends or speaks.
    waits_for_thread: bool,
    /// The call it is blocked in, and who could end that.
    call: Option<(String, Vec<Thread>)>,
}

/// The sentence about a thread, which is only made if it is told.
enum What<'a> {
    Told(String),
    Blocked { call: Blocked<'a>, polling: String },
}

impl What<'_> {
    /// Follows the name of the process.
    fn sentence(self) -> String {
        match self {
            Self::Told(sentence) => sentence,
            Self::Blocked { call, polling } => call.explain() + &polling,
        }
    }
}

/// Whether a thread may go on by itself.
enum Motion {
    None,
    Possible,
    Ended,
}

fn examine<'a>(
    scene: &'a Scene,
    process: Process,
    thread: Thread,
    earlier: Option<&FirstLook>,
    began: Instant,
) -> Option<Finding<'a>> {
    let finding = |sentence: String, motion| {
        Some(Finding {
            what: What::Told(sentence),
            motion,
            waits_for_thread: false,
            call: None,
        })
    };
    let look = Look::second(thread, earlier, began)?;
    match look.state {
        State::Zombie => return finding(children::zombie(scene, process), Motion::Ended),
        State::Dead => return None,
        State::Stopped => {
            return finding(
                "is stopped by a signal (SIGSTOP, SIGTSTP or a relative) until somebody sends \
                 SIGCONT"
                    .to_owned(),
                Motion::None,
            );
        }
        State::Traced => return finding("is held by a debugger".to_owned(), Motion::Possible),
        State::Running | State::Asleep | State::Uninterruptible => {}
    }
    let passed = began.elapsed().as_millis();
    if look.is_running() {
        let used = earlier.and_then(FirstLook::used);
        let cpu = used.map_or(String::new(), |used| {
            format!(": it used {} ms of CPU in {passed} ms", used.as_millis())
        });
        let sentence = format!(
            "is running{cpu}, an endless loop, busy waiting or hard \
             work, not a blocked call"
        );
        return finding(sentence, Motion::Possible);
    }
    let Some(Activity::Inside(call)) = look.activity else {
        let place = thread
            .kernel_function()
            .map_or(String::new(), |name| format!(" in {name}"));
        return finding(
            format!("sleeps in the kernel{place}; its call cannot be read"),
            Motion::Possible,
        );
    };
    let blocked = Blocked::new(scene, process, thread, call);
    let polling = match look.woke {
        0..=POLLING => String::new(),
        _ => format!(
            ". It woke {} times in {passed} ms: it polls instead of waiting for an event",
            look.woke
        ),
    };
    // One that was not there at the first look has just been born: things move.
    let still = earlier.is_some()
        && look.woke == 0
        && look.state == State::Asleep
        && !timeouts::may_end_by_itself(process, &blocked);
    let motion = if still {
        Motion::None
    } else {
        Motion::Possible
    };
    Some(Finding {
        motion,
        waits_for_thread: futex::waits_for_thread(&blocked),
        call: still.then(|| (blocked.name.clone(), circle::awaited(&blocked))),
        what: What::Blocked {
            call: blocked,
            polling,
        },
    })
}
