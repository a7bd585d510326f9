//! `verify --attacks`: does the box hold?

use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::PermissionsExt;
use std::process::ExitCode;

use anyhow::{Context, Result};
use pipeline::{AttackOptions, AttackResult, SECRET_VARIABLE};
use sandbox::{Level, Machine};

use crate::cli::{RunningArgs, VerifyArgs};
use crate::commands::grade::{jobs, test_options};
use crate::commands::levels;
use crate::course;
use crate::show::{self, BAD, GOOD, STRONG, styled};

/// Runs the attacks on every level asked for that there is.
pub(crate) fn run(args: &VerifyArgs) -> Result<ExitCode> {
    if std::env::var_os(SECRET_VARIABLE).is_some() {
        return campaign(args);
    }
    if args.running.i_trust_this_code {
        return Ok(ExitCode::from(u8::from(!holds_on(Machine::Whole)?)));
    }
    pipeline::check_attacks(&course::find()?, &args.subjects)?;
    let all_hold = levels::on_each(&args.levels, holds_on)?;
    Ok(ExitCode::from(u8::from(!all_hold)))
}

/// Runs the attacks in a process of their own, with a secret in its environment and a folder for
/// everything temporary, which must be empty afterwards.
fn holds_on(machine: Machine) -> Result<bool> {
    let folder = tempfile::Builder::new().prefix("attacks-").tempdir()?;
    // Programs of a box that has no root of its own must get to what is in there.
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o1777))?;
    let secret = format!("secret-{:016x}", RandomState::new().hash_one(0));
    let status = levels::on(machine)?
        .args(std::env::args_os().skip(1))
        .env(SECRET_VARIABLE, secret)
        .env("TMPDIR", folder.path())
        .status()
        .context("starting the campaign")?;
    let mut n_left = 0;
    for entry in folder.path().read_dir()? {
        show::line(format_args!(
            "{} {}",
            styled(BAD, "left"),
            entry?.path().display()
        ));
        n_left += 1;
    }
    Ok(status.success() && n_left == 0)
}

fn campaign(args: &VerifyArgs) -> Result<ExitCode> {
    let options = AttackOptions {
        names: args.subjects.clone(),
        // Those that take long mostly stand still.
        jobs: args.running.jobs.unwrap_or(2 * jobs(&args.running)),
        tests: test_options(&RunningArgs {
            isolation: Level::E,
            ..args.running.clone()
        })?,
        helper: std::env::current_exe()?,
    };
    let level = options.tests.level;
    let campaign = pipeline::attack(&course::find()?, &options, &show)?;
    if level != Level::None {
        for name in &campaign.not_promised {
            show::line(format_args!(
                "{:>9} {name:<32} level {level} does not promise it",
                "not run"
            ));
        }
    }
    for left in &campaign.left {
        show::line(format_args!("{} {left}", styled(BAD, "left")));
    }
    let count = |bad: fn(&AttackResult) -> bool| campaign.results.iter().filter(|r| bad(r)).count();
    let n_breaches = count(|result| !result.breaches.is_empty());
    let n_misjudged = count(|result| !result.misjudged.is_empty());
    let n_held = count(|result| result.breaches.is_empty());
    let good = n_breaches + n_misjudged + campaign.left.len() == 0;
    let summary = format!(
        "isolation {level}: {n_held} held, {n_breaches} breached, {n_misjudged} misjudged, \
         {} not run, {} left behind",
        campaign.not_promised.len(),
        campaign.left.len()
    );
    show::line(styled(if good { GOOD } else { BAD }, summary));
    Ok(ExitCode::from(u8::from(!good)))
}

/// One attack in a line, and a line for each thing that is wrong.
fn show(result: &AttackResult) {
    let verdict = match result.breaches.is_empty() {
        true => styled(GOOD, format_args!("{:>9}", "held")),
        false => styled(BAD, format_args!("{:>9}", "BREACH")),
    };
    let mut outcomes: Vec<&str> = result
        .outcomes
        .values()
        .map(|outcome| outcome.name())
        .collect();
    outcomes.dedup();
    let name = styled(STRONG, format_args!("{:<32}", result.name));
    show::line(format_args!(
        "{verdict} {name} {:>6} ms  {}",
        result.wall_ms,
        outcomes.join(", ")
    ));
    for breach in &result.breaches {
        show::line(format_args!(
            "            {}: {breach}",
            styled(BAD, "breach")
        ));
    }
    for wrong in &result.misjudged {
        let wrong = wrong.replace('\n', "\n              ");
        show::line(format_args!(
            "            {}: {wrong}",
            styled(BAD, "misjudged")
        ));
    }
}
