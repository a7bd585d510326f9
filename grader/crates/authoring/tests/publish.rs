//! A course in miniature (`tests/fixture`) published into real folders and built by real cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use authoring::leaks::{self, Leak};
use authoring::publish::{PublishError, Published, publish};
use authoring::tree::{self, Tree};
use authoring::{generate, lab, student, wrong};

/// A copy of the fixture with its labs generated and its lock file made, and a place to publish.
struct Course {
    folder: tempfile::TempDir,
}

impl Course {
    fn new() -> Self {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture");
        let course = Self {
            folder: tempfile::tempdir().expect("make a temporary folder"),
        };
        tree::write(
            &course.repository(),
            &tree::read_all(&fixture).expect("read the fixture"),
        )
        .expect("copy it");
        generate::write_labs(&course.repository()).expect("generate labs/");
        let locked = course.cargo(&course.repository(), &["generate-lockfile"]);
        assert!(locked.status.success(), "{}", stderr(&locked));
        course
    }

    fn repository(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    fn student(&self) -> PathBuf {
        self.folder.path().join("student")
    }

    fn publish(&self, solutions: &[&str]) -> Result<Published, PublishError> {
        let solutions: Vec<_> = solutions.iter().map(|lab| (*lab).to_owned()).collect();
        publish(&self.repository(), &self.student(), &solutions)
    }

    fn put(&self, path: &str, text: &str) {
        let file = Tree::from([(path.to_owned(), text.as_bytes().to_vec())]);
        tree::write(self.folder.path(), &file).expect("write a file");
    }

    fn cargo(&self, dir: &Path, args: &[&str]) -> Output {
        Command::new(env!("CARGO"))
            .args(args)
            .arg("--offline")
            .current_dir(dir)
            .env("CARGO_TARGET_DIR", self.folder.path().join("target"))
            .env_remove("RUSTFLAGS")
            .output()
            .expect("start cargo")
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn paths(dir: &Path) -> Vec<String> {
    tree::read_all(dir)
        .expect("read the tree")
        .into_keys()
        .collect()
}

#[test]
fn the_published_tree_holds_the_students_half_and_nothing_else() {
    let course = Course::new();
    course.publish(&[]).unwrap();
    assert_eq!(
        paths(&course.student()),
        [
            ".gitignore",
            ".published",
            "Cargo.lock",
            "Cargo.toml",
            "README.md",
            "docs/student/reading.md",
            "grader/crates/coach/Cargo.toml",
            "grader/crates/coach/src/lib.rs",
            "grader/crates/model/Cargo.toml",
            "grader/crates/model/src/lib.rs",
            "labs/first/Cargo.toml",
            "labs/first/README.md",
            "labs/first/src/lib.rs",
            "labs/first/src/main.rs",
            "labs/first/tests/public.rs",
            "labs/second-lab/Cargo.toml",
            "labs/second-lab/README.md",
            "labs/second-lab/src/lib.rs",
            "labs/second-lab/src/main.rs",
            "labs/second-lab/tests/public.rs",
        ]
    );
    // The same look as `leaks` takes, by other means.
    for (path, bytes) in tree::read_all(&course.student()).unwrap() {
        let text = String::from_utf8(bytes).unwrap();
        for word in [
            "SOLUTION",
            "_solution",
            "-solution",
            "-tests",
            "total_of_all",
            "staff",
        ] {
            assert!(!text.contains(word), "{word} in {path}");
        }
    }
}

#[test]
fn stubs_compile_without_a_warning_under_the_pruned_lock_file_and_fail_honestly() {
    let course = Course::new();
    course.publish(&[]).unwrap();
    let check = course.cargo(
        &course.student(),
        &["check", "--workspace", "--all-targets", "--locked"],
    );
    assert!(check.status.success(), "{}", stderr(&check));
    assert!(!stderr(&check).contains("warning"), "{}", stderr(&check));

    let test = course.cargo(
        &course.student(),
        &["test", "-p", "first", "--test", "public"],
    );
    assert!(!test.status.success());
    let told = String::from_utf8_lossy(&test.stdout);
    assert!(
        told.contains("not yet implemented: first part 1: sum 2 numbers"),
        "{told}"
    );

    let first = &lab::discover(&course.repository()).unwrap()[0];
    let sources = first.sources(&course.repository()).unwrap();
    let solved = &student::complete(first, &sources).unwrap()["src/lib.rs"];
    course.put("student/labs/first/src/lib.rs", solved);
    let test = course.cargo(&course.student(), &["test", "-p", "first"]);
    assert!(test.status.success(), "{}", stderr(&test));
}

#[test]
fn a_stub_is_formatted_where_the_solution_is() {
    let course = Course::new();
    for file in ["labs/first/src/lib.rs", "solutions/first/src/lib.rs"] {
        let format = Command::new("rustfmt")
            .args(["--check", "--edition", "2024"])
            .arg(course.repository().join(file))
            .output()
            .unwrap();
        assert!(
            format.status.success(),
            "{file}: {}",
            String::from_utf8_lossy(&format.stdout)
        );
    }
}

#[test]
fn solutions_of_closed_labs_are_published_on_request_and_taken_back() {
    let course = Course::new();
    course.publish(&["first"]).unwrap();
    let read = |path: &str| fs::read_to_string(course.student().join(path)).unwrap();
    assert!(read("solutions/first/src/lib.rs").contains("total_of_all"));
    assert!(!read("solutions/first/src/lib.rs").contains("SOLUTION"));
    assert!(read("solutions/first/README.md").contains("It is zero"));
    let check = course.cargo(
        &course.student(),
        &["test", "-p", "first-solution", "--locked"],
    );
    assert!(check.status.success(), "{}", stderr(&check));

    let removed = course.publish(&[]).unwrap().removed;
    assert_eq!(removed.len(), 5, "{removed:?}");
    assert!(!course.student().join("solutions").exists());
    assert_eq!(
        leaks::find(&course.student(), &course.repository()).unwrap(),
        []
    );
}

#[test]
fn an_unknown_solution_is_refused_before_anything_is_written() {
    let course = Course::new();
    let refused = course.publish(&["third"]).unwrap_err().to_string();
    assert_eq!(
        refused,
        "there is no lab `third`; the labs are first, second-lab"
    );
    assert!(!course.student().exists());
}

#[test]
fn the_readme_lists_the_labs_in_teaching_order() {
    let course = Course::new();
    course.publish(&[]).unwrap();
    assert_eq!(
        fs::read_to_string(course.student().join("README.md")).unwrap(),
        "# Welcome\n\n| | lab | handout | public tests |\n|--|--|--|--|\n\
         | 1 | The first lab | `labs/first/README.md` | `cargo test -p first` |\n\
         | 2 | The second lab | `labs/second-lab/README.md` | `cargo test -p second-lab` |\n"
    );
}

#[test]
fn publishing_again_leaves_what_students_added_and_refuses_other_folders() {
    let course = Course::new();
    course.publish(&[]).unwrap();
    course.put("student/labs/first/notes.txt", "mine");
    assert_eq!(course.publish(&[]).unwrap().removed, [""; 0]);
    assert!(course.student().join("labs/first/notes.txt").exists());

    fs::remove_file(course.student().join(".published")).unwrap();
    assert!(matches!(
        course.publish(&[]),
        Err(PublishError::Foreign { .. })
    ));
}

#[test]
fn a_record_that_points_elsewhere_removes_nothing_there() {
    let course = Course::new();
    course.publish(&[]).unwrap();
    course.put("precious", "");
    course.put("student/.published", "../precious\n");
    assert!(matches!(course.publish(&[]), Err(PublishError::Tree(_))));
    assert!(course.folder.path().join("precious").exists());
}

#[test]
fn a_secret_in_any_published_file_stops_the_publication() {
    let pasted = "    let mut total_of_all = Total::default();\n\n  for number_of_many in numbers \
                  {\n// note\ntotal_of_all.add(*number_of_many);\n";
    let answer = "It is zero, because zero is the number that changes no sum when it is added.\n";
    let hidden = "let expected_total = 40 + 2;\nlet measured_total = expected_total + 0;\n\
                  assert_eq!(expected_total, measured_total);\n";
    let cases: [(&str, &str, Leak); 6] = [
        ("a.md", pasted, Leak::Solution("first".to_owned())),
        ("b.md", answer, Leak::Solution("first".to_owned())),
        (
            "c.md",
            hidden,
            Leak::HiddenTest("grader/labs/first/src/main.rs".to_owned()),
        ),
        ("d.md", "  // SOLUTION\n", Leak::Marker("// SOLUTION")),
        (
            "e.md",
            "cargo run -p first-tests\n",
            Leak::HiddenName("first-tests".to_owned()),
        ),
        ("f.patch", "", Leak::HiddenPath),
    ];
    for (file, text, leak) in cases {
        let course = Course::new();
        course.put(&format!("repository/docs/student/{file}"), text);
        match course.publish(&[]) {
            Err(PublishError::Leaks { findings }) => {
                let leaks: Vec<_> = findings.into_iter().map(|finding| finding.leak).collect();
                assert_eq!(leaks, [leak], "{file}");
            }
            other => panic!("{file}: {other:?}"),
        }
        assert!(!course.student().exists());
    }
}

#[test]
fn the_solution_of_a_closed_lab_may_be_quoted() {
    let course = Course::new();
    let answer = "It is zero, because zero is the number that changes no sum when it is added.\n";
    course.put("repository/docs/student/quote.md", answer);
    course.publish(&["first"]).unwrap();
    assert!(matches!(
        course.publish(&["second-lab"]),
        Err(PublishError::Leaks { .. })
    ));
}

#[test]
fn a_wrong_solution_becomes_a_submission_under_the_name_of_the_lab() {
    let course = Course::new();
    let first = &lab::discover(&course.repository()).unwrap()[0];
    let wrong = &wrong::read_dir(&course.repository().join("grader/labs/first/wrong")).unwrap()[0];
    assert_eq!(
        (wrong.name.as_str(), wrong.caught_by.len()),
        ("forgets_the_last", 1)
    );
    let sources = first.sources(&course.repository()).unwrap();
    let submitted = student::complete(first, &wrong.apply(&sources).unwrap()).unwrap();
    assert!(submitted["src/lib.rs"].contains("total_of_all.0 = *number_of_many;"));
}
