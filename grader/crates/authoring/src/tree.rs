//! Trees of files as maps from path to bytes, and the way from disk to map and back.
//!
//! This is the only module of the crate that touches a disk. It never follows a symbolic link and
//! never writes or removes anything outside the folder it was given.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use thiserror::Error;

/// Files by path. Paths are relative to a root that the tree does not know, with `/` between
/// names and never `.` or `..`; contents are the files' bytes.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// Why a tree could not be read or written.
#[derive(Debug, Error)]
pub enum TreeError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A symbolic link where a plain file or folder must be: it could lead out of the tree.
    #[error("{} is a symbolic link; put the file itself there", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A path that would leave the tree.
    #[error("`{path}` is not a path inside the tree")]
    Outside {
        /// The path as given.
        path: String,
    },
    /// A name that is not UTF-8.
    #[error("{} has a name that is not UTF-8", path.display())]
    Name {
        /// The file or folder.
        path: PathBuf,
    },
    /// A file that must be in the tree and is not.
    #[error("{path} is missing")]
    Missing {
        /// Its path in the tree.
        path: String,
    },
    /// A file that must be text and is not UTF-8.
    #[error("{path} is not UTF-8 text")]
    NotText {
        /// Its path in the tree.
        path: String,
    },
}

impl TreeError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, source }
    }
}

/// The file at `path` as text.
///
/// # Errors
/// No such file, or not UTF-8.
pub fn text<'a>(tree: &'a Tree, path: &str) -> Result<&'a str, TreeError> {
    let bytes = tree.get(path).ok_or_else(|| TreeError::Missing {
        path: path.to_owned(),
    })?;
    std::str::from_utf8(bytes).map_err(|_| TreeError::NotText {
        path: path.to_owned(),
    })
}

/// The files of `folder`, with their paths in the tree.
pub fn under<'a>(
    tree: &'a Tree,
    folder: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Vec<u8>)> + use<'a> {
    tree.iter()
        .map(|(path, bytes)| (path.as_str(), bytes))
        .filter(move |(path, _)| {
            path.strip_prefix(folder)
                .is_some_and(|rest| rest.starts_with('/'))
        })
}

/// Reads the files and folders `names` of `root`, those of them that exist; folders with all that
/// is in them, except what cargo builds (`target`) and git keeps (`.git`).
///
/// # Errors
/// The system refuses a file or folder, a symbolic link, a name that is not UTF-8.
pub fn read(root: &Path, names: &[&str]) -> Result<Tree, TreeError> {
    let mut tree = Tree::new();
    for name in names {
        read_into(&mut tree, root, (*name).to_owned())?;
    }
    Ok(tree)
}

/// Reads all of `root`, as [`read`] does.
///
/// # Errors
/// As [`read`]; a `root` that is not there is an error too.
pub fn read_all(root: &Path) -> Result<Tree, TreeError> {
    let mut tree = Tree::new();
    for name in names_in(root)? {
        read_into(&mut tree, root, name)?;
    }
    Ok(tree)
}

fn read_into(tree: &mut Tree, root: &Path, name: String) -> Result<(), TreeError> {
    let path = root.join(&name);
    let metadata = match fs::symlink_metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(TreeError::io(&path))?,
    };
    if metadata.is_symlink() {
        return Err(TreeError::Link { path });
    }
    if !metadata.is_dir() {
        tree.insert(name, fs::read(&path).map_err(TreeError::io(&path))?);
        return Ok(());
    }
    if matches!(name.rsplit('/').next(), Some("target" | ".git")) {
        return Ok(());
    }
    for inner in names_in(&path)? {
        read_into(tree, root, format!("{name}/{inner}"))?;
    }
    Ok(())
}

/// The names in the folder `dir`.
pub(crate) fn names_in(dir: &Path) -> Result<Vec<String>, TreeError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(TreeError::io(dir))? {
        let entry = entry.map_err(TreeError::io(dir))?;
        let name = entry.file_name().into_string();
        names.push(name.map_err(|_| TreeError::Name { path: entry.path() })?);
    }
    Ok(names)
}

/// Whether something stands at `path`.
pub(crate) fn exists(path: &Path) -> Result<bool, TreeError> {
    path.try_exists().map_err(TreeError::io(path))
}

/// Writes every file of `tree` below `root`, making folders on the way. A file that already has
/// its content is not touched, so that cargo does not build it again.
///
/// # Errors
/// The system refuses, or a path leads out of `root`, also by a symbolic link.
pub fn write(root: &Path, tree: &Tree) -> Result<(), TreeError> {
    fs::create_dir_all(root).map_err(TreeError::io(root))?;
    for (name, bytes) in tree {
        let path = inside(root, name)?;
        if fs::read(&path).is_ok_and(|old| old == *bytes) {
            continue;
        }
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(TreeError::io(folder))?;
        }
        fs::write(&path, bytes).map_err(TreeError::io(&path))?;
    }
    Ok(())
}

/// Removes the file `name` below `root`, and the folders that are empty without it. A file that
/// is already gone is no error.
///
/// # Errors
/// As [`write()`].
pub fn remove(root: &Path, name: &str) -> Result<(), TreeError> {
    let path = inside(root, name)?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(TreeError::io(&path)(error));
        }
        _ => {}
    }
    let folders = path
        .ancestors()
        .skip(1)
        .take_while(|folder| *folder != root);
    for folder in folders {
        // Refused when something else is left in it: then it has to stay.
        if fs::remove_dir(folder).is_err() {
            break;
        }
    }
    Ok(())
}

/// The path of `name` below `root`, after a look that no link on the way leads elsewhere.
fn inside(root: &Path, name: &str) -> Result<PathBuf, TreeError> {
    let mut path = root.to_owned();
    for component in Path::new(name).components() {
        let Component::Normal(component) = component else {
            return Err(TreeError::Outside {
                path: name.to_owned(),
            });
        };
        path.push(component);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Err(TreeError::Link { path });
        }
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn what_was_written_is_read_back_without_build_output() {
        let root = tempfile::tempdir().unwrap();
        let files = tree(&[("a/b/c.rs", "1"), ("d.md", "2")]);
        write(root.path(), &files).unwrap();
        write(root.path(), &tree(&[("target/x", "3"), (".git/y", "4")])).unwrap();
        assert_eq!(read_all(root.path()).unwrap(), files);
        assert_eq!(
            read(root.path(), &["a", "nowhere"]).unwrap(),
            tree(&[("a/b/c.rs", "1")])
        );
    }

    #[test]
    fn removing_a_file_removes_the_folders_it_leaves_empty() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &tree(&[("a/b/c", ""), ("a/d", "")])).unwrap();
        remove(root.path(), "a/b/c").unwrap();
        remove(root.path(), "a/b/c").unwrap();
        assert_eq!(read_all(root.path()).unwrap(), tree(&[("a/d", "")]));
        assert!(!root.path().join("a/b").exists());
    }

    #[test]
    fn no_path_leads_out_of_the_root() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), root.path().join("link")).unwrap();
        for path in ["../x", "/x", "a/../../x"] {
            let refused = write(root.path(), &tree(&[(path, "")]));
            assert!(
                matches!(refused, Err(TreeError::Outside { .. })),
                "{path}: {refused:?}"
            );
        }
        let refused = write(root.path(), &tree(&[("link/x", "")]));
        assert!(
            matches!(refused, Err(TreeError::Link { .. })),
            "{refused:?}"
        );
        let refused = remove(root.path(), "link/x");
        assert!(
            matches!(refused, Err(TreeError::Link { .. })),
            "{refused:?}"
        );
        assert!(matches!(read_all(root.path()), Err(TreeError::Link { .. })));
        assert!(!elsewhere.path().join("x").exists());
    }

    #[test]
    fn a_folder_holds_only_what_is_below_it() {
        let files = tree(&[("lab/a", ""), ("lab2/b", ""), ("lab", "")]);
        assert_eq!(
            under(&files, "lab")
                .map(|(path, _)| path)
                .collect::<Vec<_>>(),
            ["lab/a"]
        );
    }
}
