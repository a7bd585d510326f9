//! What happens at a point.

use std::fmt;
use std::time::Duration;

use nix::errno::Errno;

use crate::inject::Point;

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It fails with `EINTR`, as if a signal handler had interrupted it. Polls that do not wait are
    /// not counted.
    Eintr,
    /// It fails with this error.
    Fails(Errno),
    /// It moves at most so many bytes. Calls that ask for no more are not counted, nor are those
    /// with an address or with control data.
    Short(usize),
    /// It waits so long before it is made.
    Delayed(Duration),
    /// The process gets this signal and handles it just before the call. If the signal is
    /// blocked it is pending during the call. Calls that do not sleep, and calls before the
    /// process catches or blocks the signal, are not counted.
    Signal(i32),
    /// It waits for something before it is made, or until nobody moves any more.
    HeldUntil(Until),
}

/// What ends a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    /// A process has come to this point, now or before.
    Reached(Box<Point>),
    /// The process of this role has ended.
    Ended(String),
}

/// A point and what happens there.
#[derive(Clone, PartialEq, Eq)]
pub struct Rule {
    pub(crate) point: Point,
    pub(crate) effect: Effect,
    pub(crate) is_optional: bool,
}

/// At this point, this happens.
pub fn inject(point: Point, effect: Effect) -> Rule {
    Rule {
        point,
        effect,
        is_optional: false,
    }
}

/// Whoever comes to its point first waits there for the other.
pub fn meet(one: Point, other: Point) -> [Rule; 2] {
    let hold = |at: &Point, until: &Point| {
        let until = Until::Reached(Box::new(until.clone()));
        inject(at.clone(), Effect::HeldUntil(until))
    };
    [hold(&one, &other), hold(&other, &one)]
}

impl Rule {
    /// Not every program comes to this point: that it was not reached is no fault of the test.
    pub fn if_reached(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// What happens.
    pub fn effect(&self) -> &Effect {
        &self.effect
    }

    /// Where it happens.
    pub fn point(&self) -> &Point {
        &self.point
    }
}

/// One rule can be given where several can.
impl IntoIterator for Rule {
    type Item = Rule;
    type IntoIter = std::iter::Once<Rule>;

    fn into_iter(self) -> Self::IntoIter {
        std::iter::once(self)
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eintr => write!(f, "EINTR"),
            Self::Fails(errno) => write!(f, "{errno:?}"),
            Self::Short(length) => write!(f, "at most {length} bytes"),
            Self::Delayed(time) => write!(f, "{} ms late", time.as_millis()),
            Self::Signal(signal) => write!(f, "signal {signal} just before"),
            Self::HeldUntil(Until::Reached(point)) => write!(f, "held until {point}"),
            Self::HeldUntil(Until::Ended(role)) => write!(f, "held until {role} has ended"),
        }
    }
}

/// As people write it: rules are shown in the smallest failing case of a property.
impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.point, self.effect)
    }
}
