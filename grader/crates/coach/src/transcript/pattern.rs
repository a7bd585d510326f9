//! Compares what was printed with what a handout says.

/// Any text within a line.
const SOME_TEXT: &str = "[..]";

/// Any number of lines.
const SOME_LINES: &str = "...";

/// Whether the printed lines are the expected ones.
pub(super) fn matches<S: AsRef<str>>(expected: &[S], printed: &[&str]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first.as_ref() == SOME_LINES => {
            (0..=printed.len()).any(|skipped| matches(rest, &printed[skipped..]))
        }
        Some((first, rest)) => match printed.split_first() {
            Some((line, others)) => matches_line(first.as_ref(), line) && matches(rest, others),
            None => false,
        },
    }
}

fn matches_line(expected: &str, printed: &str) -> bool {
    let Some((before, after)) = expected.split_once(SOME_TEXT) else {
        return expected == printed;
    };
    let Some(rest) = printed.strip_prefix(before) else {
        return false;
    };
    rest.char_indices()
        .map(|(at, _)| at)
        .chain([rest.len()])
        .any(|at| matches_line(after, &rest[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_within_a_line_may_be_anything_or_nothing() {
        assert!(matches_line("listening [..]", "listening 127.0.0.1:80"));
        assert!(matches_line("[..]a[..]b", "ab"));
        assert!(matches_line("a[..]b", "a b b"));
        assert!(!matches_line("a[..]b", "a b c"));
        assert!(!matches_line("a", "a "));
    }

    #[test]
    fn three_dots_stand_for_any_number_of_lines() {
        assert!(matches(&["a", "...", "z"], &["a", "z"]));
        assert!(matches(&["...", "z"], &["x", "y", "z"]));
        assert!(!matches(&["a", "...", "z"], &["a", "b"]));
        assert!(!matches(&["a"], &["a", "b"]));
        assert!(matches::<&str>(&[], &[]));
    }
}
