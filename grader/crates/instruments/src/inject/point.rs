//! A point in the life of a program: *the third read of the hub on a pipe*.

use std::fmt;
use std::ops::RangeInclusive;

use crate::inject::{Calls, Log, On, Target};

/// Which calls are meant. Without more, it is the first call of its family in each process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    pub(crate) calls: Calls,
    pub(crate) on: Option<On>,
    pub(crate) fd: Option<i32>,
    pub(crate) name: Option<String>,
    pub(crate) argument: Option<(usize, &'static [u64])>,
    pub(crate) by: Option<String>,
    pub(crate) count: RangeInclusive<u32>,
}

impl Point {
    pub(crate) fn new(calls: Calls) -> Self {
        Self {
            calls,
            on: None,
            fd: None,
            name: None,
            argument: None,
            by: None,
            count: 1..=1,
        }
    }

    /// Only calls on this kind of object.
    pub fn on(mut self, kind: On) -> Self {
        self.on = Some(kind);
        self
    }

    /// Only calls on this descriptor.
    pub fn fd(mut self, number: i32) -> Self {
        self.fd = Some(number);
        self
    }

    /// Only calls on an object whose name ends like this: the path of a file or FIFO.
    pub fn named(mut self, ending: impl Into<String>) -> Self {
        self.name = Some(ending.into());
        self
    }

    /// Only calls whose argument at this place, from 0, is one of these values.
    pub fn argument(mut self, place: usize, values: &'static [u64]) -> Self {
        self.argument = Some((place, values));
        self
    }

    /// Only calls of this process: the role of a program, or `ROLE/1` for its first descendant.
    pub fn by(mut self, role: impl Into<String>) -> Self {
        self.by = Some(role.into());
        self
    }

    /// The `n`-th of these calls in a process, from 1.
    pub fn nth(mut self, n: u32) -> Self {
        self.count = n..=n;
        self
    }

    /// From the first to the last of these calls in a process, counted from 1.
    pub fn counts(mut self, range: RangeInclusive<u32>) -> Self {
        self.count = range;
        self
    }

    /// All of these calls.
    pub fn every(self) -> Self {
        self.counts(1..=u32::MAX)
    }

    /// Whether a call is one of those meant, its count aside.
    pub(crate) fn matches(
        &self,
        role: &str,
        call: i64,
        args: &[u64; 6],
        target: Option<&Target>,
    ) -> bool {
        let of_target = |holds: &dyn Fn(&Target) -> bool| target.is_some_and(holds);
        self.calls.contains(call)
            && (self.argument).is_none_or(|(place, values)| values.contains(&args[place]))
            && self.by.as_ref().is_none_or(|by| by == role)
            && self.on.is_none_or(|on| of_target(&|it| it.on == on))
            && self.fd.is_none_or(|fd| of_target(&|it| it.fd == Some(fd)))
            && (self.name.as_ref()).is_none_or(|end| of_target(&|it| it.name.ends_with(end)))
    }

    /// How many calls of this kind a log holds, whatever their count.
    pub fn n_in(&self, log: &Log) -> usize {
        log.matching(self).count()
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count.start(), self.count.end()) {
            (1, &u32::MAX) => write!(f, "every {}", self.calls.name)?,
            (first, last) if first == last => write!(f, "{} {first}", self.calls.name)?,
            (first, last) => write!(f, "{} {first} to {last}", self.calls.name)?,
        }
        if let Some(on) = self.on {
            write!(f, " on a {}", on.name())?;
        }
        if let Some(fd) = self.fd {
            write!(f, " on descriptor {fd}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " on {name}")?;
        }
        if let Some(by) = &self.by {
            write!(f, " by {by}")?;
        }
        Ok(())
    }
}
