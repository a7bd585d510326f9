//! The same files under several names are graded once: everybody gets the same verdicts, and the
//! evidence for them.

use std::fs;
use std::path::Path;

use model::{LabStatus, Record};

#[test]
fn the_same_files_are_graded_once_and_count_for_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let solved = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/class/submissions/solved/labs/pipes/src/lib.rs");
    let solved = fs::read_to_string(solved).unwrap();
    let broken = format!("{solved}\nfn wrong() -> u32 {{ \"text\" }}\n");
    for (id, text) in [
        ("amy", &solved),
        ("bob", &solved),
        ("cid", &broken),
        ("dan", &broken),
        ("eve", &solved),
    ] {
        let src = folder.path().join("submissions").join(id).join("pipes/src");
        fs::create_dir_all(&src).unwrap();
        fs::write(src.join("lib.rs"), text).unwrap();
    }
    let run = folder.path().join("run");
    let grade = || {
        assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"))
            .arg("grade")
            .arg(folder.path().join("submissions"))
            .arg("--run")
            .arg(&run)
            .args(["--lab", "pipes"])
            .assert()
    };
    grade().code(0);

    let journal = fs::read_to_string(run.join("journal.jsonl")).unwrap();
    let records: Vec<Record> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |id: &str| -> Vec<String> {
        let mut found: Vec<String> = records
            .iter()
            .filter_map(|record| match record {
                Record::Test {
                    submission,
                    test,
                    verdict,
                    evidence,
                    ..
                } if submission == id => Some(format!("{test} {verdict:?} {evidence:?}")),
                Record::Lab {
                    submission,
                    status,
                    detail,
                    ..
                } if submission == id => {
                    assert_eq!(*status, LabStatus::BuildError);
                    Some(detail.clone())
                }
                _ => None,
            })
            .collect();
        found.sort();
        found
    };
    assert!(of("amy").len() > 5 && of("cid").len() == 1);
    // Seeds and CPU times are in the evidence: equal ones come from one run.
    assert_eq!([of("bob"), of("eve")], [of("amy"), of("amy")]);
    assert_eq!(of("dan"), of("cid"));

    grade().code(0);
    let after = fs::read_to_string(run.join("journal.jsonl")).unwrap();
    assert!(after == journal, "copied verdicts are final");
}
