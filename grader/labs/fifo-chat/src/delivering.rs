//! Part 6, one call at a time: what `deliver` makes of members and guests.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};

use harness::{Bench, Check, Fields, Probe, ensure, ensure_eq};

use crate::chat::{Chat, make_fifo};

/// The longest line, its newline included.
const MAX_LINE: usize = 4096;

/// What `deliver` returned: members who got the line, whose FIFO was full, who had gone.
type Delivery = (usize, usize, usize);

/// A probe with a hub for this chat.
fn hub(bench: &Bench, chat: &Chat<'_>) -> Check<Probe> {
    let mut probe = bench.probe().connect()?;
    probe.value(
        "hub",
        Fields::new().bytes(chat.dir.as_os_str().as_encoded_bytes()),
    )?;
    Ok(probe)
}

fn deliver(probe: &mut Probe, from: &str, line: &str) -> Check<Delivery> {
    let answer = probe.value("deliver", Fields::new().value(from).value(line))?;
    let count = |index| answer.parse(index).unwrap_or(usize::MAX);
    Ok((count(0), count(1), count(2)))
}

fn members(probe: &mut Probe) -> Check<String> {
    let members = probe.value("members", Fields::new())?;
    Ok(String::from_utf8_lossy(members.get(0)).into_owned())
}

/// One member reads, one has a full FIFO, one has left: the first gets the line, the second
/// misses it, the third is forgotten. The longest line goes out whole, a longer one is refused.
pub(crate) fn the_slow_and_the_dead_are_counted(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let mut probe = hub(bench, &chat)?;
    let (mut amy, bea, cid) = (chat.ear("amy")?, chat.ear("bea")?, chat.ear("cid")?);
    bea.shrink(4096)?;
    for (nick, n_members) in [("amy", 1), ("bea", 2), ("cid", 3)] {
        let got = deliver(&mut probe, nick, &chat.line(nick))?;
        ensure_eq(
            format!(
                "(sent, full, gone) for the first line of {nick}: it goes to all members, {nick} too"
            ),
            (n_members, 0, 0),
            got,
        )?;
    }
    amy.heard()?;
    fill(&chat, "bea")?;
    drop(cid);

    let line = chat.line("guest");
    let case = "with amy reading, the FIFO of bea full, cid gone";
    let got = deliver(&mut probe, "guest", &line).map_err(|stop| stop.in_case(case))?;
    ensure_eq(format!("(sent, full, gone) {case}"), (1, 1, 1), got)?;
    amy.expect("amy", &[&line])?;
    let what = format!("the members after a line {case}");
    ensure_eq(what, "amy bea", &members(&mut probe)?)?;

    let mut bea = bea;
    bea.heard()?;
    let line = chat.line("guest");
    let what = "(sent, full, gone) when the full FIFO has been read";
    ensure_eq(what, (2, 0, 0), deliver(&mut probe, "guest", &line)?)?;
    bea.expect("bea", &[&line])?;
    amy.expect("amy", &[&line])?;

    // It fills the FIFO of bea, who has just read all that was in it.
    let longest = format!("guest\t{}", ".".repeat(MAX_LINE - "guest\t\n".len()));
    let case = "a line of 4096 bytes, newline included";
    let what = format!("(sent, full, gone) for {case}");
    ensure_eq(what, (2, 0, 0), deliver(&mut probe, "guest", &longest)?)?;
    for (who, ear) in [("amy", &mut amy), ("bea", &mut bea)] {
        let heard = ear.heard()?;
        ensure(
            heard.strip_suffix('\n') == Some(&longest),
            format!("{who}.fifo after deliver of {case}"),
            "that line",
            format!("{} bytes, others", heard.len()),
        )?;
    }
    let args = Fields::new().value("guest").value(longest + ".");
    let case = "a line of 4097 bytes, newline included";
    let kind = probe.error("deliver", args, case)?;
    ensure_eq(
        format!("the error of deliver for {case}"),
        "InvalidInput",
        &kind,
    )
}

/// Fills the FIFO of a member, as if they had read nothing for a long time.
fn fill(chat: &Chat<'_>, nick: &str) -> Check {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    let fifo = options
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(chat.fifo(nick))?;
    while (&fifo).write(b".").is_ok() {}
    Ok(())
}

/// Who leaves and comes back with a new FIFO hears the line of their return.
pub(crate) fn who_comes_back_is_a_member_again(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let mut probe = hub(bench, &chat)?;
    let (first, mut bob) = (chat.ear("ann")?, chat.ear("bob")?);
    deliver(&mut probe, "ann", &chat.line("ann"))?;
    deliver(&mut probe, "bob", &chat.line("bob"))?;
    bob.heard()?;

    drop(first);
    fs::remove_file(chat.fifo("ann"))?;
    let mut second = chat.ear("ann")?;
    let line = chat.line("ann");
    deliver(&mut probe, "ann", &line)?;
    second.expect("the new ann", &[&line])?;
    bob.expect("bob", &[&line])?;
    ensure_eq(
        "the members after ann came back",
        "ann bob",
        &members(&mut probe)?,
    )
}

/// No FIFO, nobody who reads it, a file or a link in its place: who speaks is a guest, and nothing is written.
pub(crate) fn a_guest_is_heard_and_told_nothing(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let mut probe = hub(bench, &chat)?;
    let mut amy = chat.ear("amy")?;
    deliver(&mut probe, "amy", &chat.line("amy"))?;
    amy.heard()?;
    make_fifo(&chat.fifo("stale"))?;
    let precious = bench.bytes(100);
    let file = chat.fifo("file");
    fs::write(&file, &precious)?;
    fs::set_permissions(&file, PermissionsExt::from_mode(0o666))?;
    symlink(chat.fifo("amy"), chat.fifo("link"))?;
    let before = chat.names()?;

    for (nick, case) in [
        ("nobody", "who has no FIFO"),
        ("stale", "whose FIFO nobody reads"),
        ("file", "in whose FIFO's place a plain file stands"),
        (
            "link",
            "in whose FIFO's place a link to another one's FIFO stands",
        ),
    ] {
        let line = chat.line(nick);
        let got = deliver(&mut probe, nick, &line)?;
        ensure_eq(
            format!("(sent, full, gone) for a line of somebody {case}"),
            (1, 0, 0),
            got,
        )?;
        amy.expect("amy", &[&line])?;
    }
    let now = fs::read(&file)?;
    let what = "the plain file in the place of a FIFO";
    ensure(
        now == precious,
        what,
        "as it was",
        format!("{} bytes, changed", now.len()),
    )?;
    ensure_eq("the members after that", "amy", &members(&mut probe)?)?;
    ensure_eq(
        "the names in the chat's folder after that",
        before,
        chat.names()?,
    )
}
