//! Live progress: a bar on a terminal, plain lines otherwise.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use model::LabStatus;
use pipeline::Event;

use crate::show;

/// What the person in front sees while a class is graded.
pub(crate) struct Progress {
    quiet: bool,
    /// There from the first seat on: before that cargo may be talking.
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            bar: OnceLock::new(),
        }
    }

    fn start_bar(&self, n_seats: usize, n_done_before: usize) {
        if self.quiet || !std::io::stderr().is_terminal() {
            return;
        }
        let style = "{spinner} {pos}/{len} labs [{bar:30}] {elapsed} eta {eta}  {wide_msg}";
        let style = ProgressStyle::with_template(style).expect("the template is well formed");
        let bar = ProgressBar::new(n_seats as u64).with_style(style);
        bar.set_position(n_done_before as u64);
        bar.enable_steady_tick(Duration::from_millis(200));
        let _ = self.bar.set(bar);
    }

    pub(crate) fn show(&self, event: &Event) {
        match event {
            Event::Preparing => self.say("preparing dependencies and hidden tests"),
            Event::JournalRepaired => {
                self.say("the journal's last record was cut short and has been dropped");
            }
            Event::Started {
                n_seats,
                n_done_before,
            } => {
                self.start_bar(*n_seats, *n_done_before);
                if *n_done_before > 0 {
                    self.say(&format!(
                        "resuming: {n_done_before} of {n_seats} labs are done"
                    ));
                }
            }
            Event::SeatStarted { submission, lab } => {
                if let Some(bar) = self.bar.get() {
                    bar.set_message(format!("{submission} {lab}"));
                }
            }
            Event::TestDone {
                submission,
                lab,
                test,
                outcome,
            } => {
                if let Some(bar) = self.bar.get() {
                    bar.set_message(format!("{submission} {lab} {test} {outcome}"));
                }
            }
            Event::SeatDone {
                submission,
                lab,
                status,
                score,
                max_score,
            } => {
                if let Some(bar) = self.bar.get() {
                    bar.inc(1);
                } else {
                    let mark = match status {
                        LabStatus::Graded => format!("{score}/{max_score}"),
                        status => status.name().to_owned(),
                    };
                    self.say(&format!("{submission} {lab} {mark}"));
                }
            }
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }

    fn say(&self, text: &str) {
        match self.bar.get() {
            _ if self.quiet => {}
            Some(bar) => bar.println(text),
            None => show::status(text),
        }
    }
}
