//! `compare`: the student's command, which staff also give to the solutions and to plain loops.

use std::process::ExitCode;

use anyhow::Result;
use student::paths::{self, LABS, Named};

use crate::cli::CompareArgs;
use crate::course;

/// Measures the solutions' functions.
const REFERENCE: Named = ("datapath-reference", "datapath-reference");

/// Does the same in loops that use nothing of the labs.
const PLAIN: Named = ("datapath-reference", "datapath-plain");

pub(crate) fn run(args: &CompareArgs) -> Result<ExitCode> {
    let measured = if args.student { LABS } else { REFERENCE };
    let floor = args.floor.then_some(PLAIN);
    paths::run(&course::root()?, &args.options, measured, floor)
}
