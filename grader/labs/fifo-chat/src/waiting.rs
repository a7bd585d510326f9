//! Part 7: waiting for two things at once, before, between and after the writers.

use std::io::{PipeWriter, Write};
use std::time::Duration;

use harness::{Bench, Check, Fields, Input, Probe, Reply, ensure_eq, wrong};

use crate::chat::{Chat, Door, bytes_in, make_fifo, reader_of, writer_to};

/// How long a program is watched while it has nothing to do.
const WINDOW: Duration = Duration::from_millis(300);

/// Where the probe finds its inbox and its standard input.
const INBOX: i32 = 4;
const STDIN: i32 = 5;

/// A writer comes, says a line and leaves, five times over: the hub hears them all.
pub(crate) fn the_hub_hears_whoever_comes_next(bench: &Bench) -> Check {
    bench.needs_proc_in_the_box()?;
    let chat = Chat::new(bench)?;
    let (hub, mut door) = chat.hub()?;
    let mut bob = chat.ear("bob")?;
    door.say(&chat.line("bob"))?;
    chat.settle(&hub, &door)?;
    bob.heard()?;
    drop(door);
    for _ in 0..5 {
        chat.settle_without_writers(&hub)?;
        let mut door = chat.door(&hub)?;
        let line = chat.line("eve");
        door.say(&line)?;
        chat.settle(&hub, &door)?;
        bob.expect("bob", &[&line])?;
    }
    chat.settle_without_writers(&hub)
}

/// After the last writer has left, the hub sleeps.
pub(crate) fn a_hub_without_writers_sleeps(bench: &Bench) -> Check {
    bench.needs_proc_in_the_box()?;
    let chat = Chat::new(bench)?;
    let (hub, mut door) = chat.hub()?;
    door.say(&chat.line("eve"))?;
    drop(door);
    hub.sleeps_soundly(WINDOW, "after the last writer has left")
}

/// A member whose standard input is at its end listens on, asleep.
pub(crate) fn a_member_without_input_sleeps(bench: &Bench) -> Check {
    let chat = Chat::new(bench)?;
    make_fifo(&chat.fifo("hub"))?;
    let hub = reader_of(&chat.fifo("hub"))?;
    let ann = chat
        .program("join")
        .args(["--nick", "ann"])
        .stdin(Input::Null)
        .start()?;
    bench.until(|| ann.exit().is_some() || bytes_in(&hub) > 0);
    let mut to_ann = Door(writer_to(bench, &ann, &chat.fifo("ann"))?);
    let line = chat.line("hub");
    to_ann.say(&line)?;
    let shown = format!("{line}\n").into_bytes();
    ann.until_stdout("the line that the hub wrote", |stdout| stdout == shown)?;
    ann.sleeps_soundly(WINDOW, "with its standard input at its end")
}

/// A probe that runs the loop, with a FIFO for its inbox and a pipe for its standard input.
struct Loop<'a> {
    chat: Chat<'a>,
    probe: Probe,
    keyboard: Option<PipeWriter>,
}

impl<'a> Loop<'a> {
    fn start(bench: &'a Bench) -> Check<Self> {
        let chat = Chat::new(bench)?;
        make_fifo(&chat.fifo("hub"))?;
        let inbox = reader_of(&chat.fifo("hub"))?;
        let (stdin, keyboard) = std::io::pipe()?;
        let mut probe = bench.probe().fd(INBOX, inbox).fd(STDIN, stdin).connect()?;
        probe.value("catch_usr1", Fields::new())?;
        probe.send("event_loop", &Fields::new().value(INBOX).value(STDIN))?;
        let mut running = Self {
            chat,
            probe,
            keyboard: Some(keyboard),
        };
        running.idle(None)?;
        Ok(running)
    }

    /// Waits until the loop has taken all there is and told of it.
    fn idle(&mut self, door: Option<&Door>) -> Check {
        let process = &self.probe.process;
        // A probe that waits for its next call has come back from this one.
        let returned = || {
            let call = process.proc().syscall();
            call.is_some_and(|call| call.number == libc::SYS_recvfrom)
        };
        let empty = || door.is_none_or(|door| bytes_in(&door.0) == 0);
        self.chat.settle_when(process, || empty() || returned())?;
        let call = process.proc().syscall().map(|call| call.number);
        let elsewhere = match call {
            #[cfg(target_arch = "x86_64")]
            Some(libc::SYS_open) => Some("it sleeps in open(2)"),
            Some(libc::SYS_openat) => Some("it sleeps in open(2)"),
            Some(libc::SYS_nanosleep | libc::SYS_clock_nanosleep) => Some("it takes naps"),
            _ => None,
        };
        if let Some(got) = elsewhere {
            return Err(wrong(
                "event_loop, with nothing to do",
                "it sleeps in poll(2)",
                got,
            ));
        }
        if call != Some(libc::SYS_recvfrom) {
            return Ok(());
        }
        let how = match self.probe.receive("event_loop")? {
            Reply::Value(_) => "it has returned Ok".to_owned(),
            Reply::Error { text, .. } => format!("it has returned an error: {text}"),
        };
        Err(wrong("event_loop, not told to stop", "it goes on", how))
    }

    /// A writer comes.
    fn door(&self) -> Check<Door> {
        self.chat.door(&self.probe.process)
    }

    /// Ends the loop. What it told of the FIFO, with `|` for each `WritersGone`, and of standard
    /// input, with `$` for each `StdinEnd`.
    fn end(mut self, mut door: Door) -> Check<(String, String)> {
        door.0.write_all(b"!")?;
        match self.probe.receive("event_loop")? {
            Reply::Value(told) => {
                let text = |index| String::from_utf8_lossy(told.get(index)).into_owned();
                Ok((text(0), text(1)))
            }
            Reply::Error { text, .. } => Err(wrong("event_loop, told to stop", "Ok", text)),
        }
    }
}

/// The loop tells of bytes, of each time that the last writer leaves, and of the end of standard
/// input, each once and in order.
pub(crate) fn each_leaving_is_told_once(bench: &Bench) -> Check {
    bench.needs_proc_in_the_box()?;
    let mut running = Loop::start(bench)?;
    if let Some(keyboard) = &mut running.keyboard {
        keyboard.write_all(b"typed")?;
    }
    running.idle(None)?;
    let visits = [(); 3].map(|()| running.chat.line("eve"));
    for visit in &visits {
        let mut door = running.door()?;
        door.0.write_all(visit.as_bytes())?;
        running.idle(Some(&door))?;
        drop(door);
        let case = "after the last writer has left";
        running.idle(None).map_err(|stop| stop.in_case(case))?;
    }
    running.keyboard = None;
    let case = "after the end of standard input";
    running.idle(None).map_err(|stop| stop.in_case(case))?;

    let door = running.door()?;
    let (inbox, stdin) = running.end(door)?;
    let expected: String = visits.iter().map(|visit| format!("{visit}|")).collect();
    let what = "what event_loop told of the FIFO, WritersGone shown as |, with three writers";
    if !inbox.contains('|') {
        return Err(wrong(
            what,
            expected + "!",
            format!("no WritersGone: {inbox}"),
        ));
    }
    ensure_eq(what, expected + "!", inbox)?;
    let what = "what event_loop told of standard input, StdinEnd shown as $";
    ensure_eq(what, "typed$".to_owned(), stdin)
}

/// A signal interrupts poll(2), and the loop goes on.
pub(crate) fn a_signal_does_not_end_the_loop(bench: &Bench) -> Check {
    let mut running = Loop::start(bench)?;
    let mut door = running.door()?;
    let mut expected = String::new();
    for _ in 0..3 {
        running.probe.process.signal(libc::SIGUSR1)?;
        running.idle(None)?;
        let line = running.chat.line("eve");
        door.0.write_all(line.as_bytes())?;
        running.idle(Some(&door))?;
        expected += &line;
    }
    let (inbox, _) = running.end(door)?;
    let what = "what event_loop told of the FIFO, with a signal before each of three lines";
    ensure_eq(what, expected + "!", inbox)
}
