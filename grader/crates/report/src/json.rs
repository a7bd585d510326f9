//! `results.json`: the gradebook as it is, for programs.

use std::io::{self, Write};

use model::Gradebook;

use crate::{Class, Document, Entry};

/// The gradebook as indented JSON with a final newline.
pub fn results_json<W: Write>(out: W, class: &Class) -> impl Document + use<W> {
    let empty = Gradebook {
        version: Gradebook::VERSION,
        isolation: class.isolation.clone(),
        not_promised: class.not_promised.clone(),
        submissions: Vec::new(),
    };
    let empty = serde_json::to_string_pretty(&empty).expect("a gradebook is plain data");
    let (head, tail) = empty
        .rsplit_once(']')
        .expect("the submissions come last, and are a list");
    Json {
        out,
        head: head.to_owned(),
        tail: tail.to_owned(),
        is_empty: true,
    }
}

struct Json<W> {
    out: W,
    /// An empty gradebook, up to where the first submission belongs, and from there.
    head: String,
    tail: String,
    is_empty: bool,
}

impl<W: Write> Document for Json<W> {
    fn begin(&mut self) -> io::Result<()> {
        write!(self.out, "{}", self.head)
    }

    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let grade = serde_json::to_string_pretty(&entry.grade).expect("a grade is plain data");
        // It is a member of a member; text holds no line break, only `\n`.
        let grade = grade.replace('\n', "\n    ");
        let comma = if self.is_empty { "" } else { "," };
        self.is_empty = false;
        write!(self.out, "{comma}\n    {grade}")
    }

    fn end(&mut self) -> io::Result<()> {
        let line_break = if self.is_empty { "" } else { "\n  " };
        writeln!(self.out, "{line_break}]{}", self.tail)
    }
}
