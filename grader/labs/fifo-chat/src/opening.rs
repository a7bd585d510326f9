//! Part 3: opening for writing is a meeting that must not be waited for without end.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use harness::{Bench, Check, Fields, Input, Process, Symptom, ensure, ensure_eq, found};

use crate::chat::{Chat, make_fifo, reader_of, still_there};

/// `say` without a hub ends with 3 at its deadline, whether the FIFO exists or not, and sleeps
/// until then.
pub(crate) fn a_hub_that_never_comes_is_given_up(bench: &Bench) -> Check {
    let (without, with) = (Chat::new(bench)?, Chat::new(bench)?);
    make_fifo(&with.fifo("hub"))?;
    let start = |chat: &Chat<'_>, deadline: &str| {
        let arguments = ["--nick", "ann", "--deadline", deadline, "hello"];
        chat.program("say").args(arguments).start()
    };
    let cases = [
        (start(&without, "300")?, "where there is no hub.fifo"),
        (start(&with, "300")?, "where nobody reads hub.fifo"),
    ];
    let patient = start(&with, "3600000")?;
    for (say, case) in cases {
        say.finish()?.expect_code(3, case)?;
    }
    let what = "the folder after `say` without a hub";
    ensure_eq(what, Vec::<String>::new(), without.names()?)?;
    sleeps_between_its_tries(bench, &patient)?;
    patient.kill()?;
    Ok(())
}

/// A busy wait unless the program is seen asleep so many times before it has used much processor
/// time.
fn sleeps_between_its_tries(bench: &Bench, say: &Process) -> Check {
    let mut asleep = 0;
    let used = || say.proc().cpu().unwrap_or_default();
    bench.until(|| {
        asleep += u32::from(say.proc().is_asleep());
        say.exit().is_some() || asleep >= SIGHTINGS || used() > Duration::from_millis(200)
    });
    still_there(say)?;
    if asleep >= SIGHTINGS {
        return Ok(());
    }
    Err(found(
        Symptom::BusyWait,
        format!("`{}`, while nobody reads hub.fifo", say.command()),
        "it sleeps between its tries",
        format!(
            "{} ms of processor time and hardly any sleep",
            used().as_millis()
        ),
    ))
}

/// More than a program that never sleeps can be seen asleep by mistake. Each of them costs a wake-up
/// of the test, which is slow to come on a busy machine.
const SIGHTINGS: u32 = 20;

/// A hub that comes late is found, and hears the line.
pub(crate) fn a_hub_that_comes_late_is_found(bench: &Bench) -> Check {
    for fifo_is_there in [false, true] {
        let chat = Chat::new(bench)?;
        let path = chat.fifo("hub");
        if fifo_is_there {
            make_fifo(&path)?;
        }
        let line = chat.line("ann");
        let text = &line["ann\t".len()..];
        let arguments = ["--nick", "ann", "--deadline", "60000", text];
        let say = chat.program("say").args(arguments).start()?;
        wait_for_the_first_try(bench, &say)?;
        if !fifo_is_there {
            make_fifo(&path)?;
        }
        let hub = reader_of(&path)?;
        let said = say.finish()?;
        let case = match fifo_is_there {
            true => "whose FIFO is there, and read only later",
            false => "whose hub makes its FIFO only later",
        };
        said.expect_code(0, case)?;
        ensure_eq(
            format!("what the hub reads from `say`, {case}"),
            line + "\n",
            text_in(hub)?,
        )?;
    }
    Ok(())
}

/// Until it sleeps, or has used some time if it never does.
fn wait_for_the_first_try(bench: &Bench, say: &Process) -> Check {
    bench.until(|| {
        say.exit().is_some()
            || say.proc().is_asleep()
            || say
                .proc()
                .cpu()
                .is_some_and(|cpu| cpu > Duration::from_millis(50))
    });
    still_there(say)
}

/// After opening, a full FIFO makes the writer wait; nothing of a burst is lost.
pub(crate) fn a_burst_waits_for_room(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let path = chat.fifo("hub");
    make_fifo(&path)?;
    let hub = reader_of(&path)?;

    let mut probe = bench.probe().connect()?;
    let args = Fields::new()
        .bytes(path.as_os_str().as_encoded_bytes())
        .value(1000);
    let opened = probe.value("open_writer", args)?;
    let fd = opened
        .parse(0)
        .and_then(|number| probe.process.proc().fd(number));
    if let Some(fd) = fd.filter(|fd| fd.flags.is_some()) {
        let what = "the descriptor that open_writer returned";
        ensure(
            fd.can_write() && !fd.can_read(),
            what,
            "O_WRONLY",
            "O_RDWR: its holder is a reader too and hides from itself that nobody else reads",
        )?;
        ensure(
            !fd.is_nonblocking(),
            what,
            "O_NONBLOCK is clear again",
            "it is still set",
        )?;
        ensure(fd.is_close_on_exec(), what, "O_CLOEXEC is set", "it is not")?;
    }
    probe.finish()?;

    let texts: Vec<String> = (0..140).map(|_| chat.line("ann").repeat(36)).collect();
    let texts: Vec<String> = texts.iter().map(|text| text.replace('\t', "-")).collect();
    let input = chat.dir.join("input");
    fs::write(&input, texts.join("\n"))?;
    fs::set_permissions(&input, PermissionsExt::from_mode(0o644))?;
    let arguments = ["--nick", "ann"];
    let burst = Input::Fd(File::open(&input)?.into());
    let say = chat.program("say").args(arguments).stdin(burst).start()?;
    // Nobody has read a byte yet: when it sleeps, the FIFO is full.
    bench.until(|| say.exit().is_some() || say.proc().is_asleep());
    let mut heard = Vec::new();
    bench.until(|| {
        let _ = (&hub).read_to_end(&mut heard);
        say.exit().is_some()
    });
    let _ = (&hub).read_to_end(&mut heard);
    say.finish()?.expect_code(
        0,
        "with more lines than the FIFO holds and a hub that reads late",
    )?;
    let expected: String = texts.iter().map(|text| format!("ann\t{text}\n")).collect();
    let (expected, got) = (expected.into_bytes(), heard);
    ensure_eq("bytes that the hub read", expected.len(), got.len())?;
    ensure(
        expected == got,
        "the lines that the hub read",
        "the lines said, in order",
        "others",
    )
}

/// A plain file in the hub's place is not written to.
pub(crate) fn what_is_no_fifo_is_not_written_to(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    let file = chat.fifo("hub");
    let precious = bench.bytes(100);
    fs::write(&file, &precious)?;
    fs::set_permissions(&file, PermissionsExt::from_mode(0o666))?;
    let arguments = ["--nick", "ann", "--deadline", "100", "hello"];
    let say = chat.program("say").args(arguments).run(b"")?;
    let now = fs::read(&file)?;
    let what = "`say` where hub.fifo is a plain file";
    ensure(
        now == precious,
        what,
        "the file as it was",
        format!("{} bytes, changed", now.len()),
    )?;
    say.expect_code(5, "where hub.fifo is a plain file")
}

/// All that is in a FIFO whose writers have gone.
fn text_in(mut fifo: File) -> Check<String> {
    let mut bytes = Vec::new();
    fifo.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
