//! Who runs first, and where it is interrupted.

use std::collections::HashSet;
use std::fmt;

use super::story::{Kind, Place, Story};

/// One schedule. Programs are counted from 0, in the order they were given or forked; accesses of
/// one program from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// `first` runs whenever it can, else the others in their order.
    InOrder {
        /// Who has precedence.
        first: usize,
    },
    /// `who` runs first and is held at one of its accesses until nobody else can go on.
    Held {
        /// Who is held.
        who: usize,
        /// Where.
        at: Point,
    },
    /// Precedence is drawn from a seed, and changes at accesses drawn from it.
    Random {
        /// Everything follows from it.
        seed: u64,
        /// At which accesses, counted over all programs, whoever runs goes to the end of the line.
        changes: Vec<u64>,
    },
    /// `who` runs first; its stores from one access on are not seen by the others until it has
    /// done some more loads and then waited until nobody else can go on.
    Delayed {
        /// Whose stores.
        who: usize,
        /// From which of its accesses on.
        access: u64,
        /// How many loads overtake them.
        loads: u32,
    },
}

/// A point in what a program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Just before this access.
    Before(u64),
    /// Just after this access. It is another point than before the next one where the program
    /// calls the kernel between the two.
    After(u64),
}

impl Plan {
    /// A plan with `n_changes` interruptions, drawn from `seed`, for programs that make about
    /// `n_accesses` accesses together.
    pub fn random(seed: u64, n_changes: usize, n_accesses: u64) -> Self {
        let mut random = Random(seed);
        let mut changes: Vec<u64> = (0..n_changes)
            .map(|_| 1 + random.below(n_accesses))
            .collect();
        changes.sort_unstable();
        changes.dedup();
        Self::Random { seed, changes }
    }

    /// What a program's precedence is when nothing has happened yet: the higher one runs.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn precedence(&self, program: usize) -> i64 {
        let in_order = -i64::try_from(program).unwrap_or(i64::MAX);
        match self {
            Self::InOrder { first: who } | Self::Held { who, .. } | Self::Delayed { who, .. } => {
                if *who == program {
                    1
                } else {
                    in_order
                }
            }
            Self::Random { seed, .. } => {
                let mut random = Random(seed.wrapping_add(1 + program as u64));
                random.below(1 << 32).cast_signed()
            }
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InOrder { first } => write!(f, "first {first}"),
            Self::Held { who, at } => match at {
                Point::Before(access) => write!(f, "hold {who} before access {access}"),
                Point::After(access) => write!(f, "hold {who} after access {access}"),
            },
            Self::Random { seed, changes } => {
                write!(f, "random {seed} with changes at {changes:?}")
            }
            Self::Delayed { who, access, loads } => {
                write!(
                    f,
                    "delay stores of {who} from access {access} by {loads} loads"
                )
            }
        }
    }
}

/// Every plan with one interruption that can matter: before an access to a place that some other
/// program touches too, if one of them stores there, and between a store there and a call. `undisturbed[i]` is the story of
/// [`Plan::InOrder`] with program `i` first.
pub fn systematic(undisturbed: &[Story]) -> Vec<Plan> {
    let interesting = |who: usize, story: &Story| {
        let theirs = Footprint::of(undisturbed, |program| program != who);
        let own = story.accesses.get(who).map_or(&[][..], Vec::as_slice);
        let mut plans = Vec::new();
        for (number, access) in (1..).zip(own) {
            if !theirs.conflicts(access) {
                continue;
            }
            let index = number as usize - 1;
            if !is_spin(own, index) && !is_inside_library(own, index) {
                plans.push(Point::Before(number));
            }
            // What was stored is seen by the others before the program does more by a call.
            if access.then_calls && access.kind == Kind::Store {
                plans.push(Point::After(number));
            }
        }
        plans.into_iter().map(move |at| Plan::Held { who, at })
    };
    first_ones(undisturbed)
        .flat_map(|(who, story)| interesting(who, story))
        .collect()
}

/// Whether a library is in the middle of its work on one place. Its semaphores and locks are right
/// whenever they are interrupted, so only the moment before they begin can matter.
fn is_inside_library(own: &[super::Access], index: usize) -> bool {
    let before = index.checked_sub(1).map(|before| &own[before]);
    before.is_some_and(|before| {
        before.by_library
            && own[index].by_library
            && before.place == own[index].place
            && !before.then_calls
    })
}

fn first_ones(stories: &[Story]) -> impl Iterator<Item = (usize, &Story)> {
    stories.iter().filter_map(|story| match story.plan {
        Plan::InOrder { first } => Some((first, story)),
        _ => None,
    })
}

/// Whether a program only looks again, for the third time or more, at one place or at two in turn.
/// An interruption there finds what one a little earlier would have found.
fn is_spin(own: &[super::Access], index: usize) -> bool {
    (1..=2).any(|period| {
        let same = |n: usize| index.checked_sub(n * period).map(|before| &own[before]);
        let now = Some(&own[index]);
        own[index].kind == Kind::Load && same(1) == now && same(2) == now
    })
}

/// Every plan that delays the stores of one program, by up to `most_loads` loads.
pub fn delayed(undisturbed: &[Story], most_loads: u32) -> Vec<Plan> {
    let mut plans = Vec::new();
    for (who, story) in first_ones(undisturbed) {
        let own = story.accesses.get(who).map_or(&[][..], Vec::as_slice);
        for (access, _) in (1..)
            .zip(own)
            .filter(|(_, access)| access.kind == Kind::Store)
        {
            plans.extend((1..=most_loads).map(|loads| Plan::Delayed { who, access, loads }));
        }
    }
    plans
}

/// What some programs touched in any of their runs.
struct Footprint {
    touched: HashSet<Place>,
    stored: HashSet<Place>,
}

impl Footprint {
    fn of(stories: &[Story], whose: impl Fn(usize) -> bool) -> Self {
        let mut touched = HashSet::new();
        let mut stored = HashSet::new();
        for (program, accesses) in stories.iter().flat_map(|s| s.accesses.iter().enumerate()) {
            for access in accesses.iter().filter(|_| whose(program)) {
                touched.insert(access.place.clone());
                if access.kind != Kind::Load {
                    stored.insert(access.place.clone());
                }
            }
        }
        Self { touched, stored }
    }

    fn conflicts(&self, access: &super::Access) -> bool {
        match access.kind {
            _ if !access.has_company => false,
            Kind::Load => self.stored.contains(&access.place),
            _ => self.touched.contains(&access.place),
        }
    }
}

/// SplitMix64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Access, Ending, Object};

    fn story(first: usize, accesses: Vec<Vec<Access>>) -> Story {
        Story {
            plan: Plan::InOrder { first },
            happened: true,
            accesses,
            ends: Vec::new(),
            ending: Ending::Ended,
            lines: Vec::new(),
            names: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn access(offset: u64, kind: Kind) -> Access {
        let object = Object {
            id: (String::new(), 1, false),
            name: "memory".to_owned(),
        };
        let object = std::rc::Rc::new(object);
        Access {
            place: Place { object, offset },
            kind,
            has_company: true,
            by_library: false,
            then_calls: false,
        }
    }

    #[test]
    fn only_accesses_to_what_others_change_are_worth_an_interruption() {
        let accesses = || {
            let first = vec![
                access(0, Kind::Load),
                access(8, Kind::Load),
                access(16, Kind::Store),
            ];
            vec![first, vec![access(0, Kind::Store), access(8, Kind::Load)]]
        };
        let stories = [story(0, accesses()), story(1, accesses())];
        let plans = [0, 1].map(|who| Plan::Held {
            who,
            at: Point::Before(1),
        });
        assert_eq!(systematic(&stories), plans);
    }

    #[test]
    fn a_seed_always_gives_the_same_plan() {
        assert_eq!(Plan::random(7, 2, 100), Plan::random(7, 2, 100));
        assert_ne!(Plan::random(7, 2, 100), Plan::random(8, 2, 100));
    }
}
