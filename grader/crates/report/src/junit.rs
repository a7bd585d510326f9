//! `junit.xml`: for CI systems and test viewers. One suite a lab of a submission, one case a test.
//!
//! Many readers keep only one reason a case, so there is at most one: `failure` for wrong
//! behaviour, `error` for a program or a grader that did not get to an answer, `skipped`.

use std::io::{self, Write};

use model::{LabGrade, LabStatus, Outcome, SubmissionGrade, TestGrade};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::{Document, Entry};

/// The class as JUnit XML, with a final newline. The file begins with its sums, so everything that
/// follows has to be known without its words.
pub fn junit<W: Write>(
    out: W,
    bare: &mut dyn Iterator<Item = SubmissionGrade>,
) -> impl Document + use<W> {
    let labs = bare.flat_map(|submission| submission.labs);
    let counts = labs.map(|lab| Counts::of(&lab));
    let total = counts.fold(Counts::default(), |sum, counts| sum.plus(&counts));
    Junit {
        xml: Writer::new_with_indent(out, b' ', 2),
        total,
    }
}

struct Junit<W> {
    xml: Writer<W>,
    total: Counts,
}

const ALL: &str = "testsuites";

impl<W: Write> Document for Junit<W> {
    fn begin(&mut self) -> io::Result<()> {
        let declaration = BytesDecl::new("1.0", Some("UTF-8"), None);
        self.xml.write_event(Event::Decl(declaration))?;
        let attributes = self.total.attributes("grades");
        let all = BytesStart::new(ALL).with_attributes(attributes.each());
        self.xml.write_event(match self.total.tests {
            0 => Event::Empty(all),
            _ => Event::Start(all),
        })
    }

    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let labs = &mut entry.grade.labs.iter();
        labs.try_for_each(|lab| suite(&mut self.xml, &entry.grade, lab))
    }

    fn end(&mut self) -> io::Result<()> {
        if self.total.tests > 0 {
            self.xml.write_event(Event::End(BytesEnd::new(ALL)))?;
        }
        writeln!(self.xml.get_mut())
    }
}

fn suite<W: Write>(xml: &mut Writer<W>, of: &SubmissionGrade, lab: &LabGrade) -> io::Result<()> {
    let name = valid(&format!("{}.{}", of.id, lab.lab));
    xml.create_element("testsuite")
        .with_attributes(Counts::of(lab).attributes(&name).each())
        .write_inner_content(|xml| {
            properties(
                xml,
                &[
                    ("points", lab.score.to_string()),
                    ("max_points", lab.max_score.to_string()),
                    ("status", lab.status.name().to_owned()),
                ],
            )?;
            match lab.status {
                LabStatus::Graded | LabStatus::GraderFault if !lab.tests.is_empty() => {}
                _ => whole_lab(xml, &name, lab)?,
            }
            lab.tests.iter().try_for_each(|test| case(xml, &name, test))
        })
        .map(drop)
}

/// A lab that came to no test is one case of its own.
fn whole_lab<W: Write>(xml: &mut Writer<W>, suite: &str, lab: &LabGrade) -> io::Result<()> {
    let reason = match lab.status {
        LabStatus::Missing => "skipped",
        _ => "error",
    };
    xml.create_element("testcase")
        .with_attributes([("name", "build"), ("classname", suite), ("time", "0.000")])
        .write_inner_content(|xml| because(xml, reason, lab.status.name(), &lab.detail))
        .map(drop)
}

fn case<W: Write>(xml: &mut Writer<W>, suite: &str, test: &TestGrade) -> io::Result<()> {
    let time = seconds(test.wall_ms);
    xml.create_element("testcase")
        .with_attributes([
            ("name", test.id.as_str()),
            ("classname", suite),
            ("time", time.as_str()),
        ])
        .write_inner_content(|xml| {
            properties(
                xml,
                &[
                    ("points", test.score.to_string()),
                    ("max_points", test.max_score.to_string()),
                    ("part", test.part.to_string()),
                    ("seed", test.seed.to_string()),
                ],
            )?;
            match reason(test.outcome) {
                None => Ok(()),
                Some(reason) => {
                    because(xml, reason, test.outcome.name(), &test.message.to_string())
                }
            }
        })
        .map(drop)
}

/// Why a case did not pass: the outcome as its type, the first line as its message.
fn because<W: Write>(
    xml: &mut Writer<W>,
    element: &str,
    outcome: &str,
    text: &str,
) -> io::Result<()> {
    let text = valid(text);
    let first = text.trim().lines().next().unwrap_or(outcome).to_owned();
    let reason = xml
        .create_element(element)
        .with_attribute(("message", first.as_str()));
    // `skipped` knows no type.
    let reason = match element {
        "skipped" => reason,
        _ => reason.with_attribute(("type", outcome)),
    };
    reason.write_text_content(BytesText::new(&text)).map(drop)
}

fn properties<W: Write>(xml: &mut Writer<W>, properties: &[(&str, String)]) -> io::Result<()> {
    xml.create_element("properties")
        .write_inner_content(|xml| {
            properties.iter().try_for_each(|(name, value)| {
                let property = xml.create_element("property");
                property
                    .with_attributes([("name", *name), ("value", value.as_str())])
                    .write_empty()
                    .map(drop)
            })
        })
        .map(drop)
}

/// The element that says why a case did not pass; none for a pass.
fn reason(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Pass => None,
        Outcome::Skipped | Outcome::Unavailable => Some("skipped"),
        Outcome::Fail
        | Outcome::Leak
        | Outcome::BusyWait
        | Outcome::Mechanism
        | Outcome::EarlyExit
        | Outcome::Tamper
        | Outcome::NotAttempted => Some("failure"),
        Outcome::Hang
        | Outcome::Deadlock
        | Outcome::Crash
        | Outcome::Limit
        | Outcome::BuildError
        | Outcome::Rejected
        | Outcome::GraderFault => Some("error"),
    }
}

#[derive(Clone, Copy, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    wall_ms: u64,
}

impl Counts {
    fn of(lab: &LabGrade) -> Self {
        let n = |element| {
            let reasons = lab.tests.iter().map(|test| reason(test.outcome));
            reasons.filter(|reason| *reason == Some(element)).count()
        };
        let mut counts = Self {
            tests: lab.tests.len(),
            failures: n("failure"),
            errors: n("error"),
            skipped: n("skipped"),
            wall_ms: lab.tests.iter().map(|test| test.wall_ms).sum(),
        };
        if lab.tests.is_empty() {
            counts.tests = 1;
            match lab.status {
                LabStatus::Missing => counts.skipped = 1,
                _ => counts.errors = 1,
            }
        }
        counts
    }

    fn plus(self, other: &Self) -> Self {
        Self {
            tests: self.tests + other.tests,
            failures: self.failures + other.failures,
            errors: self.errors + other.errors,
            skipped: self.skipped + other.skipped,
            wall_ms: self.wall_ms + other.wall_ms,
        }
    }

    fn attributes<'a>(&self, name: &'a str) -> Attributes<'a> {
        let counts = [self.tests, self.failures, self.errors, self.skipped];
        Attributes {
            name,
            counts: counts.map(|n| n.to_string()),
            time: seconds(self.wall_ms),
        }
    }
}

/// Sums as the schema has them.
struct Attributes<'a> {
    name: &'a str,
    counts: [String; 4],
    time: String,
}

impl Attributes<'_> {
    fn each(&self) -> [(&str, &str); 6] {
        let [tests, failures, errors, skipped] = self.counts.each_ref().map(String::as_str);
        [
            ("name", self.name),
            ("tests", tests),
            ("failures", failures),
            ("errors", errors),
            ("skipped", skipped),
            ("time", &self.time),
        ]
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Without the characters that no XML 1.0 document may hold, escaped or not.
fn valid(text: &str) -> String {
    let may = |c: &char| matches!(c, '\t' | '\n' | ' '..='\u{fffd}' | '\u{10000}'..);
    text.chars().filter(may).collect()
}
