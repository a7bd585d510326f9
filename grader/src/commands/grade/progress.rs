//! Live progress: bars on a terminal, plain lines otherwise.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use model::LabStatus;
use pipeline::Event;

use super::tally::Tally;
use crate::cli::GradeArgs;
use crate::show;

/// How what happens is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Quiet,
    Plain,
    Bars,
}

/// What the person in front sees while a class is graded.
pub(crate) struct Progress {
    mode: Mode,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tally: Tally,
    /// There from the first seat on: before that cargo may be talking.
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    /// One line for each lab that a worker is at.
    workers: BTreeMap<(String, String), ProgressBar>,
}

const TICK: Duration = Duration::from_millis(200);

impl Progress {
    pub(crate) fn new(args: &GradeArgs) -> Self {
        let mode = match () {
            () if args.quiet => Mode::Quiet,
            () if args.plain || !std::io::stderr().is_terminal() => Mode::Plain,
            () => Mode::Bars,
        };
        Self {
            mode,
            state: Mutex::default(),
        }
    }

    pub(crate) fn show(&self, event: &Event) {
        let mut state = self.state();
        state.tally.add(event);
        if let Event::Started { .. } = event
            && self.mode == Mode::Bars
        {
            state.bars = Some(Bars::new(&state.tally));
        }
        if let Some(text) = self.line(event, &state) {
            match &state.bars {
                _ if self.mode == Mode::Quiet => {}
                Some(bars) => {
                    let _ = bars.all.println(text);
                }
                None => show::status(text),
            }
        }
        let State { tally, bars } = &mut *state;
        if let Some(bars) = bars {
            bars.show(event, tally);
        }
    }

    /// What an event adds to the scrolling text.
    fn line(&self, event: &Event, state: &State) -> Option<String> {
        match event {
            Event::Preparing => Some("preparing dependencies and hidden tests".into()),
            Event::JournalRepaired => Some(
                "the journal's last record was cut short and has been dropped; what it was about \
                 is graded again"
                    .into(),
            ),
            Event::Started {
                n_seats,
                n_done_before,
            } if *n_done_before > 0 => Some(format!(
                "resuming: {n_done_before} of {n_seats} labs are done"
            )),
            Event::SeatDone {
                submission,
                lab,
                status,
                score,
                max_score,
            } if self.mode == Mode::Plain => {
                let mark = match status {
                    LabStatus::Graded => format!("{score}/{max_score}"),
                    status => status.name().to_owned(),
                };
                let Tally {
                    n_done, n_seats, ..
                } = &state.tally;
                Some(format!("[{n_done}/{n_seats}] {submission} {lab} {mark}"))
            }
            _ => None,
        }
    }

    /// Takes the bars away; how many labs are done, of how many.
    pub(crate) fn finish(&self) -> (usize, usize) {
        let mut state = self.state();
        if let Some(bars) = state.bars.take() {
            let _ = bars.all.clear();
        }
        (state.tally.n_done, state.tally.n_seats)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }
}

impl Bars {
    fn new(tally: &Tally) -> Self {
        let all = MultiProgress::new();
        let total = all.add(ProgressBar::new(tally.n_seats as u64));
        total.set_style(style(
            "{pos}/{len} labs [{bar:30}] {elapsed} eta {eta}\n{wide_msg}",
        ));
        // Only what this call grades says how long the rest will take.
        total.set_position(tally.n_done as u64);
        total.reset_eta();
        total.enable_steady_tick(TICK);
        Self {
            all,
            total,
            workers: BTreeMap::new(),
        }
    }

    fn show(&mut self, event: &Event, tally: &Tally) {
        match event {
            Event::SeatStarted { submission, lab } => {
                let line = self
                    .all
                    .insert_before(&self.total, ProgressBar::no_length());
                line.set_style(style("  {spinner} {elapsed:>4} {wide_msg}"));
                line.set_message(format!("{submission} {lab}: building"));
                line.enable_steady_tick(TICK);
                self.workers.insert((submission.clone(), lab.clone()), line);
            }
            Event::TestDone {
                submission,
                lab,
                test,
                outcome,
            } => {
                if let Some(line) = self.workers.get(&(submission.clone(), lab.clone())) {
                    line.set_message(format!("{submission} {lab}: {test} {outcome}"));
                }
                self.total.set_message(tally.counts());
            }
            Event::SeatDone {
                submission, lab, ..
            } => {
                if let Some(line) = self.workers.remove(&(submission.clone(), lab.clone())) {
                    line.finish_and_clear();
                    self.all.remove(&line);
                }
                self.total.set_position(tally.n_done as u64);
                self.total.set_message(tally.counts());
            }
            Event::Preparing | Event::JournalRepaired | Event::Started { .. } => {}
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well formed")
}
