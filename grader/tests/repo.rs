//! The repository's own rules, checked like everything else.

mod listed;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use authoring::wrong::WrongSolution;
use model::RubricRow;
use pipeline::Course;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("grader/ is in the repository")
}

/// Every committed or new file of an ending; sample submissions are nobody's example.
fn files(ending: &str) -> Vec<PathBuf> {
    let is_wanted = |path: &PathBuf| {
        let name = path.to_string_lossy();
        name.ends_with(ending) && !path.starts_with("grader/fixtures")
    };
    let listed = listed::files(root()).into_iter().filter(is_wanted);
    listed.map(|path| root().join(path)).collect()
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file of this repository is text")
}

fn manifest(folder: &str) -> toml::Table {
    text(&root().join(folder).join("Cargo.toml"))
        .parse()
        .expect("a manifest is TOML")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

#[test]
fn every_rust_file_says_what_it_is_for() {
    let silent = |path: &&PathBuf| !text(path).starts_with("//! ");
    let silent: Vec<String> = files(".rs")
        .iter()
        .filter(silent)
        .map(|path| shown(path))
        .collect();
    assert!(silent.is_empty(), "no //! on top of {silent:#?}");
}

/// A student fills in one file, so a lab's `lib.rs` holds the whole lab, documents included.
fn most_lines(path: &str) -> usize {
    match path.ends_with("/src/lib.rs") && path.starts_with(['l', 's']) {
        true => 700,
        false => 500,
    }
}

#[test]
fn no_file_is_too_long_to_read() {
    let lengths = files(".rs")
        .into_iter()
        .map(|path| (text(&path).lines().count(), shown(&path)));
    let long: Vec<_> = lengths
        .filter(|(n_lines, path)| *n_lines > most_lines(path))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

/// Which crate may use which: an arrow only ever points down.
const LAYERS: [(&str, &[&str]); 15] = [
    ("model", &[]),
    ("sandbox", &[]),
    ("probe", &[]),
    ("instruments", &[]),
    ("authoring", &[]),
    ("datapath", &[]),
    ("report", &["model"]),
    ("compare", &["datapath"]),
    ("datapath-labs", &["datapath"]),
    ("datapath-reference", &["datapath"]),
    ("coach", &["instruments", "model"]),
    ("harness", &["instruments", "model", "probe", "sandbox"]),
    ("pipeline", &["authoring", "model", "report", "sandbox"]),
    (
        "student",
        &[
            "coach",
            "compare",
            "datapath",
            "instruments",
            "model",
            "sandbox",
        ],
    ),
    (
        "grader",
        &[
            "authoring",
            "instruments",
            "model",
            "pipeline",
            "report",
            "sandbox",
            "student",
        ],
    ),
];

#[test]
fn the_layers_hold() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.into_iter().collect();
    for (name, allowed) in &layers {
        let folder = match *name {
            "grader" => "grader".to_owned(),
            name => format!("grader/crates/{name}"),
        };
        let manifest = manifest(&folder);
        let used = manifest.get("dependencies").and_then(toml::Value::as_table);
        let used = used
            .into_iter()
            .flat_map(|table| table.keys().map(String::as_str));
        let wrong: Vec<&str> = used
            .filter(|used| layers.contains_key(used) && !allowed.contains(used))
            .collect();
        assert!(wrong.is_empty(), "{name} must not use {wrong:?}");
    }
    let n_crates = std::fs::read_dir(root().join("grader/crates"))
        .unwrap()
        .count();
    assert_eq!(
        n_crates + 1,
        LAYERS.len(),
        "every crate has its place in LAYERS"
    );
}

#[test]
fn no_process_that_decides_links_a_submission() {
    for lab in Course::open(root()).unwrap().labs {
        let manifest = manifest(&format!("grader/labs/{}", lab.name));
        let dependencies = manifest["dependencies"].as_table().unwrap();
        let solution = format!("{}-solution", lab.name);
        assert!(!dependencies.contains_key(&lab.name) && !dependencies.contains_key(&solution));
    }
}

#[test]
fn labs_is_what_solutions_generates() {
    let differences = authoring::generate::check(root()).unwrap();
    let shown: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert!(
        shown.is_empty(),
        "run `cargo lab publish`:\n{}",
        shown.join("\n")
    );
}

#[test]
fn every_lab_has_its_folders_and_package_names() {
    for lab in Course::open(root()).unwrap().labs {
        let name = &lab.name;
        for (folder, package) in [
            (format!("labs/{name}"), name.clone()),
            (format!("solutions/{name}"), format!("{name}-solution")),
            (format!("grader/labs/{name}"), format!("{name}-tests")),
            (format!("grader/labs/{name}/probe"), format!("{name}-probe")),
        ] {
            let manifest = manifest(&folder);
            assert_eq!(
                manifest["package"]["name"].as_str(),
                Some(package.as_str()),
                "{folder}"
            );
        }
    }
}

#[test]
fn every_hidden_test_teaches_and_is_tested_by_a_wrong_solution() {
    let course = Course::open(root()).unwrap();
    for kit in course.kits(&course.labs).unwrap() {
        let lab = &kit.lab.name;
        let wrong = root().join("grader/labs").join(lab).join("wrong");
        let wrong = authoring::wrong::read_dir(&wrong).unwrap();
        students_are_told_how_many_there_are(lab, &kit.rubric.rows);
        let mut above = BTreeSet::new();
        for row in &kit.rubric.rows {
            let id = &row.id;
            assert!(
                row.points > 0 && row.part > 0,
                "{lab} {id}: points and part"
            );
            let mut words = [&row.why, &row.read].into_iter().chain(&row.hint);
            assert!(
                words.all(|text| !text.is_empty()),
                "{lab} {id}: why, read, hints"
            );
            for base in &row.needs {
                let is_known = kit.rubric.rows.iter().any(|row| row.id == *base);
                assert!(
                    is_known && base != id,
                    "{lab} {id} needs {base}, which is no other test"
                );
            }
            let is_caught = wrong.iter().any(|wrong| wrong.caught_by.contains(id));
            assert!(
                is_caught,
                "{lab} {id}: no wrong solution shows that it can fail"
            );
            assert!(above.insert(id.clone()), "{lab}: two tests are called {id}");
        }
        the_message_about_each_mistake_is_known(lab, &wrong);
    }
}

/// That a mistake is caught helps a student only if the message names it. `verify` looks for the
/// words.
fn the_message_about_each_mistake_is_known(lab: &str, wrong: &[WrongSolution]) {
    let is_mute = |wrong: &&WrongSolution| wrong.phrase.as_deref().is_none_or(str::is_empty);
    let mute: Vec<&str> = wrong
        .iter()
        .filter(is_mute)
        .map(|wrong| wrong.name.as_str())
        .collect();
    assert!(mute.is_empty(), "{lab}: no PHRASE in {mute:?}");
}

/// Called from the rule above, because building the hidden tests twice at a time is no good.
fn students_are_told_how_many_there_are(lab: &str, rows: &[RubricRow]) {
    let manifest = manifest(&format!("solutions/{lab}"));
    let hidden = &manifest["package"]["metadata"]["lab"]["hidden"];
    let told: Vec<usize> = hidden["per_part"].clone().try_into().expect("numbers");
    let n_parts = rows.iter().map(|row| row.part).max().unwrap_or(0);
    let counted: Vec<usize> = (1..=n_parts)
        .map(|part| rows.iter().filter(|row| row.part == part).count())
        .collect();
    assert_eq!(told, counted, "{lab}: hidden tests per part");
    let about: Vec<String> = hidden["about"].clone().try_into().expect("texts");
    assert!(about.len() >= 3, "{lab}: what they are about: {about:?}");
}

#[test]
fn every_lab_has_two_correct_solutions_that_differ_from_the_reference() {
    for lab in Course::open(root()).unwrap().labs {
        let folder = root().join("grader/labs").join(&lab.name).join("correct");
        // Reading them demands the reason in the first line.
        let correct = authoring::correct::read_dir(&folder, &lab).unwrap();
        assert!(correct.len() >= 2, "{}: {correct:?}", folder.display());
        let whys: BTreeSet<&str> = correct.iter().map(|one| one.why.as_str()).collect();
        assert_eq!(
            whys.len(),
            correct.len(),
            "{}: two for one reason",
            lab.name
        );
    }
}

/// The words after `cargo lab` in a text.
fn commands_in(text: &str) -> BTreeSet<String> {
    let word = |rest: &str| -> String {
        rest.chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect()
    };
    text.split("cargo lab ")
        .skip(1)
        .map(word)
        .filter(|word| !word.starts_with('-'))
        .collect()
}

#[test]
fn every_command_that_a_page_names_exists() {
    for page in files(".md") {
        for command in commands_in(&text(&page))
            .iter()
            .filter(|word| !word.is_empty())
        {
            let help = assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"))
                .args([command.as_str(), "--help"])
                .output()
                .unwrap();
            assert!(
                help.status.success(),
                "{} names `cargo lab {command}`",
                shown(&page)
            );
        }
    }
}

#[test]
fn every_file_that_a_page_links_to_exists() {
    for page in files(".md") {
        for rest in text(&page).split("](").skip(1) {
            let target = rest.split([')', '#', ' ']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let file = page.parent().unwrap().join(target);
            assert!(file.exists(), "{} links to {target}", shown(&page));
        }
    }
}

/// A verdict that depends on the calendar cannot be repeated, and a clock may be set back.
#[test]
fn nothing_that_makes_a_verdict_reads_the_calendar() {
    let makes_verdicts = |path: &str| {
        let crates = ["model", "harness", "pipeline", "sandbox", "instruments"];
        crates
            .iter()
            .any(|name| path.starts_with(&format!("grader/crates/{name}/src")))
            || path.starts_with("grader/labs/")
                && !path.contains("/wrong/")
                && !path.contains("/correct/")
    };
    let reads = |path: &PathBuf| makes_verdicts(&shown(path)) && text(path).contains("SystemTime");
    let found: Vec<String> = files(".rs")
        .iter()
        .filter(|path| reads(path))
        .map(|path| shown(path))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}
