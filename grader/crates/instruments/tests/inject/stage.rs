//! What a case needs: a box, a recorder, and watched programs in it.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use instruments::inject::{Point, Recorder, Rule};
use sandbox::{Bind, BoxSpec, Child, Command, Level, Sandbox, Watch};

/// Where this executable is in the box.
const VICTIM: &str = "/lab/victim";

pub(crate) struct Stage {
    pub(crate) sandbox: Sandbox,
    pub(crate) recorder: Recorder,
}

impl Stage {
    pub(crate) fn new(level: Level, rules: Vec<Rule>, also: &[Point]) -> Self {
        let bind = Bind {
            source: std::env::current_exe().unwrap(),
            target: VICTIM.into(),
            writable: false,
        };
        let spec = BoxSpec {
            binds: vec![bind],
            ..BoxSpec::default()
        };
        // Opening a box takes a process with one thread, so the recorder comes second.
        let sandbox = Sandbox::open(&spec, level).unwrap();
        let recorder = Recorder::start(rules, also).unwrap();
        Self { sandbox, recorder }
    }

    /// The same for whoever owns it.
    pub(crate) fn renewed(mut self, rules: Vec<Rule>) -> Self {
        self.renew(rules);
        self
    }

    /// Goes on with these rules, an empty log, and the results of calls in it.
    pub(crate) fn with_results(mut self, rules: Vec<Rule>, also: &[Point]) -> Self {
        self.recorder = Recorder::with_results(rules, also).unwrap();
        self
    }

    /// Goes on with other rules and an empty log, in the same box.
    pub(crate) fn renew(&mut self, rules: Vec<Rule>) {
        self.recorder = Recorder::start(rules, &[]).unwrap();
    }

    /// A victim with these arguments, not started yet.
    pub(crate) fn victim(&self, args: &[&str]) -> Command {
        let mut command = match self.sandbox.level().has_private_root() {
            true => Command::new(VICTIM),
            false => Command::new(std::env::current_exe().unwrap()),
        };
        command.args = vec!["victim".into()];
        command.args.extend(args.iter().map(Into::into));
        command
    }

    pub(crate) fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args = vec!["-c".into(), script.into()];
        command.env = vec![("PATH".into(), "/usr/bin:/bin".into())];
        command
    }

    /// Starts a watched program; its output comes through the file.
    pub(crate) fn start(&self, role: &str, mut command: Command) -> (Child, File) {
        let (reader, writer) = std::io::pipe().unwrap();
        let writer: OwnedFd = writer.into();
        command.fds.push((writer.try_clone().unwrap(), 2));
        command.fds.push((writer, 1));
        command.watch = Some(Watch {
            calls: self.recorder.calls().to_vec(),
            socket: self.recorder.admit(role).unwrap().into(),
            cpu: self.recorder.cpu(),
        });
        let child = self.sandbox.spawn(command).unwrap();
        (child, File::from(OwnedFd::from(reader)))
    }

    /// Runs a watched program to its end and returns what it said.
    pub(crate) fn run(&self, role: &str, command: Command) -> String {
        let (child, output) = self.start(role, command);
        said(child, output)
    }

    /// How often each rule took effect, in their order.
    pub(crate) fn fired(&self) -> Vec<u32> {
        assert_eq!(self.recorder.troubles(), Vec::<String>::new());
        let reports = self.recorder.reports();
        reports.iter().map(|report| report.n_fired).collect()
    }
}

/// What a program said until it ended, with how it ended.
pub(crate) fn said(child: Child, mut output: File) -> String {
    let mut said = String::new();
    output.read_to_string(&mut said).unwrap();
    let exit = child
        .wait_until(Instant::now() + Duration::from_secs(60))
        .expect("a program ends");
    match exit.status.success() {
        true => said.trim().to_owned(),
        false => format!("{} ({})", said.trim(), exit.status)
            .trim()
            .to_owned(),
    }
}
