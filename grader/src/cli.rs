//! The command line: what each reader may ask for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sandbox::Level;

/// Grades, verifies and publishes the labs of the course.
#[derive(Debug, Parser)]
#[command(
    name = "cargo lab",
    bin_name = "cargo lab",
    version,
    arg_required_else_help = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Grade(GradeArgs),
    Verify(VerifyArgs),
    Publish(PublishArgs),
    Doctor,
}

/// Grade a folder of submissions.
///
/// Each entry of SUBMISSIONS is one submission: a folder, a .zip or a .tar.gz, named after its
/// submitter and holding <lab>/src/*.rs or a whole student tree. The same command resumes a run
/// that was interrupted.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab grade grader/fixtures/class/submissions --run run
  cargo lab grade handed-in --run run --lab pipes --jobs 4

RUN holds journal.jsonl (the truth), results.json, grades.csv, report.html and
feedback/<submission>.md.

Exit codes: 0 every submission got a verdict, whatever the marks; 1 something
stopped the run (what was graded is kept); 2 wrong usage; 3 some marks are
missing because the grader itself failed there.")]
pub(crate) struct GradeArgs {
    /// Folder with one entry for each submission
    pub(crate) submissions: PathBuf,
    /// Folder for the journal and the reports; created, or resumed
    #[arg(long)]
    pub(crate) run: PathBuf,
    /// Grade only this lab (may be given more than once)
    #[arg(long = "lab", value_name = "LAB")]
    pub(crate) labs: Vec<String>,
    #[command(flatten)]
    pub(crate) running: RunningArgs,
    /// Say nothing but errors
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

/// Check the hidden tests themselves.
///
/// The reference must pass every test, an untouched stub none, and every wrong solution in
/// grader/labs/<lab>/wrong must fail exactly the tests that its patch names.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab verify
  cargo lab verify --lab pipes --subject reference --repeat 200
  cargo lab verify --mutants --lab pipes
  cargo lab verify --attacks
  cargo lab verify --attacks --subject fork-bomb --isolation A
  cargo lab verify --lab pipes --subject reference --repeat 200 --busy 2

Exit codes: 0 all as known; 1 not, or an attack was a breach; 2 wrong usage.")]
pub(crate) struct VerifyArgs {
    /// Verify only this lab (may be given more than once)
    #[arg(long = "lab", value_name = "LAB")]
    pub(crate) labs: Vec<String>,
    /// Only this subject: reference, stub, the name of a patch, or with --attacks the name of an
    /// attack (may be given more than once)
    #[arg(long = "subject", value_name = "NAME")]
    pub(crate) subjects: Vec<String>,
    /// Run each subject so often
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) repeat: u32,
    /// Hand in the hostile submissions of grader/attacks instead, and look for a breach
    #[arg(long, conflicts_with_all = ["labs", "repeat", "tests"])]
    pub(crate) attacks: bool,
    /// Change the references in many small ways instead (with cargo-mutants, which must be
    /// installed), and look for a change that no hidden test notices
    #[arg(long, conflicts_with = "attacks")]
    pub(crate) mutants: bool,
    /// Keep so many threads spinning all the while, to see that nothing depends on a quiet machine
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub(crate) busy: usize,
    #[command(flatten)]
    pub(crate) running: RunningArgs,
}

/// How submissions are run.
#[derive(Debug, Args)]
pub(crate) struct RunningArgs {
    /// Labs of submissions graded at a time [default: number of cores]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Run only this hidden test (may be given more than once)
    #[arg(long = "test", value_name = "ID")]
    pub(crate) tests: Vec<String>,
    /// Seed of everything random in the tests, to repeat a run
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Refuse to run on a weaker isolation level than this
    #[arg(long, value_name = "LEVEL", default_value = "B")]
    pub(crate) isolation: Level,
    /// Run without any isolation: only for code that you wrote yourself
    #[arg(long, conflicts_with = "isolation")]
    pub(crate) i_trust_this_code: bool,
}

/// Regenerate labs/ from solutions/, or write the tree that students clone.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab publish                 regenerate labs/ from solutions/
  cargo lab publish --check         say whether labs/ is what solutions/ generates
  cargo lab publish ../course       the tree that students clone
  cargo lab publish --solutions pipes,shm ../course

Exit codes: 0 done, or labs/ is up to date; 1 not; 2 wrong usage.")]
pub(crate) struct PublishArgs {
    /// Folder to write the students' tree to; without it, labs/ is regenerated
    pub(crate) dir: Option<PathBuf>,
    /// Only say whether labs/ is what solutions/ generates
    #[arg(long, conflicts_with_all = ["dir", "solutions"])]
    pub(crate) check: bool,
    /// Add the reference solutions of these closed labs, answers included
    #[arg(long, value_delimiter = ',', value_name = "LAB,…", requires = "dir")]
    pub(crate) solutions: Vec<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
