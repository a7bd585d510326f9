//! Folders and archives as students hand them in, and as attackers do.

use std::io::Write;
use std::os::unix::fs::symlink;

use super::*;

const LABS: [&str; 2] = ["pipes", "shm"];

fn opened(path: &Path) -> Intake {
    open(
        &Submission {
            id: "alice".into(),
            path: path.into(),
        },
        &LABS,
    )
}

fn tar_gz(files: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new()
        .suffix(".tar.gz")
        .tempfile()
        .unwrap();
    let packed = flate2::write::GzEncoder::new(file.reopen().unwrap(), Default::default());
    let mut tar = tar::Builder::new(packed);
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        // Written into the header directly: the library itself refuses to make hostile names.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    file
}

fn zip_of(files: &[(&str, &[u8])]) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    let mut zip = zip::ZipWriter::new(file.reopen().unwrap());
    for (path, bytes) in files {
        zip.start_file(*path, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    file
}

#[test]
fn a_folder_a_zip_and_a_tar_of_the_same_files_are_taken_in_alike() {
    let files: [(&str, &[u8]); 3] = [
        ("tree/labs/pipes/src/lib.rs", b"one"),
        ("tree/labs/shm/src/lib.rs", b"two"),
        ("tree/labs/pipes/Cargo.toml", b"no"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let from_folder = opened(folder.path());
    assert_eq!(from_folder.labs["pipes"]["src/lib.rs"], b"one");
    assert_eq!(from_folder.labs.len(), 2);
    assert!(
        from_folder.notes[0].contains("Cargo.toml"),
        "{:?}",
        from_folder.notes
    );
    assert_eq!(opened(zip_of(&files).path()), from_folder);
    assert_eq!(opened(tar_gz(&files).path()), from_folder);
}

#[test]
fn a_path_that_leaves_the_archive_refuses_it_by_name() {
    for path in [
        "../pipes/src/lib.rs",
        "/pipes/src/lib.rs",
        "pipes/src/..\\lib.rs",
        "a//b.rs",
    ] {
        for archive in [tar_gz(&[(path, b"x")]), zip_of(&[(path, b"x")])] {
            let reason = opened(archive.path()).rejected.unwrap_or_default();
            assert!(reason.starts_with("the path"), "{path}: {reason:?}");
        }
    }
}

#[test]
fn an_empty_or_broken_archive_is_refused_with_a_reason() {
    assert_eq!(
        opened(tar_gz(&[]).path()).rejected.unwrap(),
        "it holds no file"
    );
    assert_eq!(
        opened(zip_of(&[]).path()).rejected.unwrap(),
        "it holds no file"
    );
    let garbage = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    std::fs::write(garbage.path(), "not a zip").unwrap();
    assert!(
        opened(garbage.path())
            .rejected
            .unwrap()
            .starts_with("the archive cannot be read")
    );
}

#[test]
fn a_bomb_is_refused_without_being_held() {
    let archive = tar_gz(&[("pipes/notes.bin", &vec![0; 65 << 20])]);
    assert!(opened(archive.path()).rejected.unwrap().contains("64 MiB"));
    let archive = zip_of(&[("pipes/src/lib.rs", &vec![b' '; 2 << 20])]);
    assert!(
        opened(archive.path())
            .rejected
            .unwrap()
            .contains("larger than 1 MiB")
    );
}

#[test]
fn a_link_or_a_fifo_in_the_place_of_a_source_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let src = folder.path().join("pipes/src");
    std::fs::create_dir_all(&src).unwrap();
    symlink("/etc/passwd", src.join("lib.rs")).unwrap();
    assert!(opened(folder.path()).rejected.unwrap().contains("lib.rs"));
    std::fs::remove_file(src.join("lib.rs")).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(src.join("lib.rs"))
        .status()
        .unwrap();
    assert!(fifo.success());
    assert!(
        opened(folder.path())
            .rejected
            .unwrap()
            .contains("not a regular file")
    );
}

#[test]
fn one_lab_in_two_places_is_refused() {
    let files: [(&str, &[u8]); 2] = [
        ("pipes/src/lib.rs", b"one"),
        ("labs/pipes/src/lib.rs", b"two"),
    ];
    assert!(
        opened(zip_of(&files).path())
            .rejected
            .unwrap()
            .contains("twice")
    );
}

#[test]
fn two_submissions_of_one_name_are_an_error_naming_both() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("alice")).unwrap();
    std::fs::write(folder.path().join("alice.zip"), "").unwrap();
    let error = submissions(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("alice.zip") && error.contains("two submissions"),
        "{error}"
    );
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        submissions(empty.path()),
        Err(IntakeError::Empty(_))
    ));
}
