//! What the page of one submission is made from, as JSON.

use model::{Ended, Evidence, LabGrade, Program, ProgramEnd, TestGrade, printable};
use serde_json::{Value, json};

use super::lanes::Lanes;
use crate::{Entry, shown};

/// The whole submission.
pub(super) fn of(entry: &Entry) -> Value {
    let labs = entry.grade.labs.iter().enumerate();
    let labs: Vec<Value> = labs.map(|(at, one)| lab(entry, at, one)).collect();
    json!({ "notes": entry.grade.notes, "labs": labs })
}

fn lab(entry: &Entry, n_lab: usize, lab: &LabGrade) -> Value {
    let evidence = |n_test| entry.evidence.get(&(n_lab, n_test));
    let tests = lab.tests.iter().enumerate();
    let tests: Vec<Value> = tests.map(|(at, one)| test(one, evidence(at))).collect();
    let changes = lab.adjustments.iter();
    let mut remarks: Vec<String> = changes.map(shown::for_staff).collect();
    if let Some(weight) = lab.weight {
        remarks.push(format!("counts {} of {weight} in the total", lab.counts()));
    }
    json!({
        "lab": lab.lab,
        "status": lab.status.name(),
        "score": lab.score,
        "max": lab.max_score,
        "remarks": remarks,
        "detail": lab.detail,
        "tests": tests,
    })
}

/// A passed test needs no more than a line.
fn test(test: &TestGrade, evidence: Option<&Evidence>) -> Value {
    let mut value = json!({
        "id": test.id,
        "outcome": test.outcome.name(),
        "score": test.score,
        "max": test.max_score,
    });
    if test.outcome.is_pass() {
        return value;
    }
    let hung = evidence.is_some_and(|one| matches!(one.ended, Ended::Deadline { .. }));
    let label = |label| match label {
        // What a hung test says is the autopsy of its programs.
        "what" if hung => "autopsy",
        label => label,
    };
    let fields = test.message.fields();
    value["fields"] = fields
        .map(|(name, text)| json!([label(name), text]))
        .collect();
    if let Some(lanes) = Lanes::of(&test.message.timeline) {
        value["lanes"] = json!(lanes);
    }
    if let Some(evidence) = evidence {
        value["evidence"] = json!({
            "seed": evidence.seed,
            "wall_ms": evidence.wall_ms,
            "cpu_ms": evidence.cpu_ms,
            "isolation": evidence.isolation,
            "survivors": evidence.survivors,
            "programs": evidence.programs.iter().map(program).collect::<Vec<_>>(),
        });
    }
    value
}

fn program(program: &Program) -> Value {
    let end = match program.end {
        ProgramEnd::Running => "still running".to_owned(),
        ProgramEnd::Exited(code) => format!("exited with {code}"),
        ProgramEnd::Signaled(signal) => format!("killed by signal {signal}"),
    };
    let by_test = if program.ended_by_test {
        ", by the test"
    } else {
        ""
    };
    json!({
        "argv": printable(&program.argv.join(" ")),
        "end": format!("{end}{by_test}"),
        "stderr": printable(program.stderr_tail.trim_end()),
    })
}
