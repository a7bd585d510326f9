//! Recorded programs: rules for their system calls, the log, and what became of the rules.

use std::sync::Arc;

use instruments::inject::{Log, Point, Recorder, Rule};

use crate::blame::{Instrument, for_want_of};
use crate::{Bench, Check, Launch};

/// Records the system calls of the programs that are started with it, and applies rules to them.
/// Clones are the same watch.
#[derive(Clone, Debug)]
pub struct Watch {
    recorder: Arc<Recorder>,
}

impl Watch {
    pub(crate) fn new(recorder: Recorder) -> Self {
        Self {
            recorder: Arc::new(recorder),
        }
    }

    /// What was recorded so far, in the order of the calls.
    pub fn log(&self) -> Log {
        self.recorder.log()
    }

    /// Writes what the test has found beside a call of the log, for the timeline of the message.
    pub fn remark(&self, place: usize, text: &str) {
        self.recorder.remark(place, text);
    }

    /// How often each rule took effect so far.
    pub fn fired(&self) -> Vec<u32> {
        let reports = self.recorder.reports();
        reports.iter().map(|report| report.n_fired).collect()
    }

    /// Rules that had to take effect and did not.
    pub(crate) fn missed(&self) -> Vec<String> {
        let reports = self.recorder.reports().into_iter();
        reports
            .filter(|report| report.is_missing())
            .map(|report| format!("{} (calls like that: {})", report.rule, report.n_matching))
            .collect()
    }

    /// What rules demanded and this machine did not give.
    pub(crate) fn troubles(&self) -> Vec<String> {
        self.recorder.troubles()
    }

    /// What a program needs to be watched in this role.
    pub(crate) fn admit(&self, role: &str) -> Check<sandbox::Watch> {
        Ok(sandbox::Watch {
            calls: self.recorder.calls().to_vec(),
            socket: self.recorder.admit(role)?.into(),
            cpu: self.recorder.cpu(),
        })
    }
}

impl Bench {
    /// Watches the system calls of several programs together, each started with
    /// [`Launch::watched`], applies `rules` to them and records the calls of `also`, too.
    pub fn watch<R: IntoIterator<Item = Rule>>(&self, rules: R, also: &[Point]) -> Check<Watch> {
        let recorder = Recorder::start(rules.into_iter().collect(), also)?;
        Ok(self.session.watch(recorder))
    }

    /// Watches what these calls return, which takes tracing the programs.
    pub fn watch_results(&self, calls: &[Point]) -> Check<Watch> {
        let recorder = Recorder::with_results(Vec::new(), calls)?;
        Ok(self.session.watch(recorder))
    }

    /// What was recorded so far by [`watch_results`](Self::watch_results). The test ends as
    /// unavailable where nobody may trace.
    pub fn results(&self, watch: &Watch) -> Check<Log> {
        match watch.recorder.no_results() {
            None => Ok(watch.log()),
            Some(text) => Err(for_want_of(&self.session, Instrument::Tracing, text)),
        }
    }
}

impl Launch {
    /// Applies these rules to the system calls of the program and of all that it starts.
    pub fn inject(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules.extend(rules);
        self
    }

    /// Records these calls of the program and of all that it starts, to be shown when the test
    /// fails. Calls that rules are about are recorded anyway.
    pub fn record(mut self, calls: impl IntoIterator<Item = Point>) -> Self {
        self.recorded.extend(calls);
        self
    }

    /// Records the program beside others, under a role that points can name. While it waits for the
    /// recorder it is asleep, so its sleep tells nothing of what it has done.
    pub fn watched(mut self, watch: &Watch, role: &str) -> Self {
        self.watch = Some((watch.clone(), role.to_owned()));
        self
    }

    /// The watch and the role that the program is to be started with, if any.
    pub(crate) fn watch_and_role(&mut self) -> Check<Option<(Watch, String)>> {
        if let Some(given) = self.watch.take() {
            return Ok(Some(given));
        }
        if self.rules.is_empty() && self.recorded.is_empty() {
            return Ok(None);
        }
        let recorder = Recorder::start(std::mem::take(&mut self.rules), &self.recorded)?;
        let watch = self.session.watch(recorder);
        let name = self.argv[0].rsplit('/').next().unwrap_or_default();
        Ok(Some((watch, name.to_owned())))
    }
}
