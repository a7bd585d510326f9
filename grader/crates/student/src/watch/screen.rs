//! What the watch shows: from what is known to rows, for any size of the window. Draws nothing.

use std::collections::BTreeMap;

use anstyle::Style;
use model::Outcome;

use crate::event::{Event, Progress, Tested, Walls};
use crate::show::{BAD, GOOD, QUIET, STRONG};
use crate::tree::{Hidden, Lab};
use crate::{hint, tell};

/// One row: pieces of text in their styles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) Vec<(Style, String)>);

const PLAIN: Style = Style::new();

/// Everything that is known.
pub(crate) struct Screen {
    lab: String,
    title: String,
    hidden: Hidden,
    state: State,
    /// The verdicts of the last check that told any, in order of the parts.
    tests: Vec<Tested>,
    /// Those of the check that runs.
    coming: Vec<Tested>,
    progress: Option<Progress>,
    walls: Option<Walls>,
    /// The test that the student chose to look at.
    chosen: Option<String>,
    /// How many hints are shown on a test.
    hints: BTreeMap<String, usize>,
}

enum State {
    Building,
    DoesNotCompile(String),
    Running { n_tests: usize, build_ms: u64 },
    Done { build_ms: u64, tests_ms: u64 },
    Failed(String),
}

impl Screen {
    /// Nothing is known yet.
    pub(crate) fn of(lab: &Lab) -> Self {
        Self {
            lab: lab.name.clone(),
            title: lab.about.title.clone(),
            hidden: lab.about.hidden.clone(),
            state: State::Building,
            tests: Vec::new(),
            coming: Vec::new(),
            progress: None,
            walls: None,
            chosen: None,
            hints: BTreeMap::new(),
        }
    }

    /// A check has been started.
    pub(crate) fn begins(&mut self) {
        self.state = State::Building;
        self.coming.clear();
    }

    /// Takes one event of the check.
    pub(crate) fn take(&mut self, event: Event) {
        match event {
            Event::Building { .. } => {}
            Event::NotBuilt { text, .. } => self.state = State::DoesNotCompile(text),
            Event::Running {
                n_tests,
                build_ms,
                walls,
                ..
            } => {
                self.walls = Some(walls);
                self.state = State::Running { n_tests, build_ms };
            }
            Event::Tested(tested) => self.coming.push(*tested),
            Event::Finished(progress) => {
                let build_ms = match self.state {
                    State::Running { build_ms, .. } => build_ms,
                    _ => 0,
                };
                let tests_ms = progress.tests_ms;
                self.state = State::Done { build_ms, tests_ms };
                self.tests = std::mem::take(&mut self.coming);
                self.tests.sort_by(|a, b| {
                    (a.taught.part, &a.taught.test).cmp(&(b.taught.part, &b.taught.test))
                });
                self.progress = Some(progress);
            }
        }
    }

    /// The check has ended; one that told no result has complained instead.
    pub(crate) fn ends(&mut self, complaint: String) {
        if matches!(self.state, State::Building | State::Running { .. }) {
            self.state = State::Failed(complaint);
        }
    }

    /// How far the student is, as of the last check.
    pub(crate) fn progress(&self) -> Option<&Progress> {
        self.progress.as_ref()
    }

    /// Whether the last check found nothing to do.
    pub(crate) fn is_all_green(&self) -> bool {
        let done = matches!(self.state, State::Done { .. });
        done && self.failing().next().is_none()
    }

    /// The name of the test that is shown.
    pub(crate) fn focus(&self) -> Option<String> {
        Some(self.shown()?.taught.test.clone())
    }

    /// Shows the failing test after the one that is shown.
    pub(crate) fn focus_next(&mut self) {
        let failing: Vec<&str> = self
            .failing()
            .map(|test| test.taught.test.as_str())
            .collect();
        let at = self
            .shown()
            .and_then(|shown| failing.iter().position(|test| *test == shown.taught.test));
        let next = at.map_or(0, |at| (at + 1) % failing.len());
        self.chosen = failing.get(next).map(|test| (*test).to_owned());
    }

    /// Shows the first `told` hints on a test from now on.
    pub(crate) fn tell_hints(&mut self, test: &str, told: usize) {
        self.hints.insert(test.to_owned(), told);
    }

    fn failing(&self) -> impl Iterator<Item = &Tested> {
        self.tests.iter().filter(|test| !test.is_pass())
    }

    /// The chosen test as long as it fails, else the first one that does.
    fn shown(&self) -> Option<&Tested> {
        let chosen = self.chosen.as_ref();
        let mut failing = self.failing();
        chosen
            .and_then(|chosen| self.failing().find(|test| test.taught.test == *chosen))
            .or_else(|| failing.next())
    }

    /// The rows of a window.
    pub(crate) fn rows(&self, width: usize, height: usize) -> Vec<Row> {
        let mut head = vec![self.heading(), self.marks(), self.status(), Row::default()];
        head.iter_mut().for_each(|row| row.clip(width));
        let foot = "h hint   n next   r run again   q quit";
        let mut foot = Row(vec![(QUIET, foot.to_owned())]);
        foot.clip(width);
        let room = height.saturating_sub(head.len() + 1);
        let mut body: Vec<Row> = self
            .body()
            .into_iter()
            .flat_map(|(style, text)| wrap(style, &text, width))
            .collect();
        if body.len() > room {
            body.truncate(room.saturating_sub(1));
            body.push(Row(vec![(
                QUIET,
                "… a taller window shows more".to_owned(),
            )]));
        }
        body.resize(room, Row::default());
        let mut rows: Vec<Row> = head.into_iter().chain(body).collect();
        rows.truncate(height.saturating_sub(1));
        rows.push(foot);
        rows
    }

    fn heading(&self) -> Row {
        Row(vec![(STRONG, format!("{}: {}", self.lab, self.title))])
    }

    /// One mark a test, in the order of the parts, and what they come to.
    fn marks(&self) -> Row {
        let mark = |test: &Tested| match test.verdict.outcome {
            Outcome::Pass => (GOOD, "● ".to_owned()),
            Outcome::NotAttempted => (QUIET, "○ ".to_owned()),
            _ => (BAD, "✗ ".to_owned()),
        };
        let mut pieces: Vec<_> = self.tests.iter().map(mark).collect();
        if let Some(progress) = &self.progress {
            let Progress { learnt, facts, .. } = progress;
            let style = if learnt == facts { GOOD } else { PLAIN };
            pieces.push((style, format!("  {learnt} of {facts} kernel facts learnt")));
        }
        Row(pieces)
    }

    fn status(&self) -> Row {
        let seconds = |ms: u64| format!("{:.2} s", ms as f64 / 1000.0);
        Row(vec![match &self.state {
            State::Building => (QUIET, "building …".to_owned()),
            State::DoesNotCompile(_) => (BAD, "does not compile".to_owned()),
            State::Running { n_tests, .. } => (
                QUIET,
                format!("running: {} of {n_tests} …", self.coming.len()),
            ),
            State::Done { build_ms, tests_ms } => {
                let text = format!(
                    "built in {}, tested in {}",
                    seconds(*build_ms),
                    seconds(*tests_ms)
                );
                (QUIET, text)
            }
            State::Failed(_) => (BAD, "the check did not run".to_owned()),
        }])
    }

    fn body(&self) -> Vec<(Style, String)> {
        let plain = |text: &str| (PLAIN, text.to_owned());
        match &self.state {
            State::DoesNotCompile(text) | State::Failed(text) => {
                return text.lines().map(plain).collect();
            }
            // The old verdicts stay until there are new ones: a screen that flickers is not read.
            State::Building | State::Running { .. } | State::Done { .. } => {}
        }
        let mut lines = Vec::new();
        if let Some(test) = self.shown() {
            let heading = format!(
                "part {}, {}: {}",
                test.taught.part,
                tell::word(test.verdict.outcome),
                test.taught.test
            );
            lines.push((BAD, heading));
            lines.extend(test.verdict.message.to_string().lines().map(plain));
            if !test.output.trim().is_empty() {
                lines.push(plain("  printed:"));
                let printed = test.output.trim_end().lines();
                lines.extend(printed.map(|line| (QUIET, format!("           {line}"))));
            }
            if let Some(told) = self.hints.get(&test.taught.test) {
                lines.push(plain(""));
                lines.extend(
                    hint::lines(&test.taught, *told)
                        .iter()
                        .map(|line| plain(line)),
                );
            }
        } else if let Some(progress) = &self.progress {
            lines.extend(
                tell::next(progress, &self.hidden)
                    .iter()
                    .map(|line| plain(line)),
            );
            lines.push(plain("n goes on with the next lab"));
        }
        if let Some(walls) = self
            .walls
            .as_ref()
            .filter(|walls| !walls.missing.is_empty())
        {
            lines.push(plain(""));
            lines.push((QUIET, tell::walls_in_words(walls)));
        }
        lines
    }
}

impl Row {
    /// Cuts off what is wider than the window, which would spoil every row below.
    fn clip(&mut self, width: usize) {
        let mut room = width;
        for (_, text) in &mut self.0 {
            let n_chars = text.chars().count();
            if n_chars > room {
                *text = text.chars().take(room).collect();
            }
            room -= n_chars.min(room);
        }
    }
}

/// `text` in rows of at most `width` characters; what follows the first is indented like a field
/// of a message.
fn wrap(style: Style, text: &str, width: usize) -> Vec<Row> {
    const INDENT: &str = "           ";
    let text = text.replace('\t', "    ");
    let row = |text: String| Row(vec![(style, text)]);
    let mut rows = Vec::new();
    let mut rest: Vec<char> = text.chars().collect();
    while rest.len() > width && width > INDENT.len() + 8 {
        let space = rest[..width].iter().rposition(|c| *c == ' ');
        let cut = space.filter(|at| *at > INDENT.len()).unwrap_or(width);
        let tail: Vec<char> = rest.split_off(cut);
        rows.push(row(rest.into_iter().collect()));
        let tail = tail.into_iter().skip_while(|c| *c == ' ');
        rest = INDENT.chars().chain(tail).collect();
    }
    let mut last = row(rest.into_iter().collect());
    last.clip(width);
    rows.push(last);
    rows
}
