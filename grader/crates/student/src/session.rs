//! One lab from its sources to its verdicts: build, list, run. Tells events and prints nothing.

use std::thread;
use std::time::{Duration, Instant};

use sandbox::Level;

use crate::build::{self, BuildError, Words};
use crate::event::{Event, Progress, Tested, Walls};
use crate::lessons;
use crate::runner::{self, RunError};
use crate::tree::{Lab, Tree};

/// How a lab is checked.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Only these tests, all if empty.
    pub(crate) only: Vec<String>,
    /// The box to use instead of the machine's best.
    pub(crate) isolation: Option<Level>,
    /// Where the compiler's words go.
    pub(crate) words: Words,
}

/// Why a lab could not be checked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// cargo or the tests' file is missing.
    #[error(transparent)]
    Build(BuildError),
    /// The tests do not run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// No test has this name.
    #[error("{lab} has no public test `{test}`; `cargo lab check {lab}` lists them")]
    Unknown {
        /// The lab.
        lab: String,
        /// The name that was asked for.
        test: String,
    },
}

/// Checks `lab` and calls `tell` for everything that happens; `None` if it does not compile.
pub(crate) fn check(
    tree: &Tree,
    lab: &Lab,
    options: &Options,
    tell: &(dyn Fn(Event) + Sync),
) -> Result<Option<Progress>, SessionError> {
    let name = &lab.name;
    tell(Event::Building {
        lab: name.clone(),
        title: lab.about.title.clone(),
    });
    let began = Instant::now();
    // Trying the box takes as long as a short build, and neither waits for the other.
    let (built, walls) = thread::scope(|scope| {
        let walls = scope.spawn(|| match options.isolation {
            None => runner::best_walls(),
            Some(level) => Ok(Walls {
                level: level.to_string(),
                missing: vec!["you asked for it".to_owned()],
            }),
        });
        let built = build::build(&tree.root, lab, options.words);
        (built, walls.join().expect("trying levels does not panic"))
    });
    let build_ms = millis(began.elapsed());
    let built = match built {
        Ok(built) => built,
        Err(BuildError::Refused { lab, text }) => {
            tell(Event::NotBuilt { lab, text });
            return Ok(None);
        }
        Err(error) => return Err(SessionError::Build(error)),
    };
    let began = Instant::now();
    let (mut taught, walls) = runner::lessons(&built, walls.map_err(RunError::Start)?)?;
    lessons::keep(tree, name, &taught);
    if let Some(test) = options
        .only
        .iter()
        .find(|test| !taught.iter().any(|taught| taught.test == **test))
    {
        return Err(SessionError::Unknown {
            lab: name.clone(),
            test: test.clone(),
        });
    }
    taught.retain(|taught| options.only.is_empty() || options.only.contains(&taught.test));
    tell(Event::Running {
        lab: name.clone(),
        n_tests: taught.len(),
        build_ms,
        walls: walls.clone(),
    });
    let tests: Vec<Tested> = runner::run(name, &built, &walls, &taught, &|tested| {
        tell(Event::Tested(Box::new(tested.clone())));
    })?;
    let progress = Progress::of(name, &tests, millis(began.elapsed()));
    tell(Event::Finished(progress.clone()));
    Ok(Some(progress))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
