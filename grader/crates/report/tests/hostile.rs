//! Whatever a submission says is shown as text, in every format.

#![expect(clippy::unwrap_used, reason = "a test stops where it is surprised")]

use model::{
    Clock, Gradebook, LabGrade, LabStatus, Message, Outcome, SubmissionGrade, TestGrade, Timeline,
    TimelineRow,
};
use report::{BoxUse, Class, Document, Entry};

const HOSTILE: &str = "<script>alert(1)</script> \u{1b}[31m ``` & \"quoted\" ' --></pre>";

fn gradebook() -> Gradebook {
    let test = |id: &str, outcome: Outcome| TestGrade {
        id: id.into(),
        part: 1,
        outcome,
        score: if outcome.is_pass() { 3 } else { 0 },
        max_score: 3,
        message: Message {
            what: HOSTILE.into(),
            got: "0".into(),
            timeline: Timeline {
                clock: Clock::Microseconds,
                columns: vec!["reader".into()],
                rows: vec![TimelineRow {
                    at: 1500,
                    column: 0,
                    text: format!("open({HOSTILE})"),
                    effect: Some("EINTR".into()),
                    after_gap: true,
                }],
            },
            ..Message::default()
        },
        reveal: Default::default(),
        seed: 7,
        wall_ms: 1,
        cpu_ms: 1,
    };
    let graded = LabGrade {
        lab: "pipes".into(),
        status: LabStatus::Graded,
        score: 3,
        max_score: 6,
        detail: String::new(),
        weight: None,
        adjustments: Vec::new(),
        is_settled: false,
        tests: vec![
            test("eof_arrives", Outcome::Pass),
            test("bytes_survive", Outcome::Hang),
        ],
    };
    let broken = LabGrade {
        status: LabStatus::BuildError,
        score: 0,
        detail: HOSTILE.into(),
        tests: Vec::new(),
        ..graded.clone()
    };
    let open = LabGrade {
        status: LabStatus::GraderFault,
        ..graded.clone()
    };
    let submission = |id: &str, lab: LabGrade| SubmissionGrade {
        id: id.into(),
        notes: vec![format!("left out: {HOSTILE}")],
        labs: vec![lab],
    };
    Gradebook {
        version: Gradebook::VERSION,
        isolation: "B".into(),
        not_promised: vec!["memory of <all> processes together".into()],
        submissions: vec![
            submission("=cmd|' /C calc'!A0", graded),
            submission(HOSTILE, broken),
            submission("carol, \"the third\"", open),
        ],
    }
}

fn class(gradebook: &Gradebook) -> Class {
    Class {
        isolation: gradebook.isolation.clone(),
        not_promised: gradebook.not_promised.clone(),
        labs: vec!["pipes".into()],
        n_submissions: gradebook.submissions.len(),
    }
}

/// Writes every submission to a document.
fn write(gradebook: &Gradebook, mut document: impl Document) {
    document.begin().unwrap();
    for submission in &gradebook.submissions {
        let entry = Entry {
            grade: submission.clone(),
            evidence: Default::default(),
        };
        document.add(&entry).unwrap();
    }
    document.end().unwrap();
}

fn page(gradebook: &Gradebook, boxes: &[BoxUse]) -> String {
    let mut out = Vec::new();
    let bare = &mut gradebook.submissions.iter().cloned();
    write(
        gradebook,
        report::html(&mut out, &class(gradebook), bare, boxes),
    );
    String::from_utf8(out).unwrap()
}

fn json(gradebook: &Gradebook) -> Vec<u8> {
    let mut out = Vec::new();
    write(gradebook, report::results_json(&mut out, &class(gradebook)));
    out
}

#[test]
fn the_page_says_what_the_isolation_could_not_promise() {
    let gradebook = gradebook();
    let page = |not_promised: Vec<String>| {
        let level = BoxUse {
            level: "B".into(),
            description: "a box".into(),
            not_promised,
            n_tests: 3,
        };
        page(&gradebook, &[level])
    };
    let missing = "memory of <all> processes together".to_owned();
    assert!(page(vec![missing]).contains("memory of &lt;all&gt; processes together"));
    assert!(!page(Vec::new()).contains("processes together"));
}

#[test]
fn html_holds_no_tag_that_a_submission_wrote() {
    let gradebook = gradebook();
    let page = page(&gradebook, &[]);
    assert!(!page.contains("<script>alert"), "unescaped");
    assert!(!page.contains("--></pre>"), "unescaped");
    assert!(page.contains("&lt;script&gt;alert(1)"), "shown as text");
    assert_eq!(
        page.matches("<script").count(),
        1 + gradebook.submissions.len(),
        "only the page's own script, and the data of each submission"
    );
    let ends = page.matches("</script").count();
    assert_eq!(ends, 1 + gradebook.submissions.len());
    assert!(
        !page.contains("http://") && !page.contains("https://"),
        "nothing from the network"
    );
}

#[test]
fn recorded_calls_are_a_picture_on_the_page_and_columns_in_the_feedback() {
    let gradebook = gradebook();
    let page = page(&gradebook, &[]);
    assert!(
        page.contains(r#""lanes":[{"name":"reader","x":90}]"#),
        "{page}"
    );
    assert!(
        page.contains(r#""time":"1.500 ms","x":90,"y":82}"#),
        "{page}"
    );
    let text = String::from_utf8(report::feedback(&gradebook.submissions[0])).unwrap();
    assert!(
        text.contains("        ms  reader\n       ...\n     1.500  open("),
        "{text}"
    );
}

#[test]
fn feedback_shows_hostile_text_only_as_code() {
    for submission in &gradebook().submissions {
        let text = String::from_utf8(report::feedback(submission)).unwrap();
        let mut fence: Option<usize> = None;
        for line in text.lines() {
            let ticks = line.chars().take_while(|&c| c == '`').count();
            match fence {
                Some(open) if ticks >= open && line.trim_matches('`').is_empty() => fence = None,
                Some(_) => {}
                None if ticks >= 3 => fence = Some(ticks),
                None => assert!(
                    !line.contains("<script>"),
                    "outside of a code block: {line}"
                ),
            }
        }
        assert_eq!(fence, None, "a fence of {} is left open", submission.id);
    }
}

#[test]
fn csv_reads_back_and_starts_no_formula() {
    let gradebook = gradebook();
    let mut bytes = Vec::new();
    write(
        &gradebook,
        report::grades_csv(&mut bytes, &class(&gradebook)),
    );
    let mut table = csv::Reader::from_reader(bytes.as_slice());
    let header: Vec<String> = table.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(
        header,
        ["submission", "pipes", "pipes status", "total", "max"]
    );
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(&rows[0][0], "'=cmd|' /C calc'!A0");
    assert_eq!(
        rows[0].iter().skip(1).collect::<Vec<_>>(),
        ["3", "graded", "3", "6"]
    );
    assert_eq!(&rows[1][0], HOSTILE);
    // A mark that is open because of us is no zero: it is empty.
    assert_eq!(
        rows[2].iter().skip(1).collect::<Vec<_>>(),
        ["", "grader_fault", "", "6"]
    );
}

#[test]
fn json_is_the_gradebook_itself() {
    let mut gradebook = gradebook();
    let bytes = json(&gradebook);
    let mut expected = serde_json::to_vec_pretty(&gradebook).unwrap();
    expected.push(b'\n');
    assert_eq!(bytes, expected, "as if it were written in one piece");
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(
        value["submissions"][0]["labs"][0]["tests"][1]["outcome"],
        "hang"
    );

    gradebook.submissions.clear();
    let empty: Gradebook = serde_json::from_slice(&json(&gradebook)).unwrap();
    assert_eq!(empty, gradebook);
}
