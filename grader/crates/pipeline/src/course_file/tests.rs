//! Every mistake is named with its line and key, and the example is a valid file.

use super::*;
use model::{Limits, RubricRow};

fn rubrics() -> Vec<Rubric> {
    let row = |id: &str| RubricRow {
        id: id.into(),
        part: 1,
        points: 5,
        needs: Vec::new(),
        limits: Limits::DEFAULT,
        why: String::new(),
        read: String::new(),
        hint: Default::default(),
    };
    let rows = vec![
        row("bytes_arrive_unchanged_however_they_are_cut"),
        row("eof_arrives"),
    ];
    let lab = "pipes".to_owned();
    vec![Rubric { lab, rows }]
}

fn parsed(text: &str) -> Result<Policy, Wrong> {
    parse(text, &rubrics(), &["ann".into(), "bob".into()])
}

/// Line, key and reason of what is wrong.
fn wrong(text: &str) -> (usize, String, String) {
    let (span, reason) = parsed(text).expect_err(text);
    let (line, key) = place(text, &span);
    (line, key, reason)
}

#[test]
fn every_mistake_is_named_by_line_and_key() {
    let deadline = "[labs.pipes]\ndeadline = 2026-10-12T23:59:00+02:00\n";
    let change = |keys: &str| {
        format!("[[override]]\nsubmission='ann'\nlab='pipes'\nauthor='G'\nreason='r'\n{keys}")
    };
    let cases = [
        (
            "\nrevael = 'none'".to_owned(),
            2,
            "key `revael`",
            "unknown field `revael`",
        ),
        (
            "reveal = 'all'".into(),
            1,
            "key `reveal`",
            "expected one of `none`",
        ),
        (
            "[late]\nfree_days = '2'".into(),
            2,
            "key `free_days`",
            "invalid type: string",
        ),
        (
            "[late]\npenalty_percent = 101".into(),
            2,
            "key `penalty_percent`",
            "more than 100",
        ),
        (
            "\n[labs.pipse]\nweight = 2".into(),
            2,
            "table [labs.pipse]",
            "there are pipes",
        ),
        (
            "[labs.pipes]\nweight = -1".into(),
            2,
            "key `weight`",
            "expected u32",
        ),
        (
            "[labs.pipes.tests.eof]\npoints = 1".into(),
            1,
            "table [labs.pipes.tests.eof]",
            "eof_arrives",
        ),
        (
            "[labs.pipes.tests]\neof_arrives = { point = 1 }".into(),
            2,
            "key `point`",
            "unknown field",
        ),
        (
            "[labs.pipes]\ndeadline = 2026-10-12".into(),
            2,
            "key `deadline`",
            "an offset",
        ),
        (
            format!("{deadline}[handed_in]\namy = {{}}"),
            4,
            "key `amy`",
            "there are ann, bob",
        ),
        (
            format!("{deadline}[handed_in]\nann = {{ pipes = 3 }}"),
            4,
            "key `pipes`",
            "datetime",
        ),
        (
            format!("{deadline}[handed_in]\nann = {{ shm = 2026-10-12T23:59:00Z }}"),
            4,
            "key `shm`",
            "no lab called shm",
        ),
        (
            "[handed_in]\nann = { pipes = 2026-10-12T23:59:00Z }".into(),
            2,
            "key `pipes`",
            "no deadline",
        ),
        (change("points = 11"), 6, "key `points`", "more than all 10"),
        (
            change("test = 'eof_arrives'\npoints = 6"),
            7,
            "key `points`",
            "more than all 5",
        ),
        (
            change("test = 'no'\npoints = 5"),
            6,
            "key `test`",
            "no test called no",
        ),
        (
            change("points = 5\nlate_days = 1"),
            1,
            "table [[override]]",
            "either `points`",
        ),
        (
            change("points = 5") + "\n" + &change("points = 6"),
            7,
            "table [[override]]",
            "a second override",
        ),
        (
            change("points = 5").replace("reason='r'\n", ""),
            1,
            "table [[override]]",
            "missing field `reason`",
        ),
        (
            change("points = 5").replace("'G'", "' '"),
            4,
            "key `author`",
            "not empty",
        ),
        (
            change("points = 5").replace("'ann'", "'amy'"),
            2,
            "key `submission`",
            "called amy",
        ),
        ("[late".into(), 1, "table [late", "unclosed"),
    ];
    for (text, line, key, reason) in cases {
        let got = wrong(&text);
        assert_eq!((got.0, got.1.as_str()), (line, key), "{text}\n{}", got.2);
        assert!(got.2.contains(reason), "{text}\n{}", got.2);
    }
}

#[test]
fn the_example_is_valid_as_it_is_and_with_every_example_line_in_use() {
    let plain = parsed(EXAMPLE_COURSE).expect("the example is a valid file");
    assert_eq!(plain.labs["pipes"].weight, Some(20));
    let in_use = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        _ => line.to_owned(),
    };
    let all: Vec<String> = EXAMPLE_COURSE.lines().map(in_use).collect();
    let all = parsed(&all.join("\n")).expect("every example line is valid");
    assert_eq!(all.late_days[&("ann".to_owned(), "pipes".to_owned())], 2);
    assert_eq!(all.overrides.len(), 2);
}

#[test]
fn every_begun_day_after_the_grace_counts() {
    let day = 86_400;
    for (late_by, days) in [
        (-5, 0),
        (0, 0),
        (600, 0),
        (601, 1),
        (day + 600, 1),
        (day + 601, 2),
    ] {
        assert_eq!(late_days(late_by, 10), days, "{late_by} s");
    }
}
