//! How long a test may wait. A deadline only gives up; it never grades.

use std::env;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use instruments::{Autopsy, Process, explain};

use crate::Lesson;

/// Seconds after which a test is given up, from the environment or this.
const USUAL: Duration = Duration::from_secs(10);

/// More sentences of an autopsy than this hide the message.
const MOST_LINES: usize = 8;

/// When the body of the test began, in the process that runs it.
static BODY_BEGAN: OnceLock<Instant> = OnceLock::new();

/// The time a whole test has: `COACH_DEADLINE` in seconds, 10 if it is not set.
pub(crate) fn for_a_test() -> Duration {
    let asked = env::var("COACH_DEADLINE")
        .ok()
        .and_then(|text| text.parse::<f64>().ok());
    asked
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or(USUAL)
}

/// Starts the clock of the test that runs in this process.
pub(crate) fn body_begins() {
    BODY_BEGAN.get_or_init(Instant::now);
}

/// One wait inside a test. All waits of a test share most of the test's time, so that the one
/// that hangs gives up, with its own words, before the whole test is given up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    began: Instant,
    until: Instant,
}

impl Wait {
    pub(crate) fn begin() -> Self {
        let began = Instant::now();
        let until = match BODY_BEGAN.get() {
            Some(body) => *body + for_a_test().mul_f64(0.8),
            None => began + for_a_test(),
        };
        Self { began, until }
    }

    pub(crate) fn is_over(self) -> bool {
        Instant::now() >= self.until
    }

    pub(crate) fn left(self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    /// `still waiting after 10 s`.
    pub(crate) fn in_words(self) -> String {
        still_waiting(self.began.elapsed())
    }
}

pub(crate) fn still_waiting(time: Duration) -> String {
    format!(
        "still waiting after {} s",
        (time.as_secs_f64() * 10.0).round() / 10.0
    )
}

/// Waits until `holds`: asks the kernel again and again, and gives up with an autopsy of all
/// processes that this test has started. `what` is what the test waits for.
#[track_caller]
pub fn wait_until(lesson: &Lesson, what: &str, mut holds: impl FnMut() -> bool) {
    let wait = Wait::begin();
    while !holds() {
        if wait.is_over() {
            let children: Vec<i32> = Process::current()
                .children()
                .into_iter()
                .map(Process::pid)
                .collect();
            lesson.fail(&autopsy(&children), what, wait.in_words());
        }
        sleep(Duration::from_millis(1));
    }
}

/// Why these process trees do not move, one sentence a line.
pub(crate) fn autopsy(pids: &[i32]) -> String {
    in_words(explain(pids))
}

/// An autopsy as a message tells it.
pub(crate) fn in_words(autopsy: Autopsy) -> String {
    let mut lines = autopsy.lines;
    if lines.is_empty() {
        return "no process is left that could be waited for".to_owned();
    }
    if let more @ 1.. = lines.len().saturating_sub(MOST_LINES) {
        lines.truncate(MOST_LINES);
        lines.push(format!("and {more} more"));
    }
    if autopsy.all_asleep_without_timer {
        lines.push("nothing runs and no timer is set: this never ends by itself".to_owned());
    }
    lines.join("\n")
}
