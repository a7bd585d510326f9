//! `verify`: do the hidden tests say what is known to be true?

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use model::Outcome;
use pipeline::{Load, Mutant, Subject, SubjectResult, VerifyOptions};
use sandbox::Level;

use crate::cli::VerifyArgs;
use crate::commands::grade::{jobs, test_options};
use crate::commands::{attacks, levels};
use crate::course;
use crate::interrupt::Interrupt;
use crate::show::{self, BAD, GOOD, styled};

/// Set where this program was started again on a lower level.
const LEVEL_VARIABLE: &str = "LAB_VERIFY_LEVEL";

/// Runs every subject, prints each result as it comes and the matrix at the end.
pub(crate) fn run(args: &VerifyArgs) -> Result<ExitCode> {
    if args.attacks {
        return attacks::run(args);
    }
    let is_within = std::env::var_os(LEVEL_VARIABLE).is_some();
    if !args.levels.is_empty() && !is_within {
        let all_as_known = levels::on_each(&args.levels, |machine| {
            let mut again = levels::on(machine)?;
            again.args(std::env::args_os().skip(1));
            Ok(again.env(LEVEL_VARIABLE, "1").status()?.success())
        })?;
        return Ok(ExitCode::from(u8::from(!all_as_known)));
    }
    let mut running = args.running.clone();
    if is_within {
        running.isolation = Level::E;
    }
    let options = VerifyOptions {
        labs: args.labs.clone(),
        subjects: args.subjects.clone(),
        mutants: args.mutants,
        caught: args.caught,
        repeat: args.repeat,
        jobs: jobs(&running),
        tests: test_options(&running)?,
        helper: std::env::current_exe()?,
    };
    let _load = Load::start(args.busy);
    let course = course::find()?;
    let interrupt = Interrupt::watch(&course.stop)?;
    let results = pipeline::verify(&course, &options, &|result| {
        let verdict = match result.problems.is_empty() {
            true => styled(GOOD, "   ok"),
            false => styled(BAD, "wrong"),
        };
        show::line(format_args!("{verdict} {}", describe(result)));
        for problem in &result.problems {
            show::line(format_args!("  {}", problem.replace('\n', "\n  ")));
        }
    });
    if let (Err(_), Some(code)) = (&results, interrupt.exit_code()) {
        return Ok(code);
    }
    let results = results?;
    let mut labs: BTreeMap<&str, Vec<&SubjectResult>> = BTreeMap::new();
    for result in &results {
        labs.entry(&result.lab).or_default().push(result);
    }
    let mut n_wrong = 0;
    for (lab, results) in labs {
        show::line(format_args!("\n{lab}"));
        matrix(&results);
        if args.times {
            times(&results);
        }
        if args.mutants {
            show::line(mutation_score(&results));
        }
        n_wrong += results
            .iter()
            .filter(|result| !result.problems.is_empty())
            .count();
    }
    show::line(match n_wrong {
        0 => styled(GOOD, format_args!("\nall {} runs as known", results.len())),
        _ => styled(
            BAD,
            format_args!("\n{n_wrong} of {} runs are wrong", results.len()),
        ),
    });
    Ok(ExitCode::from(u8::from(n_wrong > 0)))
}

fn describe(result: &SubjectResult) -> String {
    format!(
        "{} {} (run {})",
        result.lab,
        result.subject.name(),
        result.round
    )
}

/// One row a subject: how often it was as known, what it cost, and which tests caught it.
fn matrix(results: &[&SubjectResult]) {
    let mut subjects: BTreeMap<(u8, &str), Vec<&SubjectResult>> = BTreeMap::new();
    for result in results {
        let place = match result.subject {
            Subject::Reference => 0,
            Subject::Correct(_) => 1,
            Subject::Stub => 2,
            Subject::Wrong(_) => 3,
            Subject::Mutant(_) => 4,
        };
        subjects
            .entry((place, result.subject.name()))
            .or_default()
            .push(result);
    }
    for ((_, name), rounds) in subjects {
        let good = rounds
            .iter()
            .filter(|round| round.problems.is_empty())
            .count();
        let verdict = format!("{good}/{}", rounds.len());
        let verdict = styled(
            if good == rounds.len() { GOOD } else { BAD },
            format!("{verdict:>7}"),
        );
        let wall = median(rounds.iter().map(|round| round.wall_ms));
        let cpu = median(rounds.iter().map(|round| round.cpu_ms));
        let caught = match rounds[0].subject {
            Subject::Wrong(_) => caught(rounds[0]),
            _ => score(rounds[0]),
        };
        show::line(format_args!(
            "{verdict} {name:<44} {wall:>6} ms {cpu:>6} ms cpu  {caught}"
        ));
    }
}

/// One row a test, the one that costs most first; medians over all that was run.
fn times(results: &[&SubjectResult]) {
    let mut tests: BTreeMap<&str, (Vec<u64>, Vec<u64>)> = BTreeMap::new();
    for (test, (wall, cpu)) in results.iter().flat_map(|result| &result.times) {
        let of_test = tests.entry(test).or_default();
        of_test.0.push(*wall);
        of_test.1.push(*cpu);
    }
    let row = |(test, (wall, cpu)): (_, (Vec<u64>, Vec<u64>))| {
        (median(cpu.into_iter()), median(wall.into_iter()), test)
    };
    let mut rows: Vec<_> = tests.into_iter().map(row).collect();
    rows.sort_unstable_by(|one, other| other.cmp(one));
    for (cpu, wall, test) in rows {
        show::line(format_args!("{wall:>15} ms {cpu:>6} ms cpu  {test}"));
    }
}

fn score(round: &SubjectResult) -> String {
    let passed = round
        .tests
        .values()
        .filter(|test| test.outcome.is_pass())
        .count();
    format!("passes {passed} of {}", round.tests.len())
}

/// What became of all mutants of a lab.
fn mutation_score(results: &[&SubjectResult]) -> String {
    let (mut noticed, mut equivalent, mut not_compiling) = (0, 0, 0);
    for result in results {
        let is_equivalent = |mutant: &Mutant| mutant.equivalent.is_some();
        match &result.subject {
            _ if result.tests.is_empty() => not_compiling += 1,
            Subject::Mutant(mutant) if is_equivalent(mutant) => equivalent += 1,
            _ => noticed += usize::from(result.problems.is_empty()),
        }
    }
    let n = results.len();
    let viable = n - equivalent - not_compiling;
    format!(
        "{n} mutants: {noticed} of {viable} noticed; {equivalent} are listed as equivalent, \
         {not_compiling} do not compile"
    )
}

fn caught(round: &SubjectResult) -> String {
    if round.tests.is_empty() {
        return "does not compile".to_owned();
    }
    let caught = round
        .tests
        .iter()
        .filter_map(|(id, test)| match test.outcome {
            Outcome::Pass | Outcome::Skipped => None,
            outcome => Some(format!("{id} ({outcome})")),
        });
    caught.collect::<Vec<_>>().join(", ")
}

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
