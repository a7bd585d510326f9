//! `bench`: what a submission costs here, beside the bare floor and beside plain cargo.
//!
//! Every figure is a ratio of things measured in turn in one run, since absolute times say more
//! about a machine, and about who else uses it, than about the grader.

mod class;
mod floor;
mod plain_cargo;
mod start;
mod table;

use std::process::ExitCode;

use anyhow::Result;
use pipeline::{Course, Kit, SourceTree, Subject, TestOptions, Workbench};

use crate::cli::{BenchArgs, Section};
use crate::commands::grade::{jobs, test_options};
use crate::interrupt::Interrupt;
use crate::{course, show};
use table::Table;

/// What all sections work with.
struct Bench<'a> {
    args: &'a BenchArgs,
    course: &'a Course,
    kit: &'a Kit,
    tests: TestOptions,
    reference: SourceTree,
    jobs: usize,
}

/// Runs the sections asked for and prints their figures.
pub(crate) fn run(args: &BenchArgs) -> Result<ExitCode> {
    let course = course::find()?;
    let interrupt = Interrupt::watch(&course.stop)?;
    match figures(args, &course) {
        Ok(table) => {
            table.print(args.json);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => interrupt.exit_code().ok_or(error),
    }
}

fn figures(args: &BenchArgs, course: &Course) -> Result<Table> {
    show::status("preparing dependencies and hidden tests");
    let kits = course.kits(&course.select(std::slice::from_ref(&args.lab))?)?;
    let kit = &kits[0];
    let bench = Bench {
        args,
        course,
        kit,
        tests: test_options(&args.running)?,
        reference: pipeline::sources(course, kit, &Subject::Reference)?,
        jobs: jobs(&args.running),
    };
    let mut table = Table::default();
    for section in Section::ALL {
        if args.only.is_empty() || args.only.contains(&section) {
            show::status(format_args!("measuring: {}", section.title()));
            match section {
                Section::Floor => floor::measure(&bench, &mut table)?,
                Section::Cargo => plain_cargo::measure(&bench, &mut table)?,
                Section::Class => class::measure(&bench, &mut table)?,
                Section::Hung => class::measure_hung(&bench, &mut table)?,
                Section::Jobs => class::measure_jobs(&bench, &mut table)?,
                Section::Memory => class::measure_memory(&bench, &mut table)?,
                Section::Start => start::measure(&mut table)?,
            }
        }
    }
    Ok(table)
}

impl Bench<'_> {
    fn workbench(&self) -> Result<Workbench<'_>> {
        Ok(Workbench {
            kit: self.kit,
            tests: self.tests.clone(),
            helper: std::env::current_exe()?,
        })
    }

    /// A submission that nobody has graded before.
    fn variant(&self, number: usize) -> SourceTree {
        pipeline::vary(&self.reference, number, pipeline::Made::Good)
    }
}
