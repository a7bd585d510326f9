//! Archives and folders as attackers hand them in, made from a recipe when they are needed: a
//! bomb has no place in a repository.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde::Deserialize;

use super::corpus::{CorpusError, Values, filled, wrong};
use crate::SourceTree;

/// What to make.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// How it is packed.
    kind: Kind,
    /// What is in it, in this order.
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
enum Kind {
    #[serde(rename = "tar.gz")]
    TarGz,
    #[serde(rename = "zip")]
    Zip,
    #[serde(rename = "folder")]
    Folder,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Its name as written, `@NAME@` filled in.
    path: String,
    /// Bytes appended to the name, for names that are no text.
    #[serde(default)]
    path_bytes: Vec<u8>,
    #[serde(default)]
    kind: EntryKind,
    /// Where a link leads.
    #[serde(default)]
    link: String,
    #[serde(default)]
    text: String,
    /// Whether the lab's `src/lib.rs` as it should be is the content.
    #[serde(default)]
    honest: bool,
    /// So many zero bytes are the content.
    #[serde(default)]
    zeros: u64,
    #[serde(default)]
    mode: Option<u32>,
    /// So many of them, numbered.
    #[serde(default)]
    times: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum EntryKind {
    #[default]
    File,
    Folder,
    Symlink,
    Hardlink,
    Fifo,
    Device,
    /// The next entry's name, as GNU tar writes long ones.
    LongName,
}

/// Writes the archive below `folder` and says where it is.
pub(super) fn write(
    recipe: &Archive,
    name: &str,
    folder: &Path,
    honest: &SourceTree,
    values: &Values,
) -> Result<PathBuf, CorpusError> {
    let ending = match recipe.kind {
        Kind::TarGz => ".tar.gz",
        Kind::Zip => ".zip",
        Kind::Folder => "",
    };
    let path = folder.join(format!("{name}{ending}"));
    let lib = honest.get("src/lib.rs").map_or(&b""[..], Vec::as_slice);
    let entries: Vec<Entry> = recipe
        .entries
        .iter()
        .flat_map(|entry| {
            let filled = Entry {
                path: filled(&entry.path, values),
                link: filled(&entry.link, values),
                text: filled(&entry.text, values),
                ..entry.clone()
            };
            let numbered = |number| Entry {
                path: format!("{}{number}", filled.path),
                ..filled.clone()
            };
            match entry.times {
                None => vec![filled],
                Some(times) => (0..times).map(numbered).collect(),
            }
        })
        .collect();
    let made = match recipe.kind {
        Kind::TarGz => tar_gz(&path, &entries, lib),
        Kind::Zip => zip(&path, &entries, lib),
        Kind::Folder => tree(&path, &entries, lib),
    };
    made.map_err(|error| wrong(&path)(&error))?;
    Ok(path)
}

impl Entry {
    fn content<'a>(&'a self, lib: &'a [u8]) -> (u64, Box<dyn Read + 'a>) {
        match (self.honest, self.zeros) {
            (true, _) => (lib.len() as u64, Box::new(lib)),
            (false, 0) => (self.text.len() as u64, Box::new(self.text.as_bytes())),
            (false, zeros) => (zeros, Box::new(io::repeat(0).take(zeros))),
        }
    }
}

fn tar_gz(path: &Path, entries: &[Entry], lib: &[u8]) -> io::Result<()> {
    let packed = GzEncoder::new(File::create(path)?, Compression::fast());
    let mut tar = tar::Builder::new(packed);
    for entry in entries {
        let (size, content) = entry.content(lib);
        let mut header = tar::Header::new_gnu();
        // Written directly: the library itself refuses to make hostile names.
        let name = [entry.path.as_bytes(), &entry.path_bytes].concat();
        header.as_old_mut().name[..name.len()].copy_from_slice(&name);
        header.as_old_mut().linkname[..entry.link.len()].copy_from_slice(entry.link.as_bytes());
        header.set_entry_type(match entry.kind {
            EntryKind::File => tar::EntryType::Regular,
            EntryKind::Folder => tar::EntryType::Directory,
            EntryKind::Symlink => tar::EntryType::Symlink,
            EntryKind::Hardlink => tar::EntryType::Link,
            EntryKind::Fifo => tar::EntryType::Fifo,
            EntryKind::Device => tar::EntryType::Char,
            EntryKind::LongName => tar::EntryType::GNULongName,
        });
        header.set_mode(entry.mode.unwrap_or(0o644));
        header.set_size(size);
        header.set_cksum();
        tar.append(&header, content)?;
    }
    tar.into_inner()?.finish().map(drop)
}

fn zip(path: &Path, entries: &[Entry], lib: &[u8]) -> io::Result<()> {
    let mut zip = zip::ZipWriter::new(File::create(path)?);
    for entry in entries {
        let options =
            zip::write::SimpleFileOptions::default().unix_permissions(entry.mode.unwrap_or(0o644));
        if entry.kind == EntryKind::Symlink {
            zip.add_symlink(&*entry.path, &*entry.link, options)?;
            continue;
        }
        zip.start_file(&*entry.path, options)?;
        io::copy(&mut entry.content(lib).1, &mut zip)?;
    }
    zip.finish()?.flush()
}

fn tree(path: &Path, entries: &[Entry], lib: &[u8]) -> io::Result<()> {
    for entry in entries {
        let place = path.join(&entry.path);
        fs::create_dir_all(place.parent().unwrap_or(path))?;
        match entry.kind {
            EntryKind::Folder => fs::create_dir_all(&place)?,
            EntryKind::Symlink => symlink(&entry.link, &place)?,
            EntryKind::Hardlink => fs::hard_link(&entry.link, &place)?,
            EntryKind::Fifo => {
                nix::unistd::mkfifo(&place, nix::sys::stat::Mode::from_bits_truncate(0o644))?;
            }
            _ => {
                io::copy(&mut entry.content(lib).1, &mut File::create(&place)?)?;
                fs::set_permissions(&place, Permissions::from_mode(entry.mode.unwrap_or(0o644)))?;
            }
        }
    }
    Ok(())
}
