//! Picks the few steps of a schedule that explain a failure.

use std::collections::{BTreeSet, HashSet};

use instruments::explore::{Deed, Ending, Event, Kind, Place, Step, Story};
use model::{Clock, Timeline, TimelineRow};

use crate::excerpt::{MOST_ROWS, lay_out};

/// Accesses of a held program that are shown before the hold and after it.
const AROUND: usize = 2;

/// How many kinds of steps there are, some more important than others.
const RANKS: usize = 6;

/// Steps of one kind that are shown of each end of a long row of them.
const OF_EACH_END: usize = 3;

/// One time that a program was held.
struct Hold {
    who: usize,
    /// The step with which it begins: the access that the program is held before or after.
    from: usize,
    /// The step with which the program goes on; the end of the story if it never does.
    until: usize,
    /// What the program does around it.
    own: Vec<usize>,
}

/// The accesses of each held program just before and after the hold, and what the others do
/// meanwhile: above all to the same place, then to what the held program touches, too. The steps
/// are counted from 1. It is empty if nobody was held.
pub(crate) fn excerpt_of_story(story: &Story) -> Timeline {
    let steps = &story.steps;
    let told = worth_telling(story);
    let holds = holds(steps, &told);
    let ranked: Vec<_> = holds.iter().map(|hold| rank(story, &told, hold)).collect();
    let mut chosen = BTreeSet::new();
    for importance in 0..RANKS {
        for &index in ranked.iter().flat_map(|ranks| &ranks[importance]) {
            if chosen.len() < MOST_ROWS {
                chosen.insert(index);
            }
        }
    }
    let names: Vec<&str> = story.names.iter().map(String::as_str).collect();
    lay_out(Clock::Steps, &names, &chosen, |index| TimelineRow {
        at: index as u64 + 1,
        column: steps[index].who,
        text: steps[index].to_string(),
        effect: steps[index].deed.map(|deed| deed.to_string()),
        after_gap: false,
    })
}

/// Steps around one hold, the most important ones first: if there is too much, the rest is left
/// out.
fn rank(story: &Story, told: &[bool], hold: &Hold) -> [Vec<usize>; RANKS] {
    let steps = &story.steps;
    let meet = |one: usize, other: usize| {
        let both = steps[one].operand().zip(steps[other].operand());
        both.is_some_and(|(one, other)| one.overlaps(other))
    };
    let there = |index: usize| meet(index, hold.from);
    let beside = |index: usize| hold.own.iter().any(|&own| meet(index, own));
    let changes = |index: usize| !steps[index].only_looks();
    let meanwhile = |wanted: &dyn Fn(usize) -> bool| {
        let all = (hold.from + 1..hold.until).filter(|&index| told[index]);
        ends(all.filter(|&index| wanted(index)).collect())
    };
    [
        hold.own.clone(),
        meanwhile(&|index| there(index) && changes(index)),
        last_ones(story, hold),
        meanwhile(&there),
        meanwhile(&|index| beside(index) && changes(index)),
        meanwhile(&beside),
    ]
}

fn holds(steps: &[Step], told: &[bool]) -> Vec<Hold> {
    let hold = |(from, held): (usize, &Step)| {
        let is_own = |&index: &usize| steps[index].who == held.who;
        let after = (from + 1..steps.len()).find(is_own);
        let until = after.unwrap_or(steps.len());
        let is_told = |index: &usize| is_own(index) && told[*index];
        let then = (until + 1..steps.len()).filter(is_told);
        let before = (0..from).rev().filter(is_told);
        let is_there = |&index: &usize| steps[index].operand() == held.operand();
        let mut own = vec![from];
        own.extend(after);
        own.extend(then.take(AROUND));
        own.extend(before.clone().take(AROUND));
        own.extend(before.filter(is_there).take(1));
        Hold {
            who: held.who,
            from,
            until,
            own,
        }
    };
    let held = steps.iter().enumerate();
    held.filter(|(_, step)| step.deed == Some(Deed::Held))
        .map(hold)
        .collect()
}

/// Where each of the others has come to when the held program goes on, and what everybody sleeps
/// in at the end of the story, if that is why it ended.
fn last_ones(story: &Story, hold: &Hold) -> Vec<usize> {
    let last = |who: usize, end: usize| {
        let own = (0..end).rev().find(|&index| story.steps[index].who == who);
        own.filter(|&index| matches!(story.steps[index].event, Event::Sleeps(_) | Event::Ended))
    };
    let everybody = 0..story.names.len();
    let others = everybody.clone().filter(|&who| who != hold.who);
    let then = others.filter_map(|who| last(who, hold.until).filter(|&index| index > hold.from));
    let are_asleep = matches!(story.ending, Ending::Asleep { .. });
    let is_asleep =
        |index: &usize| are_asleep && matches!(story.steps[*index].event, Event::Sleeps(_));
    let at_the_end = everybody.filter_map(|who| last(who, story.steps.len()).filter(is_asleep));
    then.chain(at_the_end).collect()
}

/// Whether each step can matter and says more than those of its program around it do. What nobody
/// changes does not matter; a program that polls or copies does the same again and again, with one
/// access or with two in turn; and what is changed in one go was often looked at just before.
fn worth_telling(story: &Story) -> Vec<bool> {
    let changes = story.steps.iter().filter(|step| !step.only_looks());
    let changed: HashSet<&Place> = changes.filter_map(word).collect();
    let mut last_two = vec![[None, None]; story.names.len()];
    let mut told = vec![true; story.steps.len()];
    for (index, step) in story.steps.iter().enumerate() {
        let own = &mut last_two[step.who];
        let events = own.map(|before: Option<usize>| before.map(|it| &story.steps[it].event));
        let is_again = events.contains(&Some(&step.event));
        let tells_no_value = matches!(step.event, Event::Touched(_, _, None));
        let is_constant = word(step).is_some_and(|place| !changed.contains(place));
        told[index] = !is_constant && !(is_again && (step.only_looks() || tells_no_value));
        if let Some(before) = own[1].filter(|&it| tells_all_of(&story.steps[it], step)) {
            told[before] = false;
        }
        *own = [own[1], Some(index)];
    }
    told
}

/// The eight bytes around what it touched.
fn word(step: &Step) -> Option<&Place> {
    step.operand().map(|operand| &operand.place)
}

/// Whether a step is a change in one go that tells what the one before it has found.
fn tells_all_of(before: &Step, step: &Step) -> bool {
    match (&before.event, &step.event) {
        (
            Event::Touched(Kind::Load, operand, Some(found)),
            Event::Touched(Kind::Other, same, Some(change)),
        ) => operand == same && found.after == change.before && before.deed.is_none(),
        _ => false,
    }
}

/// The beginning and the end of what would be too long.
fn ends(mut all: Vec<usize>) -> Vec<usize> {
    if all.len() > 2 * OF_EACH_END {
        all.drain(OF_EACH_END..all.len() - OF_EACH_END);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    use instruments::explore::{Change, Object, Operand, Plan, Point};

    fn operand(offset: u64) -> Operand {
        let object = Object {
            id: (String::new(), 1, false),
            name: "/dev/shm/ring".to_owned(),
        };
        let place = Place {
            object: Rc::new(object),
            offset: offset & !7,
        };
        let first = (offset & 7) as u8;
        Operand {
            place,
            bytes: first..first + 4,
        }
    }

    fn touched(who: usize, kind: Kind, offset: u64, [before, after]: [u64; 2]) -> Step {
        let change = Some(Change { before, after });
        Step {
            who,
            event: Event::Touched(kind, operand(offset), change),
            deed: None,
        }
    }

    fn story(steps: Vec<Step>) -> Story {
        Story {
            plan: Plan::Held {
                who: 0,
                at: Point::Before(2),
            },
            happened: true,
            accesses: Vec::new(),
            ends: Vec::new(),
            ending: Ending::Ended,
            lines: vec!["the first is held".to_owned()],
            names: ["first", "idle", "second"].map(str::to_owned).to_vec(),
            steps,
        }
    }

    fn at(timeline: &Timeline) -> Vec<u64> {
        timeline.rows.iter().map(|row| row.at).collect()
    }

    #[test]
    fn a_lost_update_is_shown_whole() {
        let about = Step {
            deed: Some(Deed::Held),
            event: Event::About(Kind::Store, operand(0x40)),
            who: 0,
        };
        let undoes = Step {
            deed: Some(Deed::Undoes(1)),
            ..touched(0, Kind::Store, 0x40, [4, 4])
        };
        let ended = Step {
            who: 2,
            event: Event::Ended,
            deed: None,
        };
        let timeline = excerpt_of_story(&story(vec![
            touched(0, Kind::Load, 0x40, [3, 3]),
            about,
            touched(2, Kind::Store, 0x44, [0, 9]), // of no concern to the first
            touched(2, Kind::Load, 0x40, [3, 3]),
            touched(2, Kind::Store, 0x40, [3, 4]),
            ended,
            undoes,
        ]));
        assert_eq!(
            timeline.to_string(),
            "      step  first                                 second\n         \
             1  load ring +0x40: 3\n         \
             2  about to store ring +0x40 <- held\n       \
             ...\n         \
             4                                        load ring +0x40: 3\n         \
             5                                        store ring +0x40: 4\n         \
             6                                        has ended\n         \
             7  store ring +0x40: 4 <- 1 update lost"
        );
    }

    #[test]
    fn a_long_story_is_cut_to_the_hold_and_what_counts_there() {
        let mut steps: Vec<Step> = (0..100)
            .map(|n| touched(0, Kind::Store, 0, [n, n + 1]))
            .collect();
        steps[49].deed = Some(Deed::Held);
        // The other looks again and again, then stores, and looks again.
        let spin = vec![touched(2, Kind::Load, 0, [50, 50]); 1000];
        let stores = (0..100).map(|n| touched(2, Kind::Store, 0, [n, n + 1]));
        let theirs: Vec<Step> = spin
            .iter()
            .cloned()
            .chain(stores)
            .chain(spin.clone())
            .collect();
        steps.splice(50..50, theirs);
        let timeline = excerpt_of_story(&story(steps));
        assert_eq!(timeline.columns, ["first", "second"]);
        let own = [48, 49, 50];
        let theirs = [51, 1051, 1052, 1053, 1148, 1149, 1150, 1151];
        let after = [2151, 2152, 2153];
        assert_eq!(at(&timeline), [&own[..], &theirs, &after].concat());
    }

    #[test]
    fn a_lock_of_a_library_is_a_row_each_time() {
        let loads = touched(2, Kind::Load, 0, [1, 1]);
        let takes = touched(2, Kind::Other, 0, [1, 0]);
        let story = story(vec![loads.clone(), takes.clone(), loads, takes]);
        assert_eq!(worth_telling(&story), [false, true, false, true]);
    }

    #[test]
    fn nobody_was_held() {
        let steps = vec![touched(0, Kind::Store, 0, [0, 1])];
        assert!(excerpt_of_story(&story(steps)).is_empty());
    }
}
