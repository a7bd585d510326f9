//! A synthetic run of any size: the journal of a class that nobody graded.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde_json::{Value, json};

/// Writes a journal in which about every fifth verdict is no pass, with messages and evidence of
/// the usual length.
pub(crate) fn write_journal(path: &Path, n_submissions: usize, n_labs: usize, n_tests: usize) {
    let mut journal = BufWriter::new(File::create(path).unwrap());
    let mut write = |record: Value| writeln!(journal, "{record}").unwrap();
    let labs: Vec<String> = (0..n_labs).map(|lab| format!("lab-{lab}")).collect();
    let row = |test: usize| {
        json!({
            "id": test_id(test), "part": test / 4 + 1, "points": 3, "needs": [],
            "limits": { "deadline_ms": 10_000, "output_bytes": 1_048_576 },
            "why": WHY, "read": READ, "hint": ["", "", ""],
        })
    };
    let rows: Vec<Value> = (0..n_tests).map(row).collect();
    let rubrics = labs.iter().map(|lab| json!({ "lab": lab, "rows": rows }));
    write(json!({
        "record": "run", "version": model::JOURNAL_VERSION, "course": "synthetic",
        "isolation": "B", "rubrics": rubrics.collect::<Vec<_>>(),
    }));
    for student in 0..n_submissions {
        let id = format!("student-{student:04}");
        write(json!({ "record": "submission", "id": id, "notes": [], "rejected": null }));
        for (n_lab, lab) in labs.iter().enumerate() {
            for test in 0..n_tests {
                // Some are good at everything and some at little, and no test is equally hard.
                let luck = (student * 7919 + n_lab * 104_729 + test * 1_299_709) % 100;
                let fails = luck < (student % 10) * 4 + test % 5;
                write(verdict(&id, lab, test, fails));
            }
        }
    }
}

const WHY: &str = "a reader sees the end of the file when the last write end is closed, wherever";
const READ: &str = "README part 7, pipe(7), `run_pipeline` in src/lib.rs";

fn test_id(test: usize) -> String {
    format!("the_end_of_stream_number_{test}_reaches_the_last_stage")
}

fn verdict(student: &str, lab: &str, test: usize, fails: bool) -> Value {
    let test = test_id(test);
    let what = format!(
        "{student} is blocked in read(0) on pipe:[77], which is empty; the write end is still open"
    );
    let text = |text: &str| {
        if fails {
            text.to_owned()
        } else {
            String::new()
        }
    };
    let finding =
        json!({ "symptom": "wrong", "what": what, "expected": "the end", "got": "silence" });
    json!({
        "record": "test", "submission": student, "lab": lab, "source": student, "test": test,
        "verdict": {
            "outcome": if fails { "fail" } else { "pass" },
            "message": {
                "what": text(&what), "expected": text("the end"), "got": text("silence"),
                "why": text(WHY), "read": text(READ),
                "again": text("cargo lab grade SUBMISSIONS --run NEW_RUN --lab pipes --test x --seed 1"),
            },
        },
        "evidence": {
            "ended": if fails { json!({ "how": "found", "finding": finding }) } else { json!({ "how": "clean" }) },
            "programs": [
                { "argv": ["pipes", "produce", "5"], "end": { "exited": 0 }, "ended_by_test": false, "stderr_tail": "" },
                { "argv": ["pipes", "cat"], "end": { "exited": 1 }, "ended_by_test": false, "stderr_tail": "pipes: read: Broken pipe\n" },
            ],
            "seed": 1_472_721_912_937_961_u64, "wall_ms": 120, "cpu_ms": 9, "isolation": "B", "survivors": 0,
        },
    })
}
