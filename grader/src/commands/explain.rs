//! `explain`: why one test of one submission got its verdict, and the same test once more.

use std::process::ExitCode;

use anyhow::Result;
use model::{Ended, Evidence, Outcome, Program, ProgramEnd, Verdict, printable};
use pipeline::{Run, TestOptions, Told};

use crate::cli::ExplainArgs;
use crate::show::{self, BAD, GOOD, STRONG, styled};
use crate::{course, isolation};

/// Tells a stored verdict, and replays it if asked.
pub(crate) fn run(args: &ExplainArgs) -> Result<ExitCode> {
    let run = Run::read(&args.run)?;
    run.check_submission(&args.who)?;
    let told = run.told(&args.who, args.lab.as_deref(), &args.test)?;
    let heading = format!("{} {} {}", printable(&args.who), told.lab, told.row.id);
    show::line(format_args!(
        "{}, part {}, {} points",
        styled(STRONG, heading),
        told.row.part,
        told.row.points
    ));
    tell(&told.verdict, told.evidence.as_ref());
    if args.replay {
        return replay(args, &run, &told);
    }
    if told.evidence.is_some() {
        let lab = args.lab.iter().map(|lab| format!(" --lab {lab}"));
        show::line(format_args!(
            "\nrun it again: cargo lab explain {} {} {}{} --replay",
            args.run.display(),
            args.who,
            args.test,
            lab.collect::<String>()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

fn replay(args: &ExplainArgs, run: &Run, told: &Told<'_>) -> Result<ExitCode> {
    let options = TestOptions::new(isolation::at_least(args.isolation)?, 1);
    let course = course::find()?;
    let helper = std::env::current_exe()?;
    let (verdict, evidence) = run.replay(&course, &args.who, told, &options, &helper)?;
    show::line(styled(STRONG, "\nreplayed"));
    tell(&verdict, evidence.as_ref());
    if verdict.outcome == told.verdict.outcome {
        show::line(styled(GOOD, "\nthe same outcome"));
        return Ok(ExitCode::SUCCESS);
    }
    let text = format!(
        "\nanother outcome: {} before, {} now",
        told.verdict.outcome, verdict.outcome
    );
    show::line(styled(BAD, text));
    Ok(ExitCode::from(4))
}

/// A verdict and its evidence. Whatever a submission said was made printable when it was judged;
/// what it wrote to standard error is made so here.
fn tell(verdict: &Verdict, evidence: Option<&Evidence>) {
    let style = if verdict.outcome == Outcome::Pass {
        GOOD
    } else {
        BAD
    };
    show::line(styled(style, verdict.outcome));
    if verdict.message.fields().next().is_some() {
        show::line(&verdict.message);
    }
    let Some(evidence) = evidence else {
        return;
    };
    show::line(format_args!(
        "\nevidence: seed {}, {} ms, {} ms of CPU, isolation {}",
        evidence.seed, evidence.wall_ms, evidence.cpu_ms, evidence.isolation
    ));
    if !evidence.missed.is_empty() {
        let missed = evidence.missed.join(", ");
        show::line(format_args!("never happened to it: {}", printable(&missed)));
    }
    if let Ended::Deadline { autopsy, .. } = &evidence.ended {
        for sentence in autopsy {
            show::line(format_args!("  {}", printable(sentence)));
        }
    }
    for program in &evidence.programs {
        tell_program(program);
    }
    if evidence.survivors > 0 {
        let n = evidence.survivors;
        show::line(format_args!(
            "  still alive at the end, and killed then: {n}"
        ));
    }
}

fn tell_program(program: &Program) {
    let end = match program.end {
        ProgramEnd::Running => "still running when the test was over".to_owned(),
        ProgramEnd::Exited(code) => format!("exited with {code}"),
        ProgramEnd::Signaled(signal) => format!("killed by signal {signal}"),
    };
    let by_test = if program.ended_by_test {
        ", ended by the test"
    } else {
        ""
    };
    let argv = printable(&program.argv.join(" "));
    show::line(format_args!("  {argv}: {end}{by_test}"));
    for line in printable(&program.stderr_tail).lines() {
        show::line(format_args!("    stderr: {line}"));
    }
}
