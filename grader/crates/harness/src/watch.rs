//! Recorded programs: rules for their system calls, the log, and what became of the rules.

use std::sync::Arc;

use instruments::inject::{Log, Point, Recorder, Rule};

use crate::{Check, Launch};

/// Records the system calls of the programs that are started with it, and applies rules to them.
/// Clones are the same watch.
#[derive(Clone, Debug)]
pub struct Watch {
    recorder: Arc<Recorder>,
}

impl Watch {
    pub(crate) fn start(rules: Vec<Rule>, also: &[Point]) -> Check<Self> {
        Ok(Self {
            recorder: Arc::new(Recorder::start(rules, also)?),
        })
    }

    /// What was recorded so far, in the order of the calls.
    pub fn log(&self) -> Log {
        self.recorder.log()
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

    /// Records the program beside others, under a role that points can name.
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
        let watch = self
            .session
            .watch(std::mem::take(&mut self.rules), &self.recorded)?;
        let name = self.argv[0].rsplit('/').next().unwrap_or_default();
        Ok(Some((watch, name.to_owned())))
    }
}
