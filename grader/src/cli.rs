//! The command line: what each reader may ask for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use pipeline::BuildMode;
use sandbox::Level;
use student::PathOptions;

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
    Report(ReportArgs),
    Diff(DiffArgs),
    Explain(ExplainArgs),
    Verify(VerifyArgs),
    Bench(BenchArgs),
    Publish(PublishArgs),
    Compare(CompareArgs),
    /// Say what this machine can do: each isolation level is tried for real
    #[command(after_help = "\
Example:
  cargo lab doctor

Exit codes: 0 told, whatever this machine can do; 1 not; 2 wrong usage.")]
    Doctor,
    /// Print the book's page of all commands
    #[command(name = "__reference", hide = true)]
    Reference,
    #[command(flatten)]
    Student(student::Command),
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
missing because the grader itself failed there; 130 stopped by Ctrl-C, 143 by
SIGTERM, 129 by a closed terminal: the same command goes on.")]
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
    /// One line for each lab of each submission instead of bars, also on a terminal
    #[arg(long, conflicts_with = "quiet")]
    pub(crate) plain: bool,
}

/// Make reports again from a run's journal.
///
/// Nothing is graded or run: marks are made from the verdicts in RUN/journal.jsonl and the rules
/// in RUN/course.toml. Without --format, the files that grading leaves in RUN are written anew.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab report run
  cargo lab report run --course course.toml --reveal category
  cargo lab report run --format csv >grades.csv
  cargo lab report run --format gradescope --output gradescope
  cargo lab report run --format gradescope --submission ann
  cargo lab report --example-course >course.toml

Exit codes: 0 done; 1 the run, the rules or the disk said no; 2 wrong usage.")]
pub(crate) struct ReportArgs {
    /// Folder of a run
    #[arg(required_unless_present = "example_course")]
    pub(crate) run: Option<PathBuf>,
    /// Make only this format
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Where to [default: standard output]; for gradescope a folder with one file a submission
    #[arg(long, short, value_name = "PATH", requires = "format")]
    pub(crate) output: Option<PathBuf>,
    /// Only this submission (may be given more than once)
    #[arg(long = "submission", value_name = "WHO", requires = "format")]
    pub(crate) submissions: Vec<String>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// Print a commented course.toml and do nothing else. Edit it first: what is not commented out
    /// applies at once
    #[arg(long, exclusive = true)]
    pub(crate) example_course: bool,
}

/// Say whose marks differ between two runs, in which test, and why.
///
/// A mark differs because other code was handed in, because the tests are others, because the
/// rules beside the journal count differently, or because the same code and the same tests had
/// another verdict: a flake.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab diff run regraded
  cargo lab diff monday tuesday --only-flakes

Exit codes: 0 nothing differs; 1 something does; 2 wrong usage, or a run cannot
be read.")]
pub(crate) struct DiffArgs {
    /// Folder of the first run
    pub(crate) run_a: PathBuf,
    /// Folder of the second run
    pub(crate) run_b: PathBuf,
    /// Only verdicts that differ on the same code and the same tests
    #[arg(long)]
    pub(crate) only_flakes: bool,
}

/// Say why one test of one submission got its verdict.
///
/// Shows the stored verdict in its five fields and the evidence that it was made from. With
/// --replay the same test runs again in the box, on the files that were graded and with the same
/// seed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab explain run ann the_end_of_the_file_reaches_the_last_stage
  cargo lab explain run ann the_end_of_the_file_reaches_the_last_stage --replay

Exit codes: 0 told, and a replay had the same outcome; 1 something was not
there or could not be run; 2 wrong usage; 4 the replay had another outcome.")]
pub(crate) struct ExplainArgs {
    /// Folder of a run
    pub(crate) run: PathBuf,
    /// The submission
    pub(crate) who: String,
    /// The hidden test
    pub(crate) test: String,
    /// The lab, where two labs have a test of that name
    #[arg(long)]
    pub(crate) lab: Option<String>,
    /// Run it again with the same seed
    #[arg(long)]
    pub(crate) replay: bool,
    /// Refuse to run on a weaker isolation level than this
    #[arg(long, value_name = "LEVEL", default_value = "B", requires = "replay")]
    pub(crate) isolation: Level,
}

/// By which rules marks are made.
#[derive(Debug, Args)]
pub(crate) struct RulesArgs {
    /// The course's own rules [default: RUN/course.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    pub(crate) course: Option<PathBuf>,
    /// How much of a failed hidden test submitters are shown, whatever the rules say
    #[arg(long, value_name = "LEVEL")]
    pub(crate) reveal: Option<RevealLevel>,
}

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One page for staff, with nothing from the network
    Html,
    /// One row a submission, for spreadsheets
    Csv,
    /// All marks, for programs
    Json,
    /// JUnit XML, for CI systems
    Junit,
    /// Gradescope's results.json, one for each submission
    Gradescope,
    /// A table of marks
    Markdown,
}

/// How much of a failed hidden test its submitter is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RevealLevel {
    /// That a test of some part did not pass
    None,
    /// Its name, its outcome and the rule behind it
    Category,
    /// Everything, also the input that it failed on
    Counterexample,
}

/// Check the hidden tests themselves.
///
/// The reference and every correct solution in grader/labs/<lab>/correct must pass every test, an
/// untouched stub none, and every wrong solution in grader/labs/<lab>/wrong must fail exactly the
/// tests that its patch names.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab verify
  cargo lab verify --lab pipes --subject reference --repeat 200
  cargo lab verify --lab pipes --subject reference --repeat 9 --times
  cargo lab verify --lab pipes --caught --repeat 200
  cargo lab verify --lab pipes --build cargo
  cargo lab verify --mutants --lab pipes
  cargo lab verify --lab shm --subject all-in-libc
  cargo lab verify --attacks
  cargo lab verify --attacks --subject fork-bomb --level A --level E
  cargo lab verify --lab shm --level D --level E
  cargo lab verify --lab pipes --subject reference --repeat 200 --busy 2

Exit codes: 0 all as known; 1 not, or an attack was a breach; 2 wrong usage.")]
pub(crate) struct VerifyArgs {
    /// Verify only this lab (may be given more than once)
    #[arg(long = "lab", value_name = "LAB")]
    pub(crate) labs: Vec<String>,
    /// Only this subject: reference, stub, a name from correct/ or wrong/, or with --attacks the
    /// name of an attack (may be given more than once)
    #[arg(long = "subject", value_name = "NAME")]
    pub(crate) subjects: Vec<String>,
    /// Run each subject so often
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) repeat: u32,
    /// Run only the wrong solutions, each with the tests that must catch it: for many repetitions
    #[arg(long, conflicts_with_all = ["attacks", "mutants", "tests"])]
    pub(crate) caught: bool,
    /// Say what each test took, too
    #[arg(long, conflicts_with_all = ["attacks", "mutants"])]
    pub(crate) times: bool,
    /// Hand in the hostile submissions of grader/attacks instead, and look for a breach: on every
    /// isolation level that this machine can offer to you, the lower ones with abilities taken away
    #[arg(long, conflicts_with_all = ["labs", "repeat", "tests", "isolation"])]
    pub(crate) attacks: bool,
    /// On this isolation level, with abilities taken away if it is not the best one here (may be
    /// given more than once); with --attacks it is all levels otherwise
    #[arg(long = "level", value_name = "LEVEL", conflicts_with = "isolation")]
    pub(crate) levels: Vec<Level>,
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

/// Measure what grading costs on this machine, as ratios to the bare compilers and to plain cargo.
///
/// The classes are made up from the reference. Quiet the machine first: other work shows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab bench                             a few minutes
  cargo lab bench --only floor --pairs 9
  cargo lab bench --only class --sizes 50,100,200,1000
  cargo lab bench --only hung --hung-of 200
  cargo lab bench --json >figures.json

Exit codes: 0 measured, whether goals are reached or not; 1 not; 2 wrong usage.")]
pub(crate) struct BenchArgs {
    /// The lab to measure with
    #[arg(long, default_value = "pipes", value_name = "LAB")]
    pub(crate) lab: String,
    /// Only these sections
    #[arg(long, value_enum, value_delimiter = ',', value_name = "SECTION,…")]
    pub(crate) only: Vec<Section>,
    /// So many pairs of measurements where pairs are compared
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(crate) pairs: usize,
    /// Sizes of the classes with 5 % hung and 5 % not compiling
    #[arg(long, value_delimiter = ',', default_value = "20", value_name = "N,…")]
    pub(crate) sizes: Vec<usize>,
    /// Size of the classes that are compared with and without hung submissions
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) hung_of: usize,
    /// Size of the class of copies that the grader's memory is measured with
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub(crate) copies: usize,
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) running: RunningArgs,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// Compiling and grading one submission beside bare rustc and bare hidden tests
    Floor,
    /// The same beside `cargo test`, with a target folder for each and one for all
    Cargo,
    /// Classes: submissions a minute, cost of each, memory
    Class,
    /// A class with hung submissions beside one without
    Hung,
    /// Two jobs on two cores beside one job on one
    Jobs,
    /// Memory of the grader itself for a large class that hands in the same files
    Memory,
    /// Starting the grader
    Start,
}

impl Section {
    pub(crate) const ALL: [Self; 7] = [
        Self::Floor,
        Self::Cargo,
        Self::Class,
        Self::Hung,
        Self::Jobs,
        Self::Memory,
        Self::Start,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Floor => "one submission beside bare compilers and tests",
            Self::Cargo => "one submission beside plain cargo",
            Self::Class => "classes",
            Self::Hung => "a class with hung submissions",
            Self::Jobs => "two jobs beside one",
            Self::Memory => "a large class of copies",
            Self::Start => "starting the grader",
        }
    }
}

/// Who calls rustc.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Build {
    /// The grader itself, in a box
    #[default]
    Direct,
    /// Plain cargo, outside the box and slow: only for code that you wrote yourself
    Cargo,
}

impl From<Build> for BuildMode {
    fn from(build: Build) -> Self {
        match build {
            Build::Direct => Self::Direct,
            Build::Cargo => Self::Cargo,
        }
    }
}

/// How submissions are run.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunningArgs {
    /// Compilers at a time, each with a core; tests share what is left [default: number of cores]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Run only this hidden test (may be given more than once)
    #[arg(long = "test", value_name = "ID")]
    pub(crate) tests: Vec<String>,
    /// Who calls rustc for a submission
    #[arg(long, value_enum, default_value_t, value_name = "MODE")]
    pub(crate) build: Build,
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

/// Compare the data paths: the same stream over every mechanism.
///
/// One process sends messages to another one, through pipes, sockets, queues and shared memory in
/// turn. Pipe and shared memory are moved by the labs' own functions. Without options it takes less
/// than a minute and writes nothing but the table.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  cargo lab compare
  cargo lab compare --out paths
  cargo lab compare --via pipe,shm-semaphores --sizes 64,64K,1M --repeat 7
  cargo lab compare --via pipe,shm-semaphores,shm-spinning --floor

Mechanisms: pipe, fifo, unix-stream, unix-datagram, tcp, mqueue,
shm-semaphores, shm-spinning.

DIR then holds compare.html (the page, with the path drawn for each mechanism),
compare.svg (the plot) and compare.json.

Exit codes: 0 measured; 1 nothing could be; 2 wrong usage; 3 some could not.")]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) options: PathOptions,
    /// Measure plain loops beside the labs' functions, and say how much longer those take
    #[arg(long)]
    pub(crate) floor: bool,
    /// Let the functions in labs/ move the bytes, which students write, instead of the solutions'
    #[arg(long)]
    pub(crate) student: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
