//! `cargo lab watch` on a real terminal: tmux holds it, types, and reads the screen.
//!
//! Without tmux these tests say so and pass; with `WATCH_NEEDS_TMUX` in the environment, as in
//! `.ci/run`, a missing tmux is a failure.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use authoring::{lab, student};
use instruments::Process;

/// Only gives up: a first build on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(120);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("grader/ is in the repository")
}

fn has_tmux() -> bool {
    let has = Command::new("tmux").arg("-V").output().is_ok();
    assert!(
        has || env::var_os("WATCH_NEEDS_TMUX").is_none(),
        "tmux is not installed"
    );
    has
}

/// A terminal with a shell in it, in a student's tree.
struct Desk {
    folder: tempfile::TempDir,
    tree: PathBuf,
    /// What is compiled in it, from one run to the next. Trees do not share it: cargo tells
    /// packages apart by their place in the tree, so one would run what the other has built.
    target: PathBuf,
}

impl Desk {
    /// `name` keeps trees of tests that run at the same time apart.
    fn new(name: &str) -> Self {
        let tree = root().join("target").join(name);
        // Made anew, so that the lab is as students get it.
        let _none = fs::remove_dir_all(&tree);
        assert_cmd::Command::new(env!("CARGO_BIN_EXE_grader"))
            .arg("publish")
            .arg(&tree)
            .assert()
            .success();
        let desk = Self {
            folder: tempfile::tempdir().expect("a folder for tmux's socket"),
            tree,
            target: root().join("target").join(format!("{name}-build")),
        };
        let tree = desk.tree.display().to_string();
        desk.tmux(&[
            "new-session",
            "-d",
            "-x",
            "80",
            "-y",
            "24",
            "-c",
            &tree,
            "sh",
        ]);
        desk
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(self.folder.path().join("socket"))
            .args(["-f", "/dev/null"])
            .args(args)
            // The shell in it starts programs as this test would.
            .env("CARGO_TARGET_DIR", &self.target)
            .env_remove("CARGO_MANIFEST_DIR")
            .env_remove("NO_COLOR")
            .env("LC_ALL", "C.UTF-8")
            .output()
            .expect("tmux starts");
        assert!(output.status.success(), "tmux {args:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// What tmux knows of the terminal: whether the alternate screen is on, and the cursor.
    fn modes(&self) -> String {
        let modes = self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
        modes.trim().to_owned()
    }

    fn type_line(&self, line: &str) {
        self.tmux(&["send-keys", "-l", line]);
        self.tmux(&["send-keys", "Enter"]);
    }

    fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    #[track_caller]
    fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(
                began.elapsed() < PATIENCE,
                "no {what} in\n{}",
                self.screen()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn until_shown(&self, text: &str) {
        self.until(text, |desk| desk.screen().contains(text));
    }

    /// Starts the watch, and waits for its first verdict.
    #[track_caller]
    fn watch(&self, verdict: &str) {
        let program = env!("CARGO_BIN_EXE_grader");
        self.type_line(&format!("clear; {program} watch pipes"));
        self.until_shown(verdict);
        assert_eq!(self.modes(), "1 0", "alternate screen, no cursor");
    }

    /// The watching process: the child of the shell.
    fn watcher(&self) -> Process {
        let shell = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let shell = Process::new(shell.trim().parse().expect("a pid"));
        let [watcher] = shell.children()[..] else {
            panic!("the shell has one child");
        };
        watcher
    }

    /// The terminal is as the watch found it.
    #[track_caller]
    fn is_given_back(&self, left: &str) {
        self.until("usual screen and cursor", |desk| desk.modes() == "0 1");
        // Not on the line before: a shell drops the rest of it when SIGINT ended the program.
        self.type_line("echo left=$?");
        self.until_shown(left);
        self.type_line("clear; stty -a");
        self.until_shown("iexten");
        let modes = self.screen();
        for mode in ["icanon", "isig", "echo"] {
            let is_on = modes.split_whitespace().any(|word| word == mode);
            assert!(is_on, "no {mode} in\n{modes}");
        }
    }

    fn save(&self, text: &str) {
        fs::write(self.tree.join("labs/pipes/src/lib.rs"), text).expect("save the file");
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let socket = self.folder.path().join("socket");
        // A session that is gone already is no loss.
        let _gone = Command::new("tmux")
            .arg("-S")
            .arg(socket)
            .arg("kill-server")
            .output();
    }
}

fn solution() -> String {
    let lab = lab::discover(root())
        .expect("the labs are in order")
        .remove(0);
    let sources = lab.sources(root()).expect("the solution can be read");
    let complete = student::complete(&lab, &sources).expect("the markers are in order");
    complete["src/lib.rs"].clone()
}

#[test]
fn the_watch_follows_saves_answers_keys_and_gives_the_terminal_back() {
    if !has_tmux() {
        eprintln!("skipped: tmux is not installed");
        return;
    }
    let desk = Desk::new("student-watch");
    desk.watch("1 of 12 kernel facts learnt");
    desk.until_shown("part 1, not yet: make_pipe_connects_a_read_end_and_a_write_end");

    desk.press("h");
    desk.until_shown("a question: Which of the two descriptors");
    desk.press("n");
    desk.until_shown("part 2, not yet: write_all_writes_the_whole_buffer");

    // Small and large windows: the keys stand in the last row, and no row is too wide.
    for (width, height) in [(200, 50), (40, 12), (80, 24)] {
        let size = [width.to_string(), height.to_string()];
        desk.tmux(&["resize-window", "-x", &size[0], "-y", &size[1]]);
        desk.until("keys in the last row", |desk| {
            let screen = desk.screen();
            let rows: Vec<&str> = screen.trim_end_matches('\n').lines().collect();
            rows.len() == height && rows[height - 1].starts_with("h hint   n next   r run again")
        });
    }

    desk.save("fn half(");
    desk.until_shown("does not compile");
    desk.until_shown("labs/pipes/src/lib.rs");
    desk.save(&solution());
    desk.until_shown("12 of 12 kernel facts learnt");
    desk.until_shown("every public test passes");

    desk.press("q");
    desk.is_given_back("left=0");

    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        desk.watch("12 of 12 kernel facts learnt");
        let watcher = desk.watcher().pid().to_string();
        let sent = Command::new("kill").args(["-s", signal, &watcher]).status();
        assert!(sent.expect("kill starts").success());
        // Dead by the signal, as its shell sees it.
        desk.is_given_back(&format!("left={}", 128 + number));
    }
}

/// How long a student waits. Run it alone:
/// `cargo test --release -p grader --test watch -- --ignored --nocapture`
#[test]
#[ignore = "a measurement"]
fn measure_from_save_to_verdict() {
    assert!(has_tmux(), "this needs tmux");
    let desk = Desk::new("student-watch-measured");
    let good = solution();
    desk.save(&good);
    desk.watch("12 of 12 kernel facts learnt");
    let mut rounds = Vec::new();
    for round in 0..5 {
        let shown = |desk: &Desk| {
            let screen = desk.screen();
            screen.lines().nth(2).unwrap_or_default().to_owned()
        };
        let before = shown(&desk);
        let began = Instant::now();
        desk.save(&format!("{good}\n// Saved for the {round}th time.\n"));
        desk.until("a new verdict", |desk| {
            let now = shown(desk);
            now.starts_with("built in ") && now != before
        });
        let total = began.elapsed().as_secs_f64();
        let line = shown(&desk);
        let mut seconds = line.split(' ').filter_map(|word| word.parse::<f64>().ok());
        let built = seconds.next().expect("built in SECONDS");
        rounds.push((total - built, total, line));
    }
    rounds.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (over, total, line) in &rounds {
        println!("save to verdict {total:.2} s, {over:.2} s of it not cargo's; {line}");
    }
    desk.press("q");
    desk.is_given_back("left=0");
}
