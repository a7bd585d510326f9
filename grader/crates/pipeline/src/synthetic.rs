//! A class made up from the reference: as many different submissions as one likes, some of which
//! hang or do not compile. For benchmarks and campaigns; nobody's marks depend on it.

use std::fmt::Write;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::SourceTree;
use crate::kit::{Course, Kit};
use crate::verify::{Subject, VerifyError, sources};

/// What a made-up submission does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// All that it should.
    Good,
    /// Every process of it sleeps for ever before `main`.
    Hung,
    /// Does not pass the type check.
    Broken,
}

/// How many submissions of each kind.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// All of them.
    pub n_submissions: usize,
    /// How many of these hang.
    pub n_hung: usize,
    /// How many of these do not compile.
    pub n_broken: usize,
}

impl Mix {
    /// All good.
    pub fn good(n_submissions: usize) -> Self {
        Self {
            n_submissions,
            n_hung: 0,
            n_broken: 0,
        }
    }

    /// What the submission of this number does: the odd ones are spread over the class.
    fn kind(&self, number: usize) -> Made {
        let n_odd = self.n_hung + self.n_broken;
        // Bresenham's line: one of `n_odd` steps falls on some of the numbers.
        let step = |number: usize| number * n_odd / self.n_submissions.max(1);
        match step(number + 1) > step(number) {
            false => Made::Good,
            true if step(number) < self.n_hung => Made::Hung,
            true => Made::Broken,
        }
    }
}

/// Writes a class into `folder`, one lab solved by each, and says what each submission does.
///
/// All files have one modification time, long ago, as archives leave them: whoever compares times
/// takes them for the same.
///
/// # Errors
/// If the reference cannot be read or the files not be written.
pub fn make_class(
    course: &Course,
    kit: &Kit,
    folder: &Path,
    mix: Mix,
) -> Result<Vec<Made>, VerifyError> {
    let reference = sources(course, kit, &Subject::Reference)?;
    let mut kinds = Vec::new();
    for number in 0..mix.n_submissions {
        let kind = mix.kind(number);
        let submission = folder.join(format!("s{number:04}"));
        let tree = vary(&reference, number, kind);
        write_long_ago(&submission, &kit.lab.name, &tree).map_err(VerifyError::Seat)?;
        kinds.push(kind);
    }
    Ok(kinds)
}

/// Writes one lab of a submission, with modification times of long ago.
///
/// # Errors
/// If the disk says no.
pub fn write_long_ago(submission: &Path, lab: &str, tree: &SourceTree) -> io::Result<()> {
    let long_ago = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    for (path, bytes) in tree {
        let path = submission.join(lab).join(path);
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        fs::write(&path, bytes)?;
        File::options()
            .write(true)
            .open(&path)?
            .set_modified(long_ago)?;
    }
    Ok(())
}

/// The reference with something of its own: a few functions that no other submission has.
pub fn vary(reference: &SourceTree, number: usize, kind: Made) -> SourceTree {
    let mut own = String::from("\n#[allow(missing_docs)]\npub mod of_its_own {\n");
    for n in 0..=number % 7 {
        let _ = writeln!(
            own,
            "    pub fn step_{n}(text: &str) -> String {{ format!(\"{{text}} {number} {n}\") }}"
        );
    }
    own.push_str("}\n");
    own.push_str(match kind {
        Made::Good => "",
        Made::Broken => "fn of_a_wrong_type() -> u32 { \"a text\" }\n",
        Made::Hung => {
            "extern \"C\" fn sleep_for_ever() { loop { unsafe { libc::pause(); } } }\n\
             #[used]\n#[unsafe(link_section = \".init_array\")]\n\
             static BEFORE_MAIN: extern \"C\" fn() = sleep_for_ever;\n"
        }
    });
    let mut tree = reference.clone();
    if let Some(library) = tree.get_mut("src/lib.rs") {
        library.extend_from_slice(own.as_bytes());
    }
    tree
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_holds_as_many_of_each_kind_as_it_says() {
        for (n_submissions, n_hung, n_broken) in [(200, 10, 10), (40, 2, 2), (7, 1, 0), (3, 3, 0)] {
            let mix = Mix {
                n_submissions,
                n_hung,
                n_broken,
            };
            let kinds: Vec<Made> = (0..n_submissions).map(|number| mix.kind(number)).collect();
            let count = |kind| kinds.iter().filter(|its| **its == kind).count();
            assert_eq!((count(Made::Hung), count(Made::Broken)), (n_hung, n_broken));
        }
    }

    #[test]
    fn no_two_submissions_are_alike() {
        let reference = SourceTree::from([("src/lib.rs".to_owned(), Vec::new())]);
        let trees: Vec<SourceTree> = (0..50)
            .map(|number| vary(&reference, number, Made::Good))
            .collect();
        assert!((1..50).all(|n| !trees[..n].contains(&trees[n])));
    }
}
