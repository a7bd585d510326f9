//! The recorder's one thread: hears every announced call and answers it by the rules.

use std::collections::HashMap;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

use crate::inject::notify::{Announced, Answer, Listener};
use crate::inject::possible::is_possible;
use crate::inject::proxy::Proxy;
use crate::inject::quiet::{LOOK, Quiet};
use crate::inject::recorder::Shared;
use crate::inject::results::{AT_THE_START, follow};
use crate::inject::scene::Scene;
use crate::inject::{Effect, Entry, Rule, Target, Until, fork};
use crate::proc::{PidFd, Process, Signals};

/// A hold never lasts longer, whatever goes on beside it.
const LONGEST_HOLD: Duration = Duration::from_secs(2);

/// What the log says of a hold that took longer.
const TOO_LONG: &str = "let go: held for too long";

/// The thread's own state.
pub(crate) struct Supervisor {
    shared: Arc<Shared>,
    rules: Vec<Rule>,
    tells_results: bool,
    started: Instant,
    arriving: Vec<(String, UnixStream)>,
    programs: Vec<Program>,
    scene: Scene,
    /// Calls so far by each actor at each rule's point, and at the point it waits for.
    counts: HashMap<(usize, Side, usize), u32>,
    /// Which actors have come to the point that a rule waits for.
    arrived: HashMap<usize, Vec<usize>>,
    held: Vec<Held>,
    /// Calls that are being made for a program: its threads wait for us, too.
    lent: Vec<(Arc<Listener>, Announced)>,
    /// Calls that come again once a signal is handled.
    again: Vec<Again>,
    quiet: Quiet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Side {
    Point,
    Until,
}

/// A watched program.
struct Program {
    role: String,
    listener: Arc<Listener>,
    /// Before its exec it is still the sandbox's own code.
    runs: bool,
    /// Whether it is traced for its results, or was to be.
    is_followed: bool,
}

/// A call that will be announced once more, and its place in the log.
struct Again {
    tid: u32,
    call: i64,
    args: [u64; 6],
    entry: Option<usize>,
}

/// A call that is not answered yet.
struct Held {
    listener: Arc<Listener>,
    announced: Announced,
    actor: usize,
    entry: Option<usize>,
    end: End,
}

/// What ends a hold.
enum End {
    At(Instant),
    Rule { rule: usize, since: Instant },
}

impl Supervisor {
    pub(crate) fn new(shared: Arc<Shared>, rules: Vec<Rule>, tells_results: bool) -> Self {
        Self {
            shared,
            rules,
            tells_results,
            started: Instant::now(),
            arriving: Vec::new(),
            programs: Vec::new(),
            scene: Scene::default(),
            counts: HashMap::new(),
            arrived: HashMap::new(),
            held: Vec::new(),
            lent: Vec::new(),
            again: Vec::new(),
            quiet: Quiet::default(),
        }
    }

    /// Serves until the recorder is dropped and the last program has ended.
    pub(crate) fn serve(mut self, cpu: Option<usize>) {
        if let Some(cpu) = cpu {
            // Only speed depends on it.
            let mut cpus = CpuSet::new();
            let _ = cpus.set(cpu);
            let _ = sched_setaffinity(Pid::from_raw(0), &cpus);
        }
        while !(self.shared.book().is_closed && self.programs.is_empty()) {
            let (events, n_arriving) = self.wait();
            let (arriving, programs) = events.split_at(n_arriving);
            for at in (0..programs.len()).rev() {
                self.hear_program(at, programs[at]);
            }
            for at in (0..arriving.len())
                .rev()
                .filter(|at| !arriving[*at].is_empty())
            {
                self.welcome(at);
            }
            self.release();
        }
    }

    /// Waits for something to do; returns what is ready, newcomers first.
    fn wait(&mut self) -> (Vec<PollFlags>, usize) {
        self.arriving.append(&mut self.shared.book().arriving);
        let newcomers = self.arriving.iter().map(|(_, socket)| socket.as_fd());
        let programs = self.programs.iter().map(|program| program.listener.as_fd());
        let mut fds: Vec<PollFd<'_>> = std::iter::once(self.shared.wake.as_fd())
            .chain(newcomers)
            .chain(programs)
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let timeout = match self.held.is_empty() {
            true => PollTimeout::NONE,
            false => PollTimeout::try_from(LOOK).expect("a few milliseconds"),
        };
        let n_ready = poll(&mut fds, timeout).unwrap_or(0);
        let mut ready: Vec<PollFlags> = (fds.iter())
            .map(|fd| fd.revents().unwrap_or(PollFlags::empty()))
            .collect();
        if n_ready == 0 {
            ready.fill(PollFlags::empty());
        }
        if !ready.remove(0).is_empty() {
            let _ = self.shared.wake.read();
        }
        (ready, self.arriving.len())
    }

    /// A program-to-be has sent its listener, or ended before that.
    fn welcome(&mut self, at: usize) {
        let (role, socket) = self.arriving.remove(at);
        if let Ok(Some(listener)) = Listener::take(&socket) {
            self.programs.push(Program {
                role,
                listener: Arc::new(listener),
                runs: false,
                is_followed: false,
            });
        }
    }

    fn hear_program(&mut self, at: usize, ready: PollFlags) {
        if ready.contains(PollFlags::POLLIN) {
            self.quiet.disturb();
            if let Ok(Some(announced)) = self.programs[at].listener.receive() {
                self.hear(at, announced);
            }
        } else if !ready.is_empty() {
            // Everybody who could announce anything there has gone.
            self.programs.remove(at);
            self.quiet.disturb();
        }
    }

    /// One announced call.
    fn hear(&mut self, at: usize, announced: Announced) {
        let program = &mut self.programs[at];
        let listener = Arc::clone(&program.listener);
        let (call, args) = (announced.call(), announced.args);
        let go_on = || listener.answer(announced.id, Answer::GoOn);
        if !program.runs {
            program.runs = call == libc::SYS_execve;
            // The first of its program, before any child of it can speak.
            self.scene.actor(announced.tid.cast_signed(), &program.role);
            return go_on();
        }
        if self.tells_results && call == AT_THE_START {
            let is_followed = std::mem::replace(&mut program.is_followed, true);
            if !is_followed && let Err(error) = follow(&self.shared, announced.tid.cast_signed()) {
                let reason = format!("what calls of {} return: {error}", program.role);
                self.shared.book().no_results = Some(reason);
            }
            return go_on();
        }
        let tid = announced.tid.cast_signed();
        let comes_again = |it: &Again| (it.tid, it.call, it.args) == (announced.tid, call, args);
        if let Some(known) = self.again.iter().position(comes_again) {
            let again = self.again.remove(known);
            if let Some(place) = again.entry.filter(|_| self.tells_results) {
                self.shared.book().unfinished.insert(tid, place);
            }
            return go_on();
        }
        if self.shared.book().is_begun_again(tid, call, &args) {
            return go_on();
        }
        let actor = self.scene.actor(tid, &program.role);
        let target = Target::of(Process::new(tid), call, &args);
        if target.as_ref().is_some_and(Target::is_of_the_system) {
            return go_on();
        }
        let makes_a_process = fork().calls.contains(call);
        let signals = makes_a_process
            .then(|| Process::new(tid).signals())
            .flatten();
        let blocked = signals.map(|signals| signals.blocked);
        let entry = {
            let mut book = self.shared.book();
            if book.log.actors.len() < self.scene.actors().len() {
                book.log.actors = self.scene.actors().to_vec();
            }
            let entry = book.log.push(Entry {
                at: self.started.elapsed(),
                actor,
                call,
                args,
                target: target.clone(),
                blocked,
                effect: None,
                returned: None,
                reaped: None,
            });
            match entry.filter(|_| self.tells_results) {
                Some(place) => book.unfinished.insert(tid, place),
                None => book.unfinished.remove(&tid),
            };
            entry
        };
        match self.rule_for(actor, &announced, target.as_ref()) {
            None => go_on(),
            Some(rule) => self.apply(rule, listener, announced, actor, target, entry),
        }
    }

    /// Counts the call at every point that means it, and returns the first rule that applies.
    fn rule_for(
        &mut self,
        actor: usize,
        announced: &Announced,
        target: Option<&Target>,
    ) -> Option<usize> {
        let role = &self.scene.actors()[actor].role;
        let call = announced.call();
        let mut chosen = None;
        for (index, rule) in self.rules.iter().enumerate() {
            if let Effect::HeldUntil(Until::Reached(point)) = &rule.effect
                && point.matches(role, call, &announced.args, target)
            {
                let count = self.counts.entry((index, Side::Until, actor)).or_default();
                *count += 1;
                if point.count.contains(count) {
                    self.arrived.entry(index).or_default().push(actor);
                }
            }
            if !rule.point.matches(role, call, &announced.args, target)
                || !is_possible(&rule.effect, announced)
            {
                continue;
            }
            let count = self.counts.entry((index, Side::Point, actor)).or_default();
            *count += 1;
            self.shared.book().reports[index].n_matching += 1;
            if chosen.is_none() && rule.point.count.contains(count) {
                chosen = Some(index);
            }
        }
        chosen
    }

    fn apply(
        &mut self,
        rule: usize,
        listener: Arc<Listener>,
        announced: Announced,
        actor: usize,
        target: Option<Target>,
        entry: Option<usize>,
    ) {
        let effect = self.rules[rule].effect.clone();
        let mut end = None;
        // All of this before the call can go on: the program may end at once, and the test look.
        self.shared.book().reports[rule].n_fired += 1;
        tell(&self.shared, entry, |_| effect.to_string());
        match &effect {
            Effect::Eintr => listener.answer(announced.id, Answer::Fail(libc::EINTR)),
            Effect::Fails(errno) => listener.answer(announced.id, Answer::Fail(*errno as i32)),
            Effect::Delayed(time) => end = Some(End::At(Instant::now() + *time)),
            Effect::HeldUntil(_) => {
                let since = Instant::now();
                end = Some(End::Rule { rule, since });
            }
            Effect::Signal(signal) => self.interrupt(&listener, &announced, actor, entry, *signal),
            Effect::Short(length) => {
                let process = Process::new(self.scene.actors()[actor].pid);
                let of = target
                    .as_ref()
                    .ok_or_else(|| std::io::Error::other("no descriptor"));
                let proxy = of.and_then(|target| {
                    Proxy::new(Arc::clone(&listener), announced, process, target, *length)
                });
                match proxy {
                    Ok(proxy) => {
                        self.lent.push((Arc::clone(&listener), announced));
                        let shared = Arc::clone(&self.shared);
                        proxy.start(move |done| {
                            let text = match done {
                                Ok(n_bytes) => format!("only {n_bytes} bytes"),
                                Err(errno) => format!("{errno:?}"),
                            };
                            tell(&shared, entry, |_| text);
                        });
                    }
                    Err(error) => {
                        let trouble = format!("{}: {error}", self.rules[rule]);
                        tell(&self.shared, entry, |_| "not possible here".to_owned());
                        let mut book = self.shared.book();
                        book.reports[rule].n_fired -= 1;
                        // A descriptor that is not open any more: the call will say so itself.
                        if error.raw_os_error() != Some(libc::EBADF) {
                            book.troubles.push(trouble);
                        }
                        drop(book);
                        return listener.answer(announced.id, Answer::GoOn);
                    }
                }
            }
        }
        if let Some(end) = end {
            self.held.push(Held {
                listener,
                announced,
                actor,
                entry,
                end,
            });
        }
    }

    /// Sends the signal and has it handled before the call, unless the process blocks it.
    fn interrupt(
        &mut self,
        listener: &Listener,
        announced: &Announced,
        actor: usize,
        entry: Option<usize>,
        signal: i32,
    ) {
        let process = Process::new(self.scene.actors()[actor].pid);
        let thread = Process::new(announced.tid.cast_signed());
        let is_blocked = |signals: Signals| signals.blocked & (1 << (signal - 1)) != 0;
        let blocked = thread.signals().is_none_or(is_blocked);
        let sent = PidFd::open(process.pid()).and_then(|pidfd| pidfd.signal(signal));
        if let Err(error) = sent {
            let trouble = format!("signal {signal} to {process:?}: {error}");
            self.shared.book().troubles.push(trouble);
        }
        let answer = match blocked {
            true => Answer::GoOn,
            false => {
                self.again.push(Again {
                    tid: announced.tid,
                    call: announced.call(),
                    args: announced.args,
                    entry,
                });
                Answer::SignalFirst
            }
        };
        listener.answer(announced.id, answer);
    }

    /// Ends the holds that are over, and the first one if nobody moves any more.
    fn release(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let mut at = 0;
        while at < self.held.len() {
            match self.is_over(&self.held[at]) {
                Some(how) => self.let_go(at, how),
                None => at += 1,
            }
        }
        let waits = |held: &Held| matches!(held.end, End::Rule { .. });
        let Some(first) = self.held.iter().position(waits) else {
            return;
        };
        if self.somebody_is_still_to_come() {
            return;
        }
        let pids: Vec<i32> = self.scene.actors().iter().map(|actor| actor.pid).collect();
        self.lent
            .retain(|(listener, announced)| listener.is_waiting(announced.id));
        let lent = self.lent.iter().map(|(_, announced)| announced);
        let held = self.held.iter().map(|held| &held.announced).chain(lent);
        let held: Vec<i32> = held.map(|announced| announced.tid.cast_signed()).collect();
        if self.quiet.is_quiet(&pids, &held) {
            self.let_go(first, "let go: nobody else moved");
            self.quiet.disturb();
        }
    }

    /// Whether a hold has come to its end, and in which words.
    fn is_over(&self, held: &Held) -> Option<&'static str> {
        if !held.listener.is_waiting(held.announced.id) {
            return Some("it has ended meanwhile");
        }
        let (rule, since) = match held.end {
            End::At(end) => return (Instant::now() >= end).then_some(""),
            End::Rule { rule, since } => (rule, since),
        };
        if since.elapsed() > LONGEST_HOLD {
            return Some(TOO_LONG);
        }
        let Effect::HeldUntil(until) = &self.rules[rule].effect else {
            return Some("");
        };
        let is_met = match until {
            Until::Reached(_) => {
                let arrived = self.arrived.get(&rule);
                arrived.is_some_and(|actors| actors.iter().any(|actor| *actor != held.actor))
            }
            Until::Ended(role) => (self.scene.actors().iter())
                .find(|actor| actor.role == *role)
                .is_some_and(|actor| Process::new(actor.pid).has_ended()),
        };
        is_met.then_some("")
    }

    fn let_go(&mut self, at: usize, how: &str) {
        let held = self.held.remove(at);
        if let (End::Rule { rule, .. }, TOO_LONG) = (&held.end, how) {
            // The order that it was to force may not have come about.
            self.shared.book().reports[*rule].n_fired -= 1;
        }
        if !how.is_empty() {
            tell(&self.shared, held.entry, |before| {
                format!("{}; {how}", before.unwrap_or_default())
            });
        }
        held.listener.answer(held.announced.id, Answer::GoOn);
    }

    /// Whether a hold waits for a program that has not been started yet.
    fn somebody_is_still_to_come(&self) -> bool {
        let has_come = |role: &str| {
            let program = role.split('/').next().unwrap_or(role);
            // Its exec makes it one. Before that nobody would see it move.
            let mut actors = self.scene.actors().iter();
            actors.any(|actor| actor.role == program)
        };
        self.held.iter().any(|held| {
            let End::Rule { rule, .. } = held.end else {
                return false;
            };
            match &self.rules[rule].effect {
                Effect::HeldUntil(Until::Reached(point)) => {
                    point.by.as_deref().is_some_and(|role| !has_come(role))
                }
                _ => false,
            }
        })
    }
}

/// Changes what the log says was done to a call.
fn tell(shared: &Shared, entry: Option<usize>, text: impl FnOnce(Option<String>) -> String) {
    let mut book = shared.book();
    if let Some(entry) = entry.and_then(|entry| book.log.entries.get_mut(entry)) {
        entry.effect = Some(text(entry.effect.take()));
    }
}
