//! Attacks: hostile submissions on the path of every other one, from intake to verdict, and what
//! came of them.
//!
//! An attack *holds* if nothing that it must not reach shows a trace of it and its verdict is one
//! that it deserves. Both are looked at from outside: see `traps`.

mod archive;
mod bystander;
mod corpus;
mod machine;
mod traps;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Instant;

use model::{Outcome, RubricRow, printable};
use sandbox::Level;

pub use bystander::{BYSTANDER_COMMAND, stand_by};
pub use corpus::{Attack, Base, CorpusError, Recipe};
pub use traps::SECRET_VARIABLE;

use crate::SourceTree;
use crate::build::{Built, build};
use crate::digest::of_tree;
use crate::grade::in_parallel;
use crate::intake::{self, Submission};
use crate::kit::{Course, Kit, KitError, check_tests, read_sources};
use crate::run::{Judged, TestOptions, run_tests};
use crate::seat::Seat;
use crate::verify::{Subject, VerifyError, sources};
use traps::{Secrets, Traps};

/// Which attacks to run and how.
#[derive(Clone, Debug)]
pub struct AttackOptions {
    /// Attacks to run, by name; all if empty.
    pub names: Vec<String>,
    /// Attacks run at a time.
    pub jobs: usize,
    /// How hidden tests are run; which ones, each attack says itself.
    pub tests: TestOptions,
    /// The grader itself, for builds and bystanders.
    pub helper: PathBuf,
}

/// What came of one attack.
#[derive(Clone, Debug)]
pub struct AttackResult {
    /// Its name.
    pub name: String,
    /// What it tried.
    pub why: String,
    /// How it ended, by test; `submission` if it never came to one.
    pub outcomes: BTreeMap<String, Outcome>,
    /// What it reached; empty if it held.
    pub breaches: Vec<String>,
    /// What is wrong with its verdict; empty if nothing is.
    pub misjudged: Vec<String>,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
}

/// What came of all of them.
#[derive(Clone, Debug, Default)]
pub struct Campaign {
    /// One for each attack that was run.
    pub results: Vec<AttackResult>,
    /// Attacks that this isolation level does not promise to hold, which were not run.
    pub not_promised: Vec<String>,
    /// What was left on the machine after all of them.
    pub left: Vec<String>,
}

/// Why the attacks could not be run.
#[derive(Debug, thiserror::Error)]
pub enum AttackError {
    /// The course itself.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// The solutions.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The corpus.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// No attack has this name.
    #[error("no attack is called {0}: the folders of grader/attacks are their names")]
    Unknown(String),
    /// The traps could not be laid out.
    #[error("laying out what attacks look for: {0}")]
    Traps(#[from] io::Error),
}

/// Runs the attacks and tells each result as it comes.
///
/// Without isolation only those run that do no harm; they must be seen to succeed there, which
/// shows that the traps work.
///
/// # Errors
/// If the course does not build or the corpus is not what it should be.
pub fn attack(
    course: &Course,
    options: &AttackOptions,
    told: &(dyn Fn(&AttackResult) + Sync),
) -> Result<Campaign, AttackError> {
    let level = options.tests.level;
    let mut campaign = Campaign::default();
    let mut attacks = Vec::new();
    for attack in select(course, &options.names)? {
        let is_run = match level {
            Level::None => attack.recipe.control,
            level => attack.recipe.is_promised_on(level),
        };
        match is_run {
            true => attacks.push(attack),
            false => campaign.not_promised.push(attack.name),
        }
    }
    let names: BTreeSet<&String> = attacks.iter().map(|attack| &attack.recipe.lab).collect();
    let labs: Vec<String> = names.into_iter().cloned().collect();
    let kits = course.kits(&course.select(&labs)?)?;
    let mut targets = BTreeMap::new();
    for kit in &kits {
        let solution = sources(course, kit, &Subject::Reference)?;
        targets.insert(kit.lab.name.clone(), (kit, solution));
    }
    for attack in &attacks {
        check_tests(
            std::slice::from_ref(targets[&attack.recipe.lab].0),
            &attack.recipe.tests,
        )?;
    }
    let Some(kit) = kits.first() else {
        return Ok(campaign);
    };

    // Whatever loses its parent becomes our child, so that nothing can hide from the last count.
    nix::sys::prctl::set_child_subreaper(true).map_err(io::Error::from)?;
    let before = machine::now();
    let scratch = tempfile::Builder::new().prefix("attack-").tempdir()?;
    let secrets = Secrets::lay_out(&course.root, kit, scratch.path())?;
    let labs: Vec<&str> = course.labs.iter().map(|lab| lab.name.as_str()).collect();
    let results = Mutex::new(Vec::new());
    // The slow ones first, or one of them keeps the others waiting for the end.
    attacks.sort_by_key(|attack| !attack.recipe.outcome.contains(&Outcome::BuildError));
    in_parallel(options.tests.at_a_time(options.jobs), &attacks, |attack| {
        let (kit, solution) = &targets[&attack.recipe.lab];
        let result = run(attack, kit, solution, &secrets, &labs, options)?;
        told(&result);
        results
            .lock()
            .expect("no holder of this lock panics")
            .push(result);
        Ok::<(), AttackError>(())
    })?;
    campaign.results = results.into_inner().expect("no holder of this lock panics");
    drop(secrets);
    drop(scratch);
    campaign.left = machine::left_since(&before);
    Ok(campaign)
}

/// Says whether the corpus can be read and has attacks of these names.
///
/// # Errors
/// If not.
pub fn check_attacks(course: &Course, names: &[String]) -> Result<(), AttackError> {
    select(course, names).map(drop)
}

fn select(course: &Course, names: &[String]) -> Result<Vec<Attack>, AttackError> {
    let mut attacks = corpus::read(&course.root.join("grader/attacks"))?;
    for name in names {
        if !attacks.iter().any(|attack| attack.name == *name) {
            return Err(AttackError::Unknown(name.clone()));
        }
    }
    attacks.retain(|attack| names.is_empty() || names.contains(&attack.name));
    Ok(attacks)
}

/// Writes the attacks into `folder` as submissions of a class, to be graded like any other. There
/// are no traps, so what they reach for is what is there anyway.
///
/// # Errors
/// If the course does not build, an attack is unknown, or the folder cannot be written.
pub fn hand_in(
    course: &Course,
    names: &[String],
    folder: &std::path::Path,
) -> Result<(), AttackError> {
    let attacks = select(course, names)?;
    let kits = course.kits(&course.labs)?;
    let values = traps::none(&course.root);
    for attack in &attacks {
        let kit = kits.iter().find(|kit| kit.lab.name == attack.recipe.lab);
        let kit = kit.ok_or_else(|| AttackError::Unknown(attack.name.clone()))?;
        let base = match attack.recipe.base {
            Base::Stub => kit.stub.clone(),
            Base::Solution => sources(course, kit, &Subject::Reference)?,
        };
        attack.hand_in(folder, &base, &values)?;
    }
    Ok(())
}

/// Hands one attack in and follows it to its verdict.
fn run(
    attack: &Attack,
    kit: &Kit,
    solution: &SourceTree,
    secrets: &Secrets,
    labs: &[&str],
    options: &AttackOptions,
) -> Result<AttackResult, AttackError> {
    let started = Instant::now();
    let level = options.tests.level;
    // On level D everything of the box's uid is killed after a test, a bystander included.
    let mut traps = Traps::set(secrets, &options.helper, level.has_private_root())?;
    let base = match attack.recipe.base {
        Base::Stub => &kit.stub,
        Base::Solution => solution,
    };
    let path = attack.hand_in(traps.folder(), base, traps.values())?;
    let heard = follow(attack, kit, path, labs, options)?;

    let mut breaches = heard.spoilt;
    for text in heard.shown.iter().chain(&heard.raw) {
        breaches.extend(traps.in_text(text));
    }
    for text in &heard.shown {
        if *text != printable(text) {
            breaches.push("control or direction characters reach the feedback".into());
        }
        if text.len() > MAX_SHOWN {
            breaches.push(format!("{} bytes reach the feedback", text.len()));
        }
    }
    breaches.extend(traps.sprung());
    breaches.sort();
    breaches.dedup();
    let misjudged = match level {
        Level::None => Vec::new(), // nothing is promised there
        _ => misjudged(&attack.recipe, &heard.outcomes, &heard.shown),
    };
    Ok(AttackResult {
        name: attack.name.clone(),
        why: attack.recipe.why.clone(),
        outcomes: heard.outcomes,
        breaches,
        misjudged,
        wall_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Most bytes of one message that a submission may cause.
const MAX_SHOWN: usize = 80 << 10;

/// What was heard of a submission.
#[derive(Default)]
struct Heard {
    outcomes: BTreeMap<String, Outcome>,
    /// Texts as the feedback holds them.
    shown: Vec<String>,
    /// Evidence, which only the journal holds.
    raw: Vec<String>,
    spoilt: Vec<String>,
}

fn follow(
    attack: &Attack,
    kit: &Kit,
    path: PathBuf,
    labs: &[&str],
    options: &AttackOptions,
) -> Result<Heard, AttackError> {
    let mut heard = Heard::default();
    let ended = |mut heard: Heard, outcome, text| {
        heard.outcomes.insert("submission".into(), outcome);
        heard.shown.push(text);
        Ok(heard)
    };
    let id = attack.name.clone();
    let intake = intake::open(&Submission { id, path }, labs);
    heard.shown.extend(intake.notes);
    if let Some(reason) = intake.rejected {
        return ended(heard, Outcome::Rejected, reason);
    }
    let Some(files) = intake.labs.get(&attack.recipe.lab) else {
        return ended(
            heard,
            Outcome::Rejected,
            "it holds no file of the lab".into(),
        );
    };
    let seat = Seat::prepare(kit, files)?;
    let built = build(kit, &seat, &options.tests, &options.helper);
    kit.stop.check().map_err(io::Error::from)?;
    match built {
        Built::Refused(words) => return ended(heard, Outcome::BuildError, words),
        Built::Fault(reason) => return ended(heard, Outcome::GraderFault, reason),
        Built::Programs => {}
    }
    let before = of_tree(&read_sources_or_none(&seat)?);
    let tests = TestOptions {
        only: attack.recipe.tests.clone(),
        ..options.tests.clone()
    };
    let collected = Mutex::new(&mut heard);
    let collect = |row: &RubricRow, (verdict, evidence): Judged| {
        let mut heard = collected.lock().expect("no holder of this lock panics");
        heard.outcomes.insert(row.id.clone(), verdict.outcome);
        heard.shown.push(verdict.message.to_string());
        heard
            .raw
            .push(serde_json::to_string(&evidence).map_err(io::Error::from)?);
        Ok::<(), io::Error>(())
    };
    run_tests(kit, &seat.programs(), &tests, BTreeMap::new(), collect)?;
    heard.spoilt = traps::spoilt(&seat.programs());
    heard.spoilt.extend(traps::spoilt(&seat.source()));
    if of_tree(&read_sources_or_none(&seat)?) != before {
        heard.spoilt.push("it changed its own seat".into());
    }
    Ok(heard)
}

/// Programs and sources of a seat, by path.
fn read_sources_or_none(seat: &Seat) -> Result<SourceTree, AttackError> {
    let mut files = SourceTree::new();
    for entry in std::fs::read_dir(seat.programs())? {
        let path = entry?.path();
        files.insert(path.display().to_string(), std::fs::read(&path)?);
    }
    files.extend(read_sources(&seat.source())?);
    Ok(files)
}

fn misjudged(
    recipe: &Recipe,
    outcomes: &BTreeMap<String, Outcome>,
    shown: &[String],
) -> Vec<String> {
    let expected: Vec<&str> = recipe
        .outcome
        .iter()
        .map(|outcome| outcome.name())
        .collect();
    let mut wrong: Vec<String> = outcomes
        .iter()
        .filter(|(_, outcome)| !recipe.outcome.contains(outcome))
        .map(|(id, outcome)| format!("{id}: {outcome}, expected {}", expected.join(" or ")))
        .collect();
    if let Some(says) = &recipe.says
        && !shown.iter().any(|text| text.contains(says))
    {
        wrong.push(format!("the feedback does not say {says:?}"));
    }
    if !wrong.is_empty() {
        wrong.extend(shown.iter().map(|text| text.chars().take(400).collect()));
    }
    wrong
}
