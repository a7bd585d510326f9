//! Runs victims under the explorer until one schedule fails or all have been tried.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use instruments::Process;
use instruments::explore::{Ending, Explorer, Plan, STARTS_STOPPED, Story, delayed, systematic};
use instruments::proc::State;

/// Programs that are started anew for every schedule.
pub(crate) struct Race {
    way: &'static str,
    memory: String,
    n_programs: usize,
}

/// Something went wrong under a schedule.
pub(crate) struct Failure {
    pub(crate) story: Story,
    /// How many schedules had gone well before.
    pub(crate) after: usize,
}

/// One program that forks its racers and checks them itself.
pub(crate) fn race(way: &'static str) -> Race {
    race_in(way, "")
}

/// The same with its memory of a certain kind.
pub(crate) fn race_in(way: &'static str, memory: &str) -> Race {
    Race {
        way,
        memory: memory.to_owned(),
        n_programs: 1,
    }
}

impl Race {
    /// So many programs, executed apart.
    pub(crate) fn programs(self, n_programs: usize) -> Self {
        Self { n_programs, ..self }
    }

    fn start(&self) -> Child {
        let [shell, option, script] = STARTS_STOPPED;
        let child = Command::new(shell)
            .args([
                option,
                script,
                env!("CARGO_BIN_EXE_victim"),
                self.way,
                &self.memory,
            ])
            .stdin(Stdio::null())
            .spawn()
            .expect("start the victim");
        let process = Process::new(child.id().cast_signed());
        while process.state() != Some(State::Stopped) {
            assert!(!process.has_ended(), "the victim has not waited");
            sleep(Duration::from_micros(200));
        }
        child
    }

    /// One run.
    pub(crate) fn run(&self, plan: Plan) -> Story {
        let mut explorer = Explorer::new(plan);
        // The explorer, which is their tracer, has waited for them when a run is over.
        for number in 0..self.n_programs {
            let pid = self.start().id().cast_signed();
            let name = format!("program {number}");
            explorer
                .adopt(pid, &name)
                .expect("a child of ours can be traced");
        }
        explorer.run()
    }

    /// The stories without interruption, one for each program that may be first.
    pub(crate) fn undisturbed(&self) -> Vec<Story> {
        let first = self.run(Plan::InOrder { first: 0 });
        let n_programs = first.accesses.len();
        let mut stories = vec![first];
        stories.extend((1..n_programs).map(|first| self.run(Plan::InOrder { first })));
        stories
    }

    /// Tries plans until `is_right` says no, beginning with the undisturbed ones.
    pub(crate) fn explore(
        &self,
        plans: impl Fn(&[Story]) -> Vec<Plan>,
        is_right: impl Fn(&Story) -> bool,
    ) -> Result<usize, Box<Failure>> {
        let mut after = 0;
        let mut try_out = |plan: Plan| {
            let story = self.run(plan);
            if !is_right(&story) {
                return Err(Box::new(Failure { story, after }));
            }
            after += 1;
            Ok(story)
        };
        let mut undisturbed = vec![try_out(Plan::InOrder { first: 0 })?];
        for first in 1..undisturbed[0].accesses.len() {
            undisturbed.push(try_out(Plan::InOrder { first })?);
        }
        for plan in plans(&undisturbed) {
            try_out(plan)?;
        }
        Ok(after)
    }

    /// One interruption, everywhere it can matter.
    pub(crate) fn systematically(&self) -> Result<usize, Box<Failure>> {
        self.explore(systematic, all_is_well)
    }

    /// Random interruptions.
    pub(crate) fn randomly(&self, seed: u64, n_plans: u64) -> Result<usize, Box<Failure>> {
        let plans = |stories: &[Story]| {
            let n_accesses = stories[0].n_accesses();
            (0..n_plans)
                .map(|number| Plan::random(seed + number, 2, n_accesses))
                .collect()
        };
        self.explore(plans, all_is_well)
    }

    /// Stores that are seen late.
    pub(crate) fn with_delayed_stores(&self) -> Result<usize, Box<Failure>> {
        self.explore(|stories| delayed(stories, 3), all_is_well)
    }
}

/// Every program came to its end and was content.
pub(crate) fn all_is_well(story: &Story) -> bool {
    story.ending == Ending::Ended && story.ends.iter().all(|(_, status)| *status == Some(0))
}

/// The failure of a race that must be found.
#[track_caller]
pub(crate) fn found(result: Result<usize, Box<Failure>>) -> Box<Failure> {
    match result {
        Ok(schedules) => panic!("nothing found in {schedules} schedules"),
        Err(failure) => failure,
    }
}

/// The number of schedules of programs that are right.
#[track_caller]
pub(crate) fn clean(result: Result<usize, Box<Failure>>) -> usize {
    result.unwrap_or_else(|failure| {
        let Failure { story, after } = *failure;
        panic!(
            "after {after}: {} {:?} {:?}",
            story.explain(),
            story.ending,
            story.ends
        )
    })
}
