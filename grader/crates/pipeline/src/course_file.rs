//! `course.toml`: a course's own rules, read with care. Whatever is wrong is named with file, line
//! and key, because a rule that is silently ignored is a wrong mark.

mod form;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use model::{Change, LabPolicy, LateRule, Override, Policy, Rubric, TestPolicy};
use toml::Spanned;
use toml::value::Datetime;

use form::{Changed, CourseFile};

/// A commented example with every key there is.
pub const EXAMPLE_COURSE: &str = include_str!("course.example.toml");

/// Why a `course.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CourseFileError {
    /// It is not readable.
    #[error("cannot read {path}: {error}; `cargo lab report --example-course` shows one")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The kernel's answer.
        error: io::Error,
    },
    /// Something in it is wrong.
    #[error("{path} line {line}, {key}: {reason}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key, in words.
        key: String,
        /// What is wrong, and what could stand there.
        reason: String,
    },
}

/// The rules in the run folder, or none if there is no `course.toml`.
pub(crate) fn of_run(
    run: &Path,
    rubrics: &[Rubric],
    ids: &[String],
) -> Result<Policy, CourseFileError> {
    let path = run.join("course.toml");
    match path.exists() {
        true => read(&path, rubrics, ids),
        false => Ok(Policy::default()),
    }
}

/// The rules in a file, for these labs and submissions.
pub(crate) fn read(
    path: &Path,
    rubrics: &[Rubric],
    ids: &[String],
) -> Result<Policy, CourseFileError> {
    let text = fs::read_to_string(path).map_err(|error| CourseFileError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    parse(&text, rubrics, ids).map_err(|(span, reason)| {
        let (line, key) = place(&text, &span);
        CourseFileError::Wrong {
            path: path.to_owned(),
            line,
            key,
            reason,
        }
    })
}

/// What is wrong, and where in the text.
type Wrong = (Range<usize>, String);

fn parse(text: &str, rubrics: &[Rubric], ids: &[String]) -> Result<Policy, Wrong> {
    let file: CourseFile = toml::from_str(text)
        .map_err(|error| (error.span().unwrap_or(0..0), error.message().to_owned()))?;
    let names = Names { rubrics, ids };
    let mut policy = Policy {
        reveal: file.reveal,
        unavailable: file.unavailable,
        late: LateRule {
            free_days: file.late.free_days,
            penalty_percent: file.late.penalty_percent.0,
            max_penalty_percent: file.late.max_penalty_percent.map_or(100, |most| most.0),
        },
        ..Policy::default()
    };
    let mut deadlines = BTreeMap::new();
    for (name, lab) in &file.labs {
        let rubric = names.lab(name)?;
        let mut tests = BTreeMap::new();
        for (id, test) in &lab.tests {
            names.test(rubric, id)?;
            let (points, reveal) = (test.points, test.reveal);
            tests.insert(id.get_ref().clone(), TestPolicy { points, reveal });
        }
        if let Some(deadline) = &lab.deadline {
            deadlines.insert(name.get_ref().as_str(), instant(deadline)?);
        }
        let (weight, reveal) = (lab.weight, lab.reveal);
        let rules = LabPolicy {
            weight,
            reveal,
            tests,
        };
        policy.labs.insert(name.get_ref().clone(), rules);
    }
    for (id, labs) in &file.handed_in {
        names.submission(id)?;
        for (lab, time) in labs {
            names.lab(lab)?;
            let Some(deadline) = deadlines.get(lab.get_ref().as_str()) else {
                let reason = format!("[labs.{}] has no deadline to compare with", lab.get_ref());
                return Err((lab.span(), reason));
            };
            let late_by = instant(time)?.duration_since(*deadline).as_secs();
            let days = late_days(late_by, file.late.grace_minutes);
            let key = (id.get_ref().clone(), lab.get_ref().clone());
            policy.late_days.insert(key, days);
        }
    }
    let mut weighed = rubrics.to_vec();
    policy.weigh(&mut weighed);
    let names = Names {
        rubrics: &weighed,
        ids,
    };
    let mut changed = BTreeSet::new();
    for change in file.overrides {
        let span = change.span();
        let change = overridden(change, &names)?;
        let of_test = match &change.change {
            Change::Test(id, _) => Some(id.clone()),
            Change::Lab(_) => None,
            Change::LateDays(_) => Some(String::new()),
        };
        let target = (change.submission.clone(), change.lab.clone(), of_test);
        if !changed.insert(target) {
            return Err((span, "a second override of the same mark".into()));
        }
        policy.overrides.push(change);
    }
    Ok(policy)
}

fn overridden(change: Spanned<Changed>, names: &Names<'_>) -> Result<Override, Wrong> {
    let span = change.span();
    let change = change.into_inner();
    names.submission(&change.submission)?;
    let rubric = names.lab(&change.lab)?;
    for text in [&change.author, &change.reason] {
        if text.get_ref().trim().is_empty() {
            return Err((
                text.span(),
                "says who changed a mark or why: not empty".into(),
            ));
        }
    }
    let at_most = |points: &Spanned<u32>, most: u32| match *points.get_ref() {
        points if points <= most => Ok(points),
        more => Err((
            points.span(),
            format!("{more} is more than all {most} points"),
        )),
    };
    let what = match (&change.test, &change.points, change.late_days) {
        (None, None, Some(days)) => Change::LateDays(days),
        (None, Some(points), None) => Change::Lab(at_most(points, rubric.max_score())?),
        (Some(test), Some(points), None) => {
            let most = names.test(rubric, test)?;
            Change::Test(test.get_ref().clone(), at_most(points, most)?)
        }
        _ => {
            let reason = "an override sets either `points`, of the lab or of one `test`, or \
                          `late_days` of the lab";
            return Err((span, reason.into()));
        }
    };
    Ok(Override {
        submission: change.submission.into_inner(),
        lab: change.lab.into_inner(),
        change: what,
        author: change.author.into_inner(),
        reason: change.reason.into_inner(),
    })
}

/// Every begun day beyond the grace counts.
fn late_days(late_by_secs: i64, grace_minutes: u32) -> u32 {
    let secs = late_by_secs - i64::from(grace_minutes) * 60;
    match secs {
        ..=0 => 0,
        secs => u32::try_from((secs + 86_399) / 86_400).unwrap_or(u32::MAX),
    }
}

fn instant(time: &Spanned<Datetime>) -> Result<jiff::Timestamp, Wrong> {
    time.get_ref().to_string().parse().map_err(|_| {
        let reason = "a date, a time and an offset are needed: 2026-10-12T23:59:00+02:00";
        (time.span(), reason.to_owned())
    })
}

/// What there is in this run.
struct Names<'a> {
    rubrics: &'a [Rubric],
    ids: &'a [String],
}

impl Names<'_> {
    fn lab(&self, name: &Spanned<String>) -> Result<&Rubric, Wrong> {
        let found = self
            .rubrics
            .iter()
            .find(|rubric| rubric.lab == *name.get_ref());
        found.ok_or_else(|| {
            let known = some_of(self.rubrics.iter().map(|rubric| rubric.lab.as_str()));
            let reason = format!(
                "this run has no lab called {}; there are {known}",
                name.get_ref()
            );
            (name.span(), reason)
        })
    }

    /// The points of a test.
    fn test(&self, rubric: &Rubric, id: &Spanned<String>) -> Result<u32, Wrong> {
        let row = rubric.rows.iter().find(|row| row.id == *id.get_ref());
        row.map(|row| row.points).ok_or_else(|| {
            let known = some_of(rubric.rows.iter().map(|row| row.id.as_str()));
            let (lab, id_text) = (&rubric.lab, id.get_ref());
            let reason = format!("{lab} has no test called {id_text}; there are {known}");
            (id.span(), reason)
        })
    }

    fn submission(&self, id: &Spanned<String>) -> Result<(), Wrong> {
        if self.ids.contains(id.get_ref()) {
            return Ok(());
        }
        let known = some_of(self.ids.iter().map(String::as_str));
        let reason = format!(
            "no submission is called {}; there are {known}",
            id.get_ref()
        );
        Err((id.span(), reason))
    }
}

/// The first names, and how many more there are.
pub(crate) fn some_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    match names.len() {
        0 => "none".into(),
        1..=30 => names.join(", "),
        n => format!("{} and {} more", names[..30].join(", "), n - 30),
    }
}

/// The line of a span, from 1, and the key or table that it belongs to.
fn place(text: &str, span: &Range<usize>) -> (usize, String) {
    let (before, _) = text.split_at_checked(span.start).unwrap_or((text, ""));
    let at = text.get(span.clone()).unwrap_or_default();
    let after = text.get(span.end..).unwrap_or_default();
    let n_line = before.matches('\n').count();
    let line = text.lines().nth(n_line).unwrap_or_default().trim();
    let before = before.rsplit('\n').next().unwrap_or_default().trim_end();
    let key = if after.trim_start().starts_with('=') {
        // The span is the key itself.
        format!("key `{at}`")
    } else if let Some(keys) = before.strip_suffix('=') {
        // It is a value: its key is the last word before, also in `{ a = 1, b = 2 }`.
        let last = keys.trim_end().rsplit(['{', ',', ' ']).next();
        format!("key `{}`", last.unwrap_or_default())
    } else if line.starts_with('[') {
        format!("table {line}")
    } else {
        let key = line.split('=').next().unwrap_or_default();
        format!("key `{}`", key.trim())
    };
    (n_line + 1, key)
}

#[cfg(test)]
mod tests;
