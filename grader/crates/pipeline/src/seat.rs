//! The seat: a clean folder where a submission's files take the place of the reference's.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::{Kit, SourceTree};

/// One submission of one lab, laid out to be built. Removed when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    folder: tempfile::TempDir,
}

impl Seat {
    /// Writes the files that count. Given files replace a submission's own of the same name; an
    /// editable file that was not handed in stays a stub.
    pub(crate) fn prepare(kit: &Kit, submitted: &SourceTree) -> io::Result<Self> {
        let seat = Self {
            folder: tempfile::Builder::new().prefix("seat-").tempdir()?,
        };
        fs::set_permissions(seat.folder.path(), Permissions::from_mode(0o755))?;
        for folder in [
            seat.source(),
            seat.source().join("src"),
            seat.output(),
            seat.programs(),
        ] {
            fs::create_dir(&folder)?;
            fs::set_permissions(&folder, Permissions::from_mode(0o755))?;
        }
        // rustc runs as the box's own user.
        fs::set_permissions(seat.output(), Permissions::from_mode(0o777))?;
        let layers = [&kit.stub, submitted, &kit.given];
        for (path, bytes) in layers.into_iter().flatten() {
            fs::write(seat.source().join(path), bytes)?;
        }
        fs::write(seat.source().join("probe.rs"), &kit.probe)?;
        if let Some(orders) = &kit.orders {
            let sources = seat.source().join("orders");
            fs::create_dir_all(sources.join("src"))?;
            let layers = [&kit.stub, submitted, &kit.given, &orders.replaced];
            for (path, bytes) in layers.into_iter().flatten() {
                fs::write(sources.join(path), bytes)?;
            }
            fs::write(sources.join("main.rs"), &orders.main)?;
        }
        Ok(seat)
    }

    /// The sources, read-only in the box.
    pub(crate) fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    /// Where the compiler writes.
    pub(crate) fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    /// The finished programs: all that the box of a test sees.
    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.path().join("programs")
    }

    /// Takes a finished program out of the compiler's folder.
    pub(crate) fn take_program(&self, name: &str) -> io::Result<()> {
        take(&self.output().join(name), &self.programs().join(name))
    }
}

/// Takes a finished program from where the compiler wrote it. Only a regular file counts.
pub(crate) fn take(built: &Path, taken: &Path) -> io::Result<()> {
    let mut from = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW)
        .open(built)?;
    if !from.metadata()?.is_file() {
        let name = built.display();
        return Err(io::Error::other(format!("{name} is not a regular file")));
    }
    io::copy(&mut from, &mut File::create(taken)?)?;
    fs::set_permissions(taken, Permissions::from_mode(0o755))
}
