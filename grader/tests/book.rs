//! The book: every lab has a chapter, every link leads somewhere, the page of commands is what the
//! program says, and mdBook has nothing to complain about.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("grader/ is in the repository")
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_lab_has_its_chapter_with_the_handout_and_the_stub() {
    let summary = text(&root().join("docs/SUMMARY.md"));
    let overview = text(&root().join("docs/labs/README.md"));
    for lab in authoring::lab::discover(root()).unwrap() {
        let name = &lab.name;
        assert!(
            summary.contains(&format!("(labs/{name}.md)")),
            "{name} in SUMMARY.md"
        );
        assert!(
            overview.contains(&format!("({name}.md)")),
            "{name} in labs/README.md"
        );
        let chapter = text(&root().join(format!("docs/labs/{name}.md")));
        for file in ["README.md", "src/lib.rs"] {
            let include = format!("{{{{#include ../../labs/{name}/{file}}}}}");
            assert!(chapter.contains(&include), "docs/labs/{name}.md: {include}");
        }
    }
}

#[test]
fn the_page_of_commands_is_what_the_program_says() {
    let said = Command::new(env!("CARGO_BIN_EXE_grader"))
        .arg("__reference")
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(
        said == text(&root().join("docs/commands.md")),
        "make it anew: cargo lab __reference > docs/commands.md"
    );
}

/// mdBook, if `docs/build --install` has been run. With this in the environment it must have been.
const NEED: &str = "BOOK_NEEDS_MDBOOK";

fn mdbook() -> Option<PathBuf> {
    let program = root().join("target/tools/bin/mdbook");
    let is_there = program.is_file();
    assert!(
        is_there || std::env::var_os(NEED).is_none(),
        "run docs/build --install"
    );
    is_there.then_some(program)
}

#[test]
fn the_book_is_built_without_a_warning_and_no_link_in_it_is_dead() {
    let Some(mdbook) = mdbook() else {
        println!("skipped: mdBook is not installed; `docs/build --install` does that");
        return;
    };
    let book = tempfile::tempdir().unwrap();
    let built = Command::new(mdbook)
        .args(["build", "--dest-dir"])
        .arg(book.path())
        .arg(root().join("docs"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(built.status.success(), "{said}");
    let complaints = |line: &&str| line.contains("WARN") || line.contains("ERROR");
    assert_eq!(said.lines().find(complaints), None, "{said}");

    let pages: Vec<PathBuf> = pages(book.path());
    assert!(pages.len() > 10, "a book has chapters");
    let mut dead = BTreeSet::new();
    for page in &pages {
        for link in attributes(&text(page), "href") {
            if let Err(why) = follow(book.path(), page, &link) {
                let page = page.strip_prefix(book.path()).unwrap().display();
                dead.insert(format!("{page} links to {link}: {why}"));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

/// The chapters; the page with all of them and the one for lost readers link from elsewhere.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("mdBook has written it") {
        let path = entry.expect("mdBook has written it").path();
        let name = path
            .file_name()
            .expect("an entry has a name")
            .to_string_lossy()
            .into_owned();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if name.ends_with(".html")
            && !["print.html", "404.html", "toc.html"].contains(&name.as_str())
        {
            found.push(path);
        }
    }
    found
}

/// Every value of an attribute in a page that mdBook wrote.
fn attributes(page: &str, name: &str) -> Vec<String> {
    let start = format!(" {name}=\"");
    let values = page.split(&start).skip(1);
    values
        .filter_map(|rest| rest.split('"').next())
        .map(str::to_owned)
        .collect()
}

fn follow(book: &Path, page: &Path, link: &str) -> Result<(), String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_owned(),
        file => page.parent().expect("a page is in a folder").join(file),
    };
    let target = target.canonicalize().map_err(|error| error.to_string())?;
    if !target.starts_with(book.canonicalize().map_err(|error| error.to_string())?) {
        return Err("outside of the book".to_owned());
    }
    if anchor.is_empty()
        || attributes(&text(&target), "id")
            .iter()
            .any(|id| id == anchor)
    {
        Ok(())
    } else {
        Err("no such heading".to_owned())
    }
}
