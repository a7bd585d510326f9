//! Verify: grading with known answers. The reference and every other correct solution pass
//! everything, an untouched stub nothing, and every wrong solution fails exactly the tests that
//! name it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use authoring::correct::{CorrectError, CorrectSolution};
use authoring::lab::Sources;
use authoring::wrong::{WrongError, WrongSolution};
use model::{Message, Outcome, Rubric, RubricRow, Verdict};

use crate::build::{Built, build};
use crate::grade::in_parallel;
use crate::kit::{Course, Kit, KitError, check_tests, read_sources};
use crate::mutants::{self, Mutant, MutantError};
use crate::run::{Judged, TestOptions, run_tests};
use crate::seat::Seat;
use crate::{SourceTree, Stopped};

/// What to verify and how.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// Labs to verify; all if empty.
    pub labs: Vec<String>,
    /// Subjects to verify, by name; all if empty.
    pub subjects: Vec<String>,
    /// Mutants of the references instead of the other subjects.
    pub mutants: bool,
    /// The wrong solutions alone, each with the tests that it names and no others.
    pub caught: bool,
    /// How often each subject is run.
    pub repeat: u32,
    /// Subjects run at a time.
    pub jobs: usize,
    /// How hidden tests are run.
    pub tests: TestOptions,
    /// The program that opens boxes for builds: the grader itself.
    pub helper: PathBuf,
}

/// Something with a known answer.
#[derive(Clone, Debug)]
pub enum Subject {
    /// Passes every test.
    Reference,
    /// Passes every test, too, and is written in another way.
    Correct(CorrectSolution),
    /// Passes none.
    Stub,
    /// Fails exactly the tests that it names.
    Wrong(WrongSolution),
    /// Fails some test, unless nobody can tell it from the reference.
    Mutant(Mutant),
}

impl Subject {
    /// `reference`, `stub`, the name of the folder in `correct/` or of the patch in `wrong/`, or
    /// what the mutant changes and where.
    pub fn name(&self) -> &str {
        match self {
            Self::Reference => "reference",
            Self::Correct(correct) => &correct.name,
            Self::Stub => "stub",
            Self::Wrong(wrong) => &wrong.name,
            Self::Mutant(mutant) => &mutant.name,
        }
    }

    /// Whether it must pass every test.
    pub fn is_right(&self) -> bool {
        matches!(self, Self::Reference | Self::Correct(_))
    }
}

/// One run of one subject.
#[derive(Clone, Debug)]
pub struct SubjectResult {
    /// The lab.
    pub lab: String,
    /// What was run.
    pub subject: Subject,
    /// Which repetition, from 1.
    pub round: u32,
    /// How each test ended, with what was said about it.
    pub tests: BTreeMap<String, Verdict>,
    /// What each test took: wall time and CPU time of all that it started, in milliseconds.
    pub times: BTreeMap<String, (u64, u64)>,
    /// What contradicts the known answer; empty if nothing does.
    pub problems: Vec<String>,
    /// Wall time of the run, tests overlapping, in milliseconds.
    pub wall_ms: u64,
    /// CPU time of all tests together, in milliseconds.
    pub cpu_ms: u64,
}

/// Runs every subject and tells each result as it comes.
///
/// # Errors
/// If the course does not build, a patch does not apply, or a subject's name is unknown.
pub fn verify(
    course: &Course,
    options: &VerifyOptions,
    told: &(dyn Fn(&SubjectResult) + Sync),
) -> Result<Vec<SubjectResult>, VerifyError> {
    let labs = course.select(&options.labs)?;
    let kits = course.kits(&labs)?;
    check_tests(&kits, &options.tests.only)?;
    let mut work = Vec::new();
    for kit in &kits {
        let subjects = match options.mutants {
            true => mutants(course, kit)?,
            false => subjects(course, kit)?,
        };
        for subject in subjects {
            if options.caught && !matches!(subject, Subject::Wrong(_)) {
                continue;
            }
            if options.subjects.is_empty() || options.subjects.iter().any(|s| s == subject.name()) {
                let sources = sources(course, kit, &subject)?;
                work.push((kit, subject, sources));
            }
        }
    }
    if let Some(unknown) = options.subjects.iter().find(|name| {
        work.iter()
            .all(|(_, subject, _)| subject.name() != name.as_str())
    }) {
        return Err(VerifyError::UnknownSubject(unknown.clone()));
    }
    let results = Mutex::new(Vec::new());
    in_parallel(
        options.tests.at_a_time(options.jobs),
        &work,
        |(kit, subject, sources)| {
            run_subject(kit, subject, sources, options, |result| {
                told(&result);
                results
                    .lock()
                    .expect("no holder of this lock panics")
                    .push(result);
            })
        },
    )?;
    Ok(results.into_inner().expect("no holder of this lock panics"))
}

/// Why verifying could not be done at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The course itself.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// It was asked to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
    /// A solution's markers.
    #[error(transparent)]
    Marker(#[from] authoring::markers::MarkerError),
    /// A patch.
    #[error(transparent)]
    Wrong(#[from] WrongError),
    /// The mutants.
    #[error(transparent)]
    Mutant(#[from] MutantError),
    /// A correct solution's folder.
    #[error(transparent)]
    Correct(#[from] CorrectError),
    /// A patch names a test that the rubric does not have.
    #[error(
        "{lab}: the wrong solution {name} says it is caught by {test}, which is no hidden test"
    )]
    UnknownTest {
        /// The lab.
        lab: String,
        /// The patch.
        name: String,
        /// The test it names.
        test: String,
    },
    /// No subject has this name.
    #[error(
        "no subject is called {0}: try reference, stub, or a name from correct/ or wrong/ in \
         grader/labs/<lab>"
    )]
    UnknownSubject(String),
    /// A seat could not be laid out.
    #[error("cannot lay out a seat: {0}")]
    Seat(std::io::Error),
}

fn subjects(course: &Course, kit: &Kit) -> Result<Vec<Subject>, VerifyError> {
    let folder = course.root.join("grader/labs").join(&kit.lab.name);
    let mut subjects = vec![Subject::Reference, Subject::Stub];
    let correct = authoring::correct::read_dir(&folder.join("correct"), &kit.lab)?;
    subjects.extend(correct.into_iter().map(Subject::Correct));
    for wrong in authoring::wrong::read_dir(&folder.join("wrong"))? {
        let unknown = |test: &&String| !kit.rubric.rows.iter().any(|row| row.id == **test);
        let mut named = wrong.caught_by.iter().chain(&wrong.by_chance);
        if let Some(test) = named.find(unknown) {
            let (lab, name, test) = (kit.lab.name.clone(), wrong.name.clone(), test.clone());
            return Err(VerifyError::UnknownTest { lab, name, test });
        }
        subjects.push(Subject::Wrong(wrong));
    }
    Ok(subjects)
}

fn mutants(course: &Course, kit: &Kit) -> Result<Vec<Subject>, VerifyError> {
    let mutants = mutants::list(&course.root, &kit.lab, &solution(course, kit)?)?;
    Ok(mutants.into_iter().map(Subject::Mutant).collect())
}

/// The editable files of the reference, markers included.
fn solution(course: &Course, kit: &Kit) -> Result<Sources, KitError> {
    let solution = read_sources(&course.root.join(&kit.lab.dir))?;
    Ok(solution
        .into_iter()
        .filter(|(path, _)| kit.lab.editable.contains(path))
        .map(|(path, bytes)| (path, String::from_utf8_lossy(&bytes).into_owned()))
        .collect())
}

/// The files that a subject hands in.
///
/// # Errors
/// If the solution cannot be read or a patch does not apply.
pub fn sources(course: &Course, kit: &Kit, subject: &Subject) -> Result<SourceTree, VerifyError> {
    let solution = solution(course, kit)?;
    let texts = match subject {
        Subject::Stub => return Ok(kit.stub.clone()),
        Subject::Reference => solution,
        Subject::Correct(correct) => correct.sources.clone(),
        Subject::Wrong(wrong) => wrong.apply(&solution)?,
        Subject::Mutant(mutant) => mutant.apply(&solution),
    };
    let texts = authoring::student::complete(&kit.lab, &texts)?;
    Ok(texts
        .into_iter()
        .map(|(path, text)| (path, text.into_bytes()))
        .collect())
}

fn run_subject(
    kit: &Kit,
    subject: &Subject,
    sources: &SourceTree,
    options: &VerifyOptions,
    each: impl Fn(SubjectResult),
) -> Result<(), VerifyError> {
    let seat = Seat::prepare(kit, sources).map_err(VerifyError::Seat)?;
    let built = build(kit, &seat, &options.tests, &options.helper);
    kit.stop.check()?;
    let built_is_fault = matches!(built, Built::Fault(_));
    let unbuilt = match built {
        Built::Programs => None,
        Built::Refused(words) => Some(format!("does not compile:\n{words}")),
        Built::Fault(reason) => Some(format!("could not be built: {reason}")),
    };
    let result = |round| SubjectResult {
        lab: kit.lab.name.clone(),
        subject: subject.clone(),
        round,
        tests: BTreeMap::new(),
        times: BTreeMap::new(),
        problems: Vec::new(),
        wall_ms: 0,
        cpu_ms: 0,
    };
    if let Some(problem) = unbuilt {
        // A mutant that is no program is no student's program either.
        let is_problem = !matches!(subject, Subject::Mutant(_)) || built_is_fault;
        each(SubjectResult {
            problems: Vec::from_iter(is_problem.then_some(problem)),
            ..result(1)
        });
        return Ok(());
    }
    for round in 1..=options.repeat {
        each(run_once(kit, &seat, options, result(round))?);
    }
    Ok(())
}

fn run_once(
    kit: &Kit,
    seat: &Seat,
    options: &VerifyOptions,
    result: SubjectResult,
) -> Result<SubjectResult, Stopped> {
    let subject = result.subject.clone();
    let collected = Mutex::new(result);
    let started = std::time::Instant::now();
    let collect = |row: &RubricRow, (mut verdict, evidence): Judged| {
        let mut result = collected.lock().expect("no holder of this lock panics");
        if let Some(evidence) = evidence {
            result.cpu_ms += evidence.cpu_ms;
            let times = (evidence.wall_ms, evidence.cpu_ms);
            result.times.insert(row.id.clone(), times);
            // A submission may be right without ever coming to a fault; the reference shows that
            // the fault can be met at all.
            if result.subject.name() == "reference" && !evidence.missed.is_empty() {
                let what = format!("never happened: {}", evidence.missed.join(", "));
                verdict = Verdict {
                    outcome: Outcome::GraderFault,
                    message: Message {
                        what,
                        ..Message::default()
                    },
                };
            }
        }
        result.tests.insert(row.id.clone(), verdict);
        Ok::<(), Stopped>(())
    };
    let mut tests = options.tests.clone();
    if options.caught
        && let Subject::Wrong(wrong) = &subject
    {
        tests.only = wrong.caught_by.clone();
    }
    run_tests(kit, &seat.programs(), &tests, BTreeMap::new(), collect)?;
    let mut result = collected
        .into_inner()
        .expect("no holder of this lock panics");
    result.wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    result.problems = problems(&result, &kit.rubric);
    Ok(result)
}

/// What contradicts the subject's known answer, one line each.
fn problems(result: &SubjectResult, rubric: &Rubric) -> Vec<String> {
    let mut problems = Vec::new();
    for (id, Verdict { outcome, message }) in &result.tests {
        let complaint = match &result.subject {
            _ if *outcome == Outcome::GraderFault => Some("is our own fault"),
            Subject::Reference if !outcome.is_pass() => Some("fails on the reference"),
            Subject::Correct(_) if !outcome.is_pass() => Some("fails on a correct solution"),
            Subject::Stub if outcome.is_pass() => Some("passes on an untouched stub"),
            Subject::Wrong(wrong) if wrong.by_chance.contains(id) => None,
            Subject::Wrong(wrong) if !not_run(*outcome) => {
                match (wrong.caught_by.contains(id), outcome.is_pass()) {
                    (true, true) => Some("does not catch it"),
                    (false, false) => Some("fails without being named"),
                    _ => None,
                }
            }
            _ => None,
        };
        if let Some(complaint) = complaint {
            problems.push(format!("{id} {complaint} ({outcome})\n{message}"));
        }
    }
    let mut failed = result
        .tests
        .iter()
        .filter(|(_, test)| !test.outcome.is_pass());
    match &result.subject {
        Subject::Mutant(mutant) => problems.extend(match (failed.next(), &mutant.equivalent) {
            (None, None) => Some(format!("no hidden test notices it: {}", mutant.line)),
            (Some((id, _)), Some(_)) => Some(format!(
                "equivalent.toml calls it equivalent, but {id} notices it"
            )),
            _ => None,
        }),
        Subject::Wrong(wrong) => {
            for id in &wrong.caught_by {
                let test = result.tests.get(id);
                if test.is_some_and(|test| not_run(test.outcome)) {
                    problems.push(format!("{id} was skipped, so it cannot catch it"));
                }
            }
            if failed.next().is_none() && !result.tests.is_empty() {
                problems.push("no test catches it".into());
            }
            problems.extend(unsaid(wrong, rubric, &result.tests));
        }
        Subject::Reference | Subject::Correct(_) | Subject::Stub => {}
    }
    problems
}

fn not_run(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Skipped | Outcome::Unavailable)
}

/// That the first test which must catch the mistake does not name it. It is what students read
/// first, and a test may fail for a reason that teaches nothing about the mistake.
fn unsaid(
    wrong: &WrongSolution,
    rubric: &Rubric,
    tests: &BTreeMap<String, Verdict>,
) -> Option<String> {
    let phrase = wrong.phrase.as_ref()?;
    let mut named = rubric.rows.iter().map(|row| &row.id);
    let first = named.find(|id| wrong.caught_by.contains(id))?;
    let Verdict { outcome, message } = tests.get(first)?;
    let seen = message.seen().to_string();
    let is_silent = !outcome.is_pass() && !not_run(*outcome) && !seen.contains(phrase);
    is_silent.then(|| format!("{first}, which is read first, does not say `{phrase}`\n{seen}"))
}

#[cfg(test)]
mod tests;
