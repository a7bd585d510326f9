//! Runs a scene under many schedules, so that a race fails every time it is graded.
//!
//! A scene starts programs of the submission that share memory, takes them in while they sleep or
//! are stopped, lets them run to their ends, and looks at what came of it. It is played again and again: once for each program that may go first, then once
//! for every access to shared memory before which an interruption can matter. Nothing depends on
//! luck or on the number of processors, and a schedule that did not happen is our fault.

use std::sync::Arc;

use instruments::explore::{Ending, Explorer, Plan, Story, systematic};
use instruments::proc::State;

use crate::blame::{Instrument, for_want_of};
use crate::excerpt_of_story::excerpt_of_story;
use crate::process::Seen;
use crate::{Bench, Check, Process, Stop, clock, found};

/// More schedules than this are thinned out: a submission may touch memory as often as it likes.
const MOST_SCHEDULES: usize = 150;

/// One playing of a scene.
#[derive(Debug)]
pub struct Turn {
    explorer: Option<Explorer>,
    /// Which programs are to be interrupted, by their number.
    interrupted: Vec<usize>,
    programs: Vec<Arc<Seen>>,
    story: Option<Story>,
}

impl Bench {
    /// Plays `scene` under every schedule that interrupts one of its programs once. A finding is
    /// shown with the schedule that led to it, in words and step by step.
    pub fn explore(&self, scene: impl Fn(&mut Turn) -> Check) -> Check {
        match self.play_all(scene) {
            Err(Stop::Unavailable(text)) => {
                Err(for_want_of(&self.session, Instrument::Tracing, text))
            }
            result => result,
        }
    }

    fn play_all(&self, scene: impl Fn(&mut Turn) -> Check) -> Check {
        let (first, interrupted) = self.play(&scene, Plan::InOrder { first: 0 })?;
        let mut undisturbed = Vec::new();
        for &first in interrupted.iter().filter(|&&first| first != 0) {
            undisturbed.push(self.play(&scene, Plan::InOrder { first })?.0);
        }
        if interrupted.contains(&0) {
            undisturbed.insert(0, first);
        }
        let plans = systematic(&undisturbed);
        if plans.is_empty() {
            return Err(found(
                model::Symptom::Mechanism,
                "the accesses of several programs to shared memory",
                "there are some to the same places",
                "not one",
            ));
        }
        let stride = plans.len().div_ceil(MOST_SCHEDULES);
        if stride > 1 {
            let n_plans = plans.len();
            self.session
                .leave_out(format!("schedules: all but every {stride}th of {n_plans}"));
        }
        for plan in plans.into_iter().step_by(stride) {
            let (story, _) = self.play(&scene, plan)?;
            if !story.happened {
                let plan = story.plan;
                let text = format!("the schedule `{plan}` has not happened: no such access");
                return Err(Stop::Fault(text));
            }
        }
        Ok(())
    }

    fn play(&self, scene: &impl Fn(&mut Turn) -> Check, plan: Plan) -> Check<(Story, Vec<usize>)> {
        let mut turn = Turn {
            explorer: Some(Explorer::new(plan)),
            interrupted: Vec::new(),
            programs: Vec::new(),
            story: None,
        };
        let result = scene(&mut turn);
        let story = turn.story;
        match (result, story) {
            (Ok(()), Some(story)) => Ok((story, turn.interrupted)),
            (Ok(()), None) => Err(Stop::Fault("a scene without Turn::go".to_owned())),
            (Err(Stop::Found(mut finding)), Some(story)) if !story.lines.is_empty() => {
                finding.got = format!("{}\nThe schedule: {}", finding.got, story.lines.join("; "));
                self.session.show(excerpt_of_story(&story));
                Err(Stop::Found(finding))
            }
            (Err(stop), _) => Err(stop),
        }
    }
}

impl Turn {
    /// Takes in a program that goes first in its schedules and is interrupted in them. It must
    /// sleep, or have been started by [`Launch::start_stopped`](crate::Launch::start_stopped).
    /// `name` is what the story calls it.
    pub fn interrupt(&mut self, name: &str, program: &Process) -> Check {
        self.interrupted.push(self.programs.len());
        self.beside(name, program)
    }

    /// Takes in a program that runs when those before it cannot, or when they are interrupted.
    pub fn beside(&mut self, name: &str, program: &Process) -> Check {
        let process = program.proc();
        clock::until(|| {
            let rests = process.state() == Some(State::Stopped) || process.is_asleep();
            rests || program.exit().is_some()
        });
        let Some(explorer) = &mut self.explorer else {
            return Err(Stop::Fault("a program came after Turn::go".to_owned()));
        };
        explorer
            .adopt(program.pid(), name)
            .map_err(|error| Stop::Unavailable(format!("the schedules of programs: {error}")))?;
        self.programs.push(Arc::clone(program.seen()));
        Ok(())
    }

    /// Lets the programs run to their ends under the schedule. Not to end is a finding.
    pub fn go(&mut self) -> Check {
        let Some(explorer) = self.explorer.take() else {
            return Err(Stop::Fault("Turn::go was called twice".to_owned()));
        };
        let story = explorer.run();
        let ending = story.ending.clone();
        self.story = Some(story);
        let (expected, got) = match ending {
            Ending::Ended => return Ok(()),
            Ending::Asleep { autopsy } => ("they end", autopsy.join("\n")),
            Ending::TooLong => (
                "they end",
                "they ran on and on: 2 s of CPU time, or 50 000 steps".to_owned(),
            ),
        };
        // Whoever was left has been killed for us.
        for seen in &self.programs {
            let mut sent = seen.sent.lock().expect("no holder of this lock panics");
            sent.push(libc::SIGKILL);
        }
        let names: Vec<String> = self
            .programs
            .iter()
            .map(|seen| seen.argv.join(" "))
            .collect();
        let what = format!("these programs side by side: `{}`", names.join("`, `"));
        Err(found(model::Symptom::Wrong, what, expected, got))
    }
}
