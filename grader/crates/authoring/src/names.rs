//! The lab's name in place of its solution's: students never meet the word `-solution`.
//!
//! Knows words only, neither Rust nor files.

/// `text` with every whole word `LAB-solution` replaced by `LAB`, in both spellings: as a package
/// (`fifo-chat-solution`) and as a crate (`fifo_chat_solution`).
pub fn for_students(lab: &str, text: &str) -> String {
    let package = replace_words(text, &format!("{lab}-solution"), lab);
    let underscored = lab.replace('-', "_");
    replace_words(&package, &format!("{underscored}_solution"), &underscored)
}

fn replace_words(text: &str, word: &str, by: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        out.push_str(before);
        let whole = starts_a_word(&out) && !after.starts_with(in_word);
        out.push_str(if whole { by } else { word });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether a word can begin after `before`. Cargo itself glues the name of a program to this
/// prefix when it tells a test where the program is.
fn starts_a_word(before: &str) -> bool {
    before.ends_with("CARGO_BIN_EXE_") || !before.ends_with(in_word)
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_become_the_name_of_the_lab() {
        assert_eq!(
            for_students(
                "fifo-chat",
                "use fifo_chat_solution::Hub; // fifo-chat-solution"
            ),
            "use fifo_chat::Hub; // fifo-chat"
        );
    }

    #[test]
    fn the_path_of_the_program_is_renamed_too() {
        assert_eq!(
            for_students("pipes", r#"env!("CARGO_BIN_EXE_pipes-solution")"#),
            r#"env!("CARGO_BIN_EXE_pipes")"#
        );
    }

    #[test]
    fn parts_of_longer_words_stay() {
        let text = "my_pipes_solution pipes_solutions big-pipes-solution pipes-solution-2";
        assert_eq!(for_students("pipes", text), text);
    }
}
