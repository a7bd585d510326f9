//! Parts 1 and 2: making a FIFO, and opening it for reading.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};

use harness::{Bench, Check, Fields, Symptom, ensure, ensure_eq, found};

use crate::chat::{Chat, make_fifo, reader_of};

/// A plain file, a folder and a symbolic link are refused and left as they are.
pub(crate) fn what_stands_in_the_way_is_left_alone(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let precious = bench.bytes(100);
    let (file, folder, link) = (
        chat.fifo("hub"),
        chat.dir.join("folder"),
        chat.dir.join("link"),
    );
    fs::write(&file, &precious)?;
    fs::set_permissions(&file, PermissionsExt::from_mode(0o666))?;
    fs::create_dir(&folder)?;
    make_fifo(&chat.fifo("other"))?;
    symlink(chat.fifo("other"), &link)?;

    let mut probe = bench.probe().connect()?;
    for (path, case) in [
        (&file, "a plain file"),
        (&folder, "a folder"),
        (&link, "a symbolic link to a FIFO"),
    ] {
        let args = Fields::new().bytes(path.as_os_str().as_encoded_bytes());
        let kind = probe.error("ensure_fifo", args, &format!("where {case} stands"))?;
        ensure_eq(
            format!("ensure_fifo where {case} stands"),
            "AlreadyExists",
            &kind,
        )?;
    }
    probe.finish()?;
    let kept = fs::read(&file).is_ok_and(|now| now == precious);
    ensure(
        kept,
        "ensure_fifo where a plain file stands",
        "the file as it was",
        "another one",
    )?;
    let kept = fs::symlink_metadata(&link).is_ok_and(|now| now.is_symlink()) && folder.is_dir();
    ensure(
        kept,
        "ensure_fifo where something else stands",
        "it stays",
        "it is gone",
    )?;

    let hub = chat.program("hub").run(b"")?;
    hub.expect_code(5, "with a plain file in the place of its FIFO")
}

/// Mode 0600 whatever the umask lets through; a FIFO that exists is used as it is.
pub(crate) fn a_new_fifo_is_private_and_an_old_one_is_kept(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let (new, old) = (chat.fifo("new"), chat.fifo("old"));
    make_fifo(&old)?;
    // Open to the end, so that no new FIFO gets the number of the old one.
    let held = reader_of(&old)?;
    let inode = held.metadata()?.ino();

    let mut probe = bench.probe().umask(0).connect()?;
    for path in [&new, &old] {
        probe.value(
            "ensure_fifo",
            Fields::new().bytes(path.as_os_str().as_encoded_bytes()),
        )?;
    }
    probe.finish()?;
    let made = fs::symlink_metadata(&new).ok();
    let got = made
        .as_ref()
        .map_or("nothing".to_owned(), |made| match made.file_type() {
            kind if kind.is_fifo() => format!("a FIFO of mode {:04o}", made.mode() & 0o7777),
            kind => format!("{kind:?}"),
        });
    ensure_eq(
        "ensure_fifo with umask 000, where nothing stood",
        "a FIFO of mode 0600",
        &got,
    )?;
    let now = fs::symlink_metadata(&old).map(|now| now.ino()).ok();
    let what = "ensure_fifo where a FIFO stood";
    ensure(
        now == Some(inode),
        what,
        "the same FIFO as before",
        "another inode, or none",
    )
}

/// The reading end opens at once, read-only, non-blocking and close-on-exec.
pub(crate) fn a_reader_waits_for_nobody(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let path = chat.fifo("hub");
    make_fifo(&path)?;
    let mut probe = bench.probe().connect()?;
    let args = Fields::new().bytes(path.as_os_str().as_encoded_bytes());
    let opened = probe.value("open_reader", args)?;
    let Some(fd) = opened
        .parse(0)
        .and_then(|number| probe.process.proc().fd(number))
    else {
        return Ok(()); // what cannot be read is no evidence
    };
    let what = "the descriptor that open_reader returned";
    let is_ours = fd.target == path.to_string_lossy();
    ensure(is_ours, what, format!("{}", path.display()), &fd.target)?;
    if fd.flags.is_none() {
        return Ok(());
    }
    ensure(
        fd.can_read(),
        what,
        "it can be read from",
        "it is open for writing only",
    )?;
    if fd.can_write() {
        return Err(found(
            Symptom::Mechanism,
            what,
            "a reading end: O_RDONLY",
            "O_RDWR: its holder is a writer too and hides the end of file from itself",
        ));
    }
    ensure(fd.is_nonblocking(), what, "O_NONBLOCK is set", "it is not")?;
    ensure(fd.is_close_on_exec(), what, "O_CLOEXEC is set", "it is not")
}
