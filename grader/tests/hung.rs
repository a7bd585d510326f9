//! A submission whose every program hangs costs the detection of a deadlock, and no deadlines.

use std::path::Path;

use model::Outcome;
use pipeline::{Course, GradeOptions, Made, Subject, vary, write_long_ago};

/// The program ends at once, and its child keeps its output open for ever.
const ORPHANS: &str = r#"
extern "C" fn leave_a_child() {
    unsafe {
        if libc::fork() > 0 {
            libc::_exit(0);
        }
        loop {
            libc::pause();
        }
    }
}
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = leave_a_child;
"#;

#[test]
fn a_hang_costs_the_detection_of_a_deadlock_and_no_deadline() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let helper = Path::new(env!("CARGO_BIN_EXE_grader"));
    let course = Course::open(root).unwrap();
    let kits = course.kits(&course.select(&[]).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let submissions = folder.path().join("submissions");
    for kit in &kits {
        let reference = pipeline::sources(&course, kit, &Subject::Reference).unwrap();
        let hung = vary(&reference, 0, Made::Hung);
        write_long_ago(&submissions.join("hung"), &kit.lab.name, &hung).unwrap();
        let mut orphans = vary(&reference, 0, Made::Good);
        let library = orphans.get_mut("src/lib.rs").unwrap();
        library.extend_from_slice(ORPHANS.as_bytes());
        write_long_ago(&submissions.join("orphans"), &kit.lab.name, &orphans).unwrap();
    }
    let options = GradeOptions::new(helper, 2);
    let run = folder.path().join("run");
    let graded = pipeline::grade(&course, &submissions, &run, &options, &|_| {}).unwrap();
    let mut hung = Vec::new();
    let mut orphans = Vec::new();
    for submission in graded.marks.bare() {
        let outcomes = match submission.id.as_str() {
            "hung" => &mut hung,
            _ => &mut orphans,
        };
        for lab in submission.labs {
            let tests = lab.tests.into_iter();
            outcomes.extend(tests.map(|test| (test.outcome, lab.lab.clone(), test.id)));
        }
    }
    // A test is skipped if it needs one that failed.
    let n_deadlocks = |outcomes: &[(Outcome, _, _)]| {
        let deadlocks = outcomes.iter().filter(|it| it.0 == Outcome::Deadlock);
        deadlocks.count()
    };
    let mut others = hung.clone();
    others.retain(|it| !matches!(it.0, Outcome::Deadlock | Outcome::Skipped));
    assert!(others.is_empty(), "{others:#?}");
    assert!(n_deadlocks(&hung) > 10 * kits.len(), "{hung:#?}");
    // Some tests see at once that the program has ended.
    let waited = orphans.iter().find(|it| it.0 == Outcome::Hang);
    assert_eq!(waited, None, "{orphans:#?}");
    assert!(n_deadlocks(&orphans) > kits.len(), "{orphans:#?}");
}
