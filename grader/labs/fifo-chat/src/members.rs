//! The program with members: joining, hearing, stopping, dying and leaving.

use harness::{Bench, Check, Input, Process, Symptom, ensure, ensure_eq, found, wrong};

use crate::chat::{Chat, Ear, bytes_in, make_fifo, reader_of, still_there, writer_to};

/// `join` meets a hub that listens first, and a hub that looks for the member first. Blocking
/// opens would leave both asleep in one of the two orders.
pub(crate) fn join_meets_the_hub_in_either_order(bench: &Bench) -> Check {
    bench.needs_proc_in_the_box()?;
    for hub_listens_first in [true, false] {
        let chat = Chat::new(bench)?;
        let (hub_fifo, ann_fifo) = (chat.fifo("hub"), chat.fifo("ann"));
        let listen = || {
            make_fifo(&hub_fifo)?;
            reader_of(&hub_fifo)
        };
        let arguments = ["--nick", "ann", "--deadline", "60000"];
        let join = chat.program("join").args(arguments).stdin(Input::Pipe);

        let (ann, hub, to_ann);
        if hub_listens_first {
            hub = listen()?;
            ann = join.start()?;
            bench.until(|| ann.exit().is_some() || bytes_in(&hub) > 0);
            still_there(&ann)?;
            to_ann = writer_to(bench, &ann, &ann_fifo)?;
        } else {
            ann = join.start()?;
            to_ann = writer_to(bench, &ann, &ann_fifo)?;
            // It has looked for the hub in vain.
            ann.until_asleep()?;
            hub = listen()?;
            bench.until(|| ann.exit().is_some() || bytes_in(&hub) > 0);
            still_there(&ann)?;
        }
        let said = Ear::new(hub).heard()?;
        ensure_eq(
            "the first line that the hub reads from `join`",
            "ann\tjoined\n",
            &said,
        )?;

        let mut to_ann = crate::chat::Door(to_ann);
        let line = chat.line("hub");
        to_ann.say(&line)?;
        let shown = format!("{line}\n").into_bytes();
        ann.until_stdout("the line that the hub wrote", |stdout| {
            stdout.ends_with(&shown)
        })?;
        drop(to_ann);
        ann.wait();
        let case = match hub_listens_first {
            true => "after a hub that opened hub.fifo first has left",
            false => "after a hub that opened ann.fifo first has left",
        };
        let ann = ann.finish()?;
        ann.expect_stdout(&shown, case)?;
        ann.expect_code(0, case)?;
    }
    Ok(())
}

/// Two members see all lines, their own too, in the same order; each reads their own FIFO only.
pub(crate) fn every_member_gets_every_line(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let (hub, mut door) = chat.hub()?;
    let mut ann = chat.join("ann")?;
    let bob = chat.join("bob")?;
    let mut expected = "bob\tjoined\n".to_owned();
    let mut hear = |line: &str| -> Check {
        expected += &format!("{line}\n");
        for (member, joined) in [(&ann, "ann\tjoined\n"), (&bob, "")] {
            let whole = format!("{joined}{expected}").into_bytes();
            member.until_stdout("every line so far", |shown| shown.len() >= whole.len())?;
        }
        Ok(())
    };
    for nick in ["eve", "dan", "eve"] {
        let line = chat.line(nick);
        door.say(&line)?;
        hear(&line)?;
    }
    for process in [&ann, &bob] {
        reads_its_own_fifo_only(&chat, process)?;
    }
    still_there(&hub)?;
    let line = chat.line("ann");
    ann.feed(format!("{}\n", &line["ann\t".len()..]).as_bytes())?;
    let whole = format!("{expected}{line}\n");
    for (nick, member, joined) in [("ann", &ann, "ann\tjoined\n"), ("bob", &bob, "")] {
        let whole = format!("{joined}{whole}");
        let shown = member.until_stdout("every line", |shown| shown.len() >= whole.len())?;
        let shown = String::from_utf8_lossy(&shown).into_owned();
        ensure_eq(format!("what {nick} sees of the chat"), whole, shown)?;
    }
    Ok(())
}

/// A member reads its own FIFO and writes to the hub's, and holds no other end.
fn reads_its_own_fifo_only(chat: &Chat<'_>, member: &Process) -> Check {
    let Some(fds) = member.proc().fds() else {
        return Ok(()); // what cannot be read is no evidence
    };
    let folder = chat.dir.to_string_lossy().into_owned();
    let here = fds
        .iter()
        .filter(|fd| fd.target.starts_with(&folder) && fd.flags.is_some());
    let mut ends: Vec<String> = here
        .map(|fd| {
            let name = fd.target[folder.len()..].trim_start_matches('/');
            let mode = match (fd.can_read(), fd.can_write()) {
                (true, true) => "read-write",
                (true, false) => "read",
                _ => "write",
            };
            format!("{name} {mode}")
        })
        .collect();
    ends.sort();
    // A second descriptor of the same end is no second reader: both are this member.
    ends.dedup();
    let own = member.command();
    let nick = own.split_whitespace().last().unwrap_or_default();
    let mut expected = vec![format!("{nick}.fifo read"), "hub.fifo write".to_owned()];
    expected.sort();
    if ends == expected || ends.is_empty() {
        return Ok(());
    }
    Err(found(
        Symptom::Mechanism,
        format!("the FIFOs that `{}` holds open", member.command()),
        expected.join(", "),
        ends.join(", "),
    ))
}

/// A member whose FIFO is full holds up nobody, and hears later lines again.
pub(crate) fn a_member_who_stopped_reading_holds_up_nobody(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let (hub, mut door) = chat.hub()?;
    let (mut ann, mut bob) = (chat.ear("ann")?, chat.ear("bob")?);
    // Lines of 1000 bytes, three times as many as fit: 12 where a page is 4 KiB.
    let n_lines = 3 * ann.shrink(4096)? / 1000;
    for nick in ["ann", "bob"] {
        door.say(&chat.line(nick))?;
        chat.settle(&hub, &door)?;
    }
    let joined = (ann.heard()?, bob.heard()?);
    ensure(
        !joined.0.is_empty() && !joined.1.is_empty(),
        "joining",
        "both are heard",
        "not so",
    )?;

    // Ann reads nothing now.
    let mut said = Vec::new();
    for _ in 0..n_lines {
        let line = format!("{}{}", chat.line("dan"), ".".repeat(1000 - 30));
        door.say(&line)?;
        chat.settle(&hub, &door)?;
        is_in_poll(&hub)?;
        bob.expect("bob", &[&line])?;
        said.push(line);
    }
    let heard = ann.heard()?;
    let lines: Vec<&str> = heard.lines().collect();
    let what = "the lines in ann's full FIFO";
    ensure(
        said.iter().zip(&lines).all(|(said, heard)| said == heard),
        what,
        "the first ones",
        "others",
    )?;
    let count = lines.len();
    ensure(
        (1..n_lines).contains(&count),
        what,
        "some of the first ones",
        count.to_string(),
    )?;

    let line = chat.line("dan");
    door.say(&line)?;
    chat.settle(&hub, &door)?;
    ann.expect("ann", &[&line])?;
    bob.expect("bob", &[&line])
}

/// A hub at rest waits for events, and for nothing else.
fn is_in_poll(hub: &Process) -> Check {
    let Some(call) = hub.proc().syscall() else {
        return Ok(()); // it runs, or the kernel does not tell
    };
    match call.number {
        libc::SYS_write | libc::SYS_writev => Err(wrong(
            "the hub, with one member who does not read",
            "it sleeps in poll(2)",
            "it sleeps in write(2): the full FIFO of one member holds up all the others",
        )),
        _ => Ok(()),
    }
}

/// A member who was killed is forgotten at the next line, which the others get.
pub(crate) fn a_member_who_died_is_forgotten(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let (hub, mut door) = chat.hub()?;
    let mut bob = chat.ear("bob")?;
    let ann = chat.join("ann")?;
    door.say(&chat.line("bob"))?;
    chat.settle(&hub, &door)?;
    bob.heard()?;
    ann.kill()?;
    for _ in 0..2 {
        let line = chat.line("dan");
        door.say(&line)?;
        chat.settle(&hub, &door)?;
        bob.expect("bob", &[&line])?;
    }
    let Some(fds) = hub.proc().fds() else {
        return Ok(()); // what cannot be read is no evidence
    };
    let ann_fifo = chat.fifo("ann");
    let held = fds
        .iter()
        .any(|fd| *fd.target == *ann_fifo.to_string_lossy());
    let what = "the hub's descriptors after a line that ann was not there to read";
    ensure(
        !held,
        what,
        "none of ann.fifo",
        "it still holds a writing end of ann.fifo",
    )
}

/// When the hub leaves, its members see the end of their FIFOs and leave too.
pub(crate) fn the_end_of_the_hub_ends_the_members(bench: &Bench) -> Check {
    bench.needs_proc_in_the_box()?;
    let chat = Chat::new(bench)?;
    let (hub, door) = chat.hub()?;
    let members = [chat.join("ann")?, chat.join("bob")?];
    drop(door);
    hub.signal(libc::SIGTERM)?;
    hub.finish()?
        .expect_signal(libc::SIGTERM, "which it was sent")?;
    for member in members {
        member.wait();
        member.finish()?.expect_code(0, "after the hub has left")?;
    }
    Ok(())
}

/// Who ends removes their own FIFO and no other; guests leave nothing behind.
pub(crate) fn everybody_removes_their_own_fifo(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let (hub, mut door) = chat.hub()?;
    let (ann, bob) = (chat.join("ann")?, chat.join("bob")?);
    let say = chat
        .program("say")
        .args(["--nick", "eve", "hello"])
        .run(b"")?;
    say.expect_code(0, "with a hub there")?;
    chat.settle(&hub, &door)?;
    only(
        &chat,
        "after a guest has spoken",
        &["ann.fifo", "bob.fifo", "hub.fifo"],
    )?;

    bob.kill()?;
    door.say(&chat.line("dan"))?;
    chat.settle(&hub, &door)?;
    let case = "after bob was killed, who could not remove his";
    only(&chat, case, &["ann.fifo", "bob.fifo", "hub.fifo"])?;
    ann.signal(libc::SIGTERM)?;
    ann.finish()?
        .expect_signal(libc::SIGTERM, "which it was sent")?;
    only(&chat, "after SIGTERM to ann", &["bob.fifo", "hub.fifo"])?;
    hub.signal(libc::SIGINT)?;
    hub.finish()?
        .expect_signal(libc::SIGINT, "which it was sent")?;
    only(&chat, "after SIGINT to the hub", &["bob.fifo"])
}

fn only(chat: &Chat<'_>, case: &str, expected: &[&str]) -> Check {
    let names = chat.names()?;
    if names == expected {
        return Ok(());
    }
    let left_behind = names.iter().any(|name| !expected.contains(&name.as_str()));
    let symptom = if left_behind {
        Symptom::Leak
    } else {
        Symptom::Wrong
    };
    let what = format!("the FIFOs in the chat's folder {case}");
    Err(found(symptom, what, expected.join(", "), names.join(", ")))
}
