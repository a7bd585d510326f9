//! What the page of one submission is made from, as JSON.

use model::{
    Ended, Evidence, LabGrade, Program, ProgramEnd, SubmissionGrade, TestGrade, printable,
};
use serde_json::{Value, json};

use super::Page;
use super::lanes::Lanes;
use crate::shown;

/// One value a submission, in their order.
pub(super) fn of(page: &Page<'_>) -> impl Iterator<Item = Value> {
    let submissions = page.gradebook.submissions.iter();
    submissions.map(|one| submission(page, one))
}

fn submission(page: &Page<'_>, submission: &SubmissionGrade) -> Value {
    let labs = submission.labs.iter();
    let labs: Vec<Value> = labs.map(|one| lab(page, &submission.id, one)).collect();
    json!({ "notes": submission.notes, "labs": labs })
}

fn lab(page: &Page<'_>, submission: &str, lab: &LabGrade) -> Value {
    let evidence = |test: &TestGrade| {
        let key = (submission, lab.lab.as_str(), test.id.as_str());
        page.evidence.get(&key).copied()
    };
    let tests = lab.tests.iter();
    let tests: Vec<Value> = tests.map(|one| test(one, evidence(one))).collect();
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
