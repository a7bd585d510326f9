//! Part 5: bytes become lines, wherever the stream is cut.

use std::cell::RefCell;
use std::fmt;

use harness::{Bench, Check, Fields, Probe, ensure_eq};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// The longest line, its newline included.
const MAX_LINE: usize = 4096;

/// A line without its newline. It need not be text, and is shown as text where it is.
#[derive(Clone, PartialEq, Eq)]
struct Line(Vec<u8>);

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}

/// What one push returned: lines, or the kind of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pushed {
    Lines(Vec<Line>),
    Error(String),
}

/// All pushes of one stream, and what finish returned at its end.
type Stream = (Vec<Pushed>, Option<Line>);

/// Gives the pieces to a new `Lines`, one after the other.
fn push_all(probe: &mut Probe, pieces: &[Vec<u8>]) -> Check<Stream> {
    let args = Fields::new().value(pieces.len());
    let answer = probe.value("lines", pieces.iter().fold(args, Fields::bytes))?;
    let mut next = 0;
    let mut group = || {
        let head = String::from_utf8_lossy(answer.get(next)).into_owned();
        let n_lines = head.parse().unwrap_or(0);
        let lines = (next + 1..=next + n_lines)
            .map(|index| Line(answer.get(index).to_vec()))
            .collect();
        next += 1 + n_lines;
        if head.parse::<usize>().is_ok() {
            Pushed::Lines(lines)
        } else {
            Pushed::Error(head)
        }
    };
    let pushed = pieces.iter().map(|_| group()).collect();
    let last = match group() {
        Pushed::Lines(lines) => lines.into_iter().next(),
        Pushed::Error(_) => None,
    };
    Ok((pushed, last))
}

/// Pieces of lines: ASCII, characters of several bytes, bytes that are no text at all.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[a-z\t ]{0,12}".prop_map(String::into_bytes),
        "[äöüß€漢字🙂]{1,6}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..8),
        Just(b"\n".to_vec()),
        Just(b"\n\n".to_vec()),
    ]
}

/// One stream for each way to take a read(2) for more than it is, so that a message names it.
const CASES: [(&str, &[&[u8]]); 4] = [
    ("a line in two pieces", &[b"hel", b"lo\n"]),
    ("a character cut in two", &[b"z\xc3", b"\xbcrich\n"]),
    ("an empty line between two others", &[b"one\n\ntwo\n"]),
    ("a last line without a newline", &[b"one\ntwo"]),
];

/// The same lines come out wherever the stream is cut, also inside a character, and the last one
/// needs no newline.
pub(crate) fn lines_do_not_depend_on_where_the_stream_is_cut(bench: &Bench) -> Check {
    let mut probe = bench.probe().connect()?;
    for (case, pieces) in CASES {
        let pieces: Vec<_> = pieces.iter().map(|piece| piece.to_vec()).collect();
        let got = push_all(&mut probe, &pieces)?;
        ensure_eq(format!("push and finish, {case}"), expected(&pieces), got)?;
    }

    let stream = vec(fragment(), 0..12).prop_map(|fragments| fragments.concat());
    let cut = stream.prop_flat_map(|bytes| {
        let cuts = vec(0..=bytes.len(), 0..8);
        (Just(bytes), cuts).prop_map(|(bytes, mut cuts)| {
            cuts.sort_unstable();
            pieces(&bytes, &cuts)
        })
    });
    let probe: RefCell<Option<Probe>> = RefCell::new(Some(probe));
    bench.property(64, cut, |pieces| {
        // A probe that failed once may have ended; the next case gets a new one.
        let mut running = match probe.take() {
            Some(running) => running,
            None => bench.probe().connect()?,
        };
        let got = push_all(&mut running, &pieces)?;
        ensure_eq(
            "what push returned for each piece, and finish at the end",
            expected(&pieces),
            got,
        )?;
        probe.replace(Some(running));
        Ok(())
    })
}

fn pieces(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain([bytes.len()]);
    starts
        .zip(ends)
        .map(|(start, end)| bytes[start..end].to_vec())
        .collect()
}

/// The model: every newline ends a line in the piece that holds it.
fn expected(pieces: &[Vec<u8>]) -> Stream {
    let mut line = Vec::new();
    let mut pushed = Vec::new();
    for piece in pieces {
        let mut lines = Vec::new();
        for &byte in piece {
            match byte {
                b'\n' => lines.push(Line(std::mem::take(&mut line))),
                byte => line.push(byte),
            }
        }
        pushed.push(Pushed::Lines(lines));
    }
    (pushed, (!line.is_empty()).then_some(Line(line)))
}

/// 4096 bytes with the newline are a line, 4097 are an error at once, and the next line is fine.
pub(crate) fn a_line_without_end_is_refused(bench: &Bench) -> Check {
    let mut probe = bench.probe().connect()?;
    let letters = |n_bytes: usize| -> Vec<u8> {
        bench
            .bytes(n_bytes)
            .iter()
            .map(|byte| b'a' + byte % 26)
            .collect()
    };
    let longest = letters(MAX_LINE - 1);
    let (first, second) = longest.split_at(1000);
    let next = letters(20);
    let invalid = || Pushed::Error("InvalidData".to_owned());
    let nothing = || Pushed::Lines(Vec::new());

    let whole = [longest.as_slice(), b"\n"].concat();
    let got = push_all(&mut probe, std::slice::from_ref(&whole))?;
    let line = || Pushed::Lines(vec![Line(longest.clone())]);
    ensure_eq(
        "a line of 4096 bytes, newline included",
        (vec![line()], None),
        got,
    )?;

    let got = push_all(
        &mut probe,
        &[first.to_vec(), second.to_vec(), b"\n".to_vec()],
    )?;
    let expected = (vec![nothing(), nothing(), line()], None);
    ensure_eq(
        "a line of 4096 bytes, newline included, in three pieces",
        expected,
        got,
    )?;

    let longer = [longest.as_slice(), b"x\n"].concat();
    let got = push_all(&mut probe, &[longer, [next.as_slice(), b"\n"].concat()])?;
    let expected = (
        vec![invalid(), Pushed::Lines(vec![Line(next.clone())])],
        None,
    );
    ensure_eq(
        "a line of 4097 bytes, newline included, and one more line",
        expected,
        got,
    )?;

    let endless = [
        letters(3000),
        letters(3000),
        [next.as_slice(), b"\n"].concat(),
    ];
    let got = push_all(&mut probe, &endless)?;
    let expected = (
        vec![nothing(), invalid(), Pushed::Lines(vec![Line(next)])],
        None,
    );
    ensure_eq(
        "6000 bytes without a newline in two pieces, and one more line",
        expected,
        got,
    )
}
