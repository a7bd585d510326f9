//! Builds a seat: rustc, called directly, in a box that holds no hidden test, no other
//! submission and no environment. Compiling a submission is already running it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use model::printable;
use nix::sys::signal::Signal;
use nix::sys::statvfs::statvfs;
use sandbox::{Bind, BoxSpec, Level, Rlimits, Sandbox, killed_for_memory};
use serde::{Deserialize, Serialize};

use crate::seat::Seat;
use crate::{Kit, Stop, TestOptions, cargo_build};

/// What came of building a seat.
#[derive(Debug)]
pub(crate) enum Built {
    /// The programs are in the seat.
    Programs,
    /// The submission does not compile; the compiler's words.
    Refused(String),
    /// We could not build; never the submission's fault.
    Fault(String),
}

/// What the build helper is asked to do, as JSON on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub struct BuildRequest {
    pub(crate) level: String,
    pub(crate) binds: Vec<(PathBuf, PathBuf, bool)>,
    pub(crate) cwd: PathBuf,
    pub(crate) steps: Vec<Vec<String>>,
    /// Done after the others; if one of them fails, its program is not there.
    pub(crate) optional: Vec<Vec<String>>,
}

impl BuildRequest {
    /// The commands, and the folder that they start in.
    pub(crate) fn into_steps(self) -> (PathBuf, Vec<Vec<String>>) {
        let steps = self.steps.into_iter().chain(self.optional);
        (self.cwd, steps.collect())
    }
}

/// What the build helper answers, as JSON on its standard output.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum BuildAnswer {
    /// Every step succeeded.
    Done,
    /// A step failed: the compiler's words, or how it ended.
    Failed(String),
    /// The box could not be opened, or a compiler not be started.
    Fault(String),
}

/// Wall time after which a compiler is given up, far above any honest build.
const WALL: Duration = Duration::from_secs(60);

/// Most of the compiler's words that are kept.
const MAX_WORDS: u64 = 64 << 10;

/// Who calls rustc.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BuildMode {
    /// We do, in a box.
    #[default]
    Direct,
    /// Cargo, outside of it: only for trusted code.
    Cargo,
}

/// Builds the lab's program and its probes from the seat's sources.
pub(crate) fn build(kit: &Kit, seat: &Seat, tests: &TestOptions, helper: &Path) -> Built {
    let killed_before = killed_for_memory();
    match build_once(kit, seat, tests, helper) {
        // Whoever took the memory, the kernel may have killed this compiler.
        Built::Refused(_) if killed_for_memory() != killed_before => {
            build_once(kit, seat, tests, helper)
        }
        built => built,
    }
}

fn build_once(kit: &Kit, seat: &Seat, tests: &TestOptions, helper: &Path) -> Built {
    let answer = match tests.build {
        BuildMode::Direct => ask_helper(&request(kit, seat, tests.level), helper, &kit.stop),
        BuildMode::Cargo => cargo_build::build(kit, seat).map(|built| match built {
            Ok(()) => BuildAnswer::Done,
            Err(words) => BuildAnswer::Failed(words),
        }),
    };
    let taken = match answer {
        Ok(BuildAnswer::Done) => {
            if kit.orders.is_some() {
                // Not to compile on loom costs the one test that needs it, and that test says so.
                let _not_there = seat.take_program("orders");
            }
            ["probe", &kit.lab.name].map(|name| seat.take_program(name))
        }
        Ok(BuildAnswer::Failed(_)) if is_our_disk_full(seat) => {
            let folder = std::env::temp_dir();
            return Built::Fault(format!(
                "no room for a build in {}: set TMPDIR to a folder with room",
                folder.display()
            ));
        }
        Ok(BuildAnswer::Failed(words)) => return Built::Refused(printable(&words)),
        Ok(BuildAnswer::Fault(reason)) => return Built::Fault(reason),
        Err(error) => return Built::Fault(format!("building: {error}")),
    };
    match taken.into_iter().collect::<io::Result<()>>() {
        Ok(()) => Built::Programs,
        Err(error) => Built::Fault(format!("taking the built programs: {error}")),
    }
}

/// Less than this may be too little for a build.
const ROOM: u64 = 64 << 20;

/// Whether there is so little room that a failed build says nothing about the submission. What the
/// compiler says cannot be asked: a submission may make it say anything.
fn is_our_disk_full(seat: &Seat) -> bool {
    statvfs(&seat.output()).is_ok_and(|disk| {
        // Some file systems make inodes as they go and count none at all.
        let no_inode = disk.files() > 0 && disk.files_available() == 0;
        disk.blocks_available() * disk.fragment_size() < ROOM || no_inode
    })
}

/// The box and the three calls of rustc: library, program, probe; and for a lab with a part that
/// is tried in every order of memory two more, a library on loom and the program that tries it.
pub(crate) fn request(kit: &Kit, seat: &Seat, level: Level) -> BuildRequest {
    let mut binds = Vec::new();
    // Without a private root everything is used where it is.
    let mut place = |source: PathBuf, target: &str, writable| {
        let inside = if level.has_private_root() {
            PathBuf::from(target)
        } else {
            source.clone()
        };
        binds.push((source, PathBuf::from(target), writable));
        inside.to_string_lossy().into_owned()
    };
    let source = place(seat.source(), "/seat", false);
    let output = place(seat.output(), "/out", true);
    let deps = place(kit.deps.clone(), "/deps", false);
    let sysroot = place(kit.sysroot.clone(), "/toolchain", false);

    let rustc = |crate_name: &str, crate_type: &str, file: &str, out: &str, externs: &[String]| {
        let out = format!("{output}/{out}");
        let mut step = rustc(level, &sysroot, crate_name, crate_type, file, &out);
        step.extend(["-L".to_owned(), format!("dependency={deps}")]);
        step.extend(
            externs
                .iter()
                .flat_map(|name| ["--extern".to_owned(), name.clone()]),
        );
        step
    };
    let lab = kit.lab.name.as_str();
    let crate_name = lab.replace('-', "_");
    let library = format!("lib{crate_name}.rlib");
    let mut externs: Vec<String> = kit
        .externs
        .iter()
        .filter(|(name, _)| *name != "probe")
        .map(|(name, file)| format!("{name}={deps}/{file}"))
        .collect();
    let library_step = rustc(&crate_name, "rlib", "src/lib.rs", &library, &externs);
    let mut loomed = externs.clone();
    externs.push(format!("{crate_name}={output}/{library}"));
    let program_step = rustc(&crate_name, "bin", "src/main.rs", lab, &externs);
    let probe = kit.externs.get("probe");
    let probe = probe.map(|file| format!("probe={deps}/{file}"));
    externs.extend(probe.clone());
    let probe_step = rustc("probe_main", "bin", "probe.rs", "probe", &externs);
    let mut optional = Vec::new();
    if let Some(orders) = &kit.orders {
        let library = "liborders.rlib";
        loomed.push(format!("loom={deps}/{}", orders.loom));
        optional.push(rustc(
            &crate_name,
            "rlib",
            "orders/src/lib.rs",
            library,
            &loomed,
        ));
        loomed.push(format!("{crate_name}={output}/{library}"));
        loomed.extend(probe);
        optional.push(rustc(
            "orders_main",
            "bin",
            "orders/main.rs",
            "orders",
            &loomed,
        ));
    }
    BuildRequest {
        level: level.to_string(),
        binds,
        cwd: source.into(),
        steps: vec![library_step, program_step, probe_step],
        optional,
    }
}

/// One call of the compiler that is at `sysroot` in the box, without what is the lab's.
pub(crate) fn rustc(
    level: Level,
    sysroot: &str,
    crate_name: &str,
    crate_type: &str,
    file: &str,
    out: &str,
) -> Vec<String> {
    let mut step = vec![format!("{sysroot}/bin/rustc")];
    step.extend(["--crate-name", crate_name, "--crate-type", crate_type, file].map(str::to_owned));
    step.extend(["-o".to_owned(), out.to_owned()]);
    // Not every rung has a /proc, where rustc and the linker that comes with it would find out
    // where they are.
    step.push(format!("--sysroot={sysroot}"));
    if level == Level::C {
        step.push("-Clinker-features=-lld".to_owned());
    }
    step.extend(FLAGS.map(str::to_owned));
    step
}

/// A student's `cargo build`: debug assertions, overflow checks and unwinding, but no debug
/// information, and warnings are nobody's business here.
const FLAGS: [&str; 10] = [
    "--edition=2024",
    "--cap-lints=allow",
    "--color=never",
    "-Cdebuginfo=0",
    "-Cstrip=debuginfo",
    "-Ccodegen-units=1",
    "-Cembed-bitcode=no",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
    "-Cpanic=unwind",
];

pub(crate) fn ask_helper(
    request: &BuildRequest,
    helper: &Path,
    stop: &Stop,
) -> io::Result<BuildAnswer> {
    let mut command = Command::new(helper);
    command
        .arg("__build")
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = stop.start(&mut command)?;
    let child = &mut running.child;
    let asked = serde_json::to_vec(request)?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    stdin.write_all(&asked)?;
    drop(stdin);
    let mut answer = Vec::new();
    let mut stdout = child.stdout.take().expect("stdout is piped");
    stdout.read_to_end(&mut answer)?;
    // The helper's own last words; the compiler's are in the answer.
    let mut words = String::new();
    let stderr = child.stderr.take().expect("stderr is piped");
    stderr.take(MAX_WORDS).read_to_string(&mut words)?;
    let status = running.wait()?;
    serde_json::from_slice(&answer)
        .map_err(|_| io::Error::other(format!("it ended with {status} and said {words:?}")))
}

/// The build helper: reads a [`BuildRequest`] from standard input, runs its steps in a box, and
/// writes the answer to standard output. Call it first thing in a process with one thread.
///
/// # Errors
/// Those of standard input and output.
pub fn build_in_box() -> io::Result<()> {
    let request: BuildRequest = serde_json::from_reader(io::stdin().lock())?;
    let answer = run_steps(&request).unwrap_or_else(BuildAnswer::Fault);
    serde_json::to_writer(io::stdout(), &answer)?;
    io::stdout().flush()
}

fn run_steps(request: &BuildRequest) -> Result<BuildAnswer, String> {
    let level = request
        .level
        .parse()
        .map_err(|_| format!("no rung {}", request.level))?;
    let bind = |(source, target, writable): &(PathBuf, PathBuf, bool)| Bind {
        source: source.clone(),
        target: target.clone(),
        writable: *writable,
    };
    let spec = BoxSpec {
        binds: request.binds.iter().map(bind).collect(),
        tmp_bytes: 256 << 20,
        limits: Rlimits {
            processes: 64,
            memory: 3 << 30,
            cpu_seconds: 30,
            file_bytes: 256 << 20,
            open_files: 1024,
        },
        ..BoxSpec::default()
    };
    let sandbox = Sandbox::open(&spec, level).map_err(|error| error.to_string())?;
    // A compiler must not outlive a grader that was killed.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(|error| error.to_string())?;
    for step in &request.steps {
        if let Some(words) = compile(&sandbox, step, &request.cwd)? {
            return Ok(BuildAnswer::Failed(words));
        }
    }
    for step in &request.optional {
        if compile(&sandbox, step, &request.cwd)?.is_some() {
            break;
        }
    }
    Ok(BuildAnswer::Done)
}

/// Runs one compiler; its words if it failed.
fn compile(sandbox: &Sandbox, step: &[String], cwd: &Path) -> Result<Option<String>, String> {
    let fault = |error: io::Error| format!("starting the compiler: {error}");
    let (program, args) = step.split_first().ok_or("an empty build step")?;
    let (reader, writer) = io::pipe().map_err(fault)?;
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(fault)?;
    let mut command = sandbox::Command::new(program);
    command.args = args.iter().map(Into::into).collect();
    command.cwd = Some(cwd.to_owned());
    command.env = vec![
        ("PATH".into(), "/usr/bin:/bin".into()),
        ("LANG".into(), "C.UTF-8".into()),
        ("TMPDIR".into(), sandbox.work_dir().into()),
    ];
    // Without a /proc, the loader cannot find rustc's libraries beside it.
    if let Some(toolchain) = Path::new(program).ancestors().nth(2) {
        let libraries = toolchain.join("lib").into_os_string();
        command.env.push(("LD_LIBRARY_PATH".into(), libraries));
    }
    let stdin = null.try_clone().map_err(fault)?;
    command.fds = vec![(stdin.into(), 0), (null.into(), 1), (writer.into(), 2)];
    let child = sandbox
        .spawn(command)
        .map_err(|error| format!("starting the compiler: {error}"))?;
    let words = std::thread::spawn(move || {
        let mut words = Vec::new();
        // A compiler that says more loses its standard error and stops.
        reader
            .take(MAX_WORDS)
            .read_to_end(&mut words)
            .map(|_| words)
    });
    let Some(exit) = child.wait_until(Instant::now() + WALL) else {
        return Ok(Some(format!(
            "the compiler did not end within {} s",
            WALL.as_secs()
        )));
    };
    if exit.status.success() {
        return Ok(None);
    }
    let words = words.join().ok().and_then(Result::ok).unwrap_or_default();
    let words = String::from_utf8_lossy(&words).into_owned();
    Ok(Some(match exit.status.code() {
        Some(1) => words,
        _ => format!(
            "the compiler crashed or hit a limit: {}\n{words}",
            exit.status
        ),
    }))
}
