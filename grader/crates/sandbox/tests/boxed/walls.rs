//! What a program in the box cannot reach.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use nix::sys::stat::{Mode, umask};
use sandbox::{Bind, Command, Level, Resource, Sandbox};

use crate::bench::{self, Outside, open, run, say, shell, start, student, until, wait};
use crate::{Case, cases};

/// For every level that isolates.
pub(crate) const CASES: &[Case] = cases![
    binds_are_readable_and_writable_as_said,
    a_link_leads_a_test_nowhere,
    programs_have_no_privileges,
    dangerous_calls_are_refused,
    a_fork_bomb_is_bounded,
    memory_of_the_whole_tree_is_bounded_on_level_a,
    programs_go_first_where_the_machine_has_no_memory_left,
    a_hostile_program_cannot_hold_up_the_start_of_others,
    a_box_opens_under_any_mask,
    a_compiler_works,
    landlock_is_on_where_the_kernel_has_it,
];

/// For levels with namespaces.
pub(crate) const CELL: &[Case] = cases![
    the_root_holds_only_what_programs_need,
    everything_but_the_shared_folders_is_read_only,
    no_foreign_process_is_visible,
    the_network_is_loopback_only,
    the_tmp_folder_is_bounded,
    killing_everything_kills_only_the_box,
];

/// For levels with namespaces and a `/proc`.
pub(crate) const CELL_WITH_PROC: &[Case] = cases![pid_1_tells_nothing_of_the_test];

fn the_root_holds_only_what_programs_need(level: Level) {
    let sandbox = open(level);
    let said = say(
        &sandbox,
        shell("ls -A / /etc /dev /tmp /dev/shm /dev/mqueue"),
    );
    let (root, rest) = said.trim_start_matches("/:\n").split_once("\n\n").unwrap();
    for name in root.lines() {
        let known = [
            "bin", "dev", "etc", "lab", "lib", "lib64", "proc", "tmp", "usr",
        ];
        assert!(known.contains(&name), "/{name}");
    }
    for expected in ["/tmp:\n\n", "/dev/shm:\n\n", "alternatives\n"] {
        assert!(format!("{rest}\n").contains(expected), "{rest}");
    }
    assert!(!rest.contains("shadow"), "{rest}");
    assert_eq!(say(&sandbox, shell("ls /lab")), "student\n");
}

fn everything_but_the_shared_folders_is_read_only(level: Level) {
    let sandbox = open(level);
    let writable = "for f in / /usr /etc /dev /lab /proc/sys/kernel; do touch $f/x 2>&- && echo $f; done; \
                    for f in /tmp /dev/shm; do touch $f/x && echo $f; done";
    assert_eq!(say(&sandbox, shell(writable)), "/tmp\n/dev/shm\n");
}

fn binds_are_readable_and_writable_as_said(level: Level) {
    // A folder below the machine's /tmp, which the box covers, and files only their owner could
    // change.
    let folder = nix::unistd::mkdtemp(&std::env::temp_dir().join("box-bind-XXXXXX")).unwrap();
    for name in ["reading", "writing"] {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("text"), name).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut spec = bench::spec();
    for (name, target, writable) in [
        ("reading", "/in/deep", false),
        ("writing", "/tmp/out", true),
    ] {
        spec.binds.push(Bind {
            source: folder.join(name),
            target: target.into(),
            writable,
        });
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let outside = Outside::start();
    let sandbox = Sandbox::open(&spec, level).unwrap();
    // Without a private root the sources are used where they are.
    let place = |target: &str, name| match level.has_private_root() {
        true => target.to_owned(),
        false => folder.join(name).to_str().unwrap().to_owned(),
    };
    let (input, output) = (place("/in/deep", "reading"), place("/tmp/out", "writing"));
    let script = format!(
        "cat {input}/text; touch {input}/new 2>&-; cp {input}/text {output}/copy; \
         ls {input}; ls {output}"
    );
    assert_eq!(say(&sandbox, shell(&script)), "readingtext\ncopy\ntext\n");
    assert_eq!(
        fs::read_to_string(format!("{output}/copy")).unwrap(),
        "reading"
    );
    sandbox.close();
    let look = format!("cat {0}/writing/copy; rm -r {0}", folder.display());
    assert_eq!(outside.say(&look), "reading");
}

/// Whoever runs a test may read and write more than the programs do, and a link in the place of
/// what the test expects would have it use that for them.
fn a_link_leads_a_test_nowhere(level: Level) {
    let folder = nix::unistd::mkdtemp(&std::env::temp_dir().join("box-link-XXXXXX")).unwrap();
    let precious = folder.join("precious");
    fs::write(&precious, "precious").unwrap();
    for (path, mode) in [(&folder, 0o777), (&precious, 0o666)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let outside = Outside::start();
    let sandbox = open(level);
    let (place, shared) = (
        sandbox.work_dir().to_owned(),
        format!("box-link-{}", std::process::id()),
    );
    let plant = format!(
        "for f in {0}/link /dev/shm/{shared}; do ln -s {1} $f; done; ln -s {2} {0}/folder",
        place.display(),
        precious.display(),
        folder.display()
    );
    say(&sandbox, shell(&plant));
    for link in [
        place.join("link"),
        place.join("folder/precious"),
        ["/dev/shm", &shared].iter().collect(),
    ] {
        assert!(
            fs::symlink_metadata(link.parent().unwrap()).is_ok(),
            "{link:?}"
        );
        assert!(fs::read(&link).is_err(), "{link:?}");
        assert!(fs::write(&link, "spoilt").is_err(), "{link:?}");
    }
    assert!(fs::write(place.join("folder/new"), "").is_err());
    sandbox.close();
    let look = format!("cd {0}; cat *; ls; rm -r {0}", folder.display());
    assert_eq!(outside.say(&look), "preciousprecious\n");
}

fn no_foreign_process_is_visible(level: Level) {
    let sandbox = open(level);
    let seen = say(&sandbox, shell("ls /proc | grep -c '^[0-9]*$'; echo $$"));
    match level {
        Level::C => assert_eq!(say(&sandbox, shell("ls -A /proc; echo $$")), "5\n"),
        // Pid 1, the shell, and the two of its pipe.
        _ => assert_eq!(seen, "4\n2\n"),
    }
}

fn pid_1_tells_nothing_of_the_test(level: Level) {
    let sandbox = open(level);
    let said = say(
        &sandbox,
        shell(
            "tr -d '\\0' < /proc/1/cmdline; cat /proc/1/comm; \
        for f in environ mem maps exe cwd root fd/0 syscall stack; do \
        cat /proc/1/$f >/dev/null 2>&1 && echo $f; readlink /proc/1/$f; done; \
        ls /proc/1/fd 2>&- && echo listed; :",
        ),
    );
    assert_eq!(said, "init\n");
}

fn programs_have_no_privileges(level: Level) {
    let sandbox = open(level);
    let said = say(&sandbox, shell("id -u; id -g"));
    let own = nix::unistd::geteuid();
    let expected = if level >= Level::C {
        1000
    } else {
        own.as_raw()
    };
    assert_eq!(said, format!("{expected}\n{expected}\n"));
    let child = sandbox.spawn(student("sleep", &[])).unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
    let has = |name: &str, value: &str| {
        let line = format!("{name}:\t{value}\n");
        assert!(status.contains(&line), "{line} is not in {status}");
    };
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        has(set, &"0".repeat(16));
    }
    if level >= Level::C {
        has("CapBnd", &"0".repeat(16));
    }
    has("NoNewPrivs", "1");
    has("Seccomp", "2");
    has("CoreDumping", "0");
    let four = |id: u32| {
        [
            id.to_string(),
            id.to_string(),
            id.to_string(),
            id.to_string(),
        ]
        .join("\t")
    };
    has("Uid", &four(own.as_raw()));
    has("Gid", &four(nix::unistd::getegid().as_raw()));
    // Root's groups would open more than its uid.
    let groups = match level {
        Level::E => groups(),
        _ => " ".to_owned(),
    };
    has("Groups", &groups);
}

fn groups() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Groups:\t"));
    line.unwrap().to_owned()
}

fn dangerous_calls_are_refused(level: Level) {
    let sandbox = open(level);
    let expected = "unshare: EPERM\nclone: EPERM\nclone3: ENOSYS\n\
                    unshare by x32: ENOSYS\nptrace: EPERM\nchroot: EPERM\nio_uring: EPERM\nnetlink: EPERM\n";
    assert_eq!(say(&sandbox, student("refused", &[])), expected);
    let signal = say(&sandbox, student("signal-pid-1", &[]));
    if level >= Level::C {
        // Pid 1 took no notice.
        assert_eq!(signal, "sent\n");
        assert_eq!(say(&sandbox, shell("echo alive")), "alive\n");
    } else {
        assert_eq!(signal, "EPERM\n");
    }
}

fn the_network_is_loopback_only(level: Level) {
    let sandbox = open(level);
    if level > Level::C {
        let interfaces = shell("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '");
        assert_eq!(say(&sandbox, interfaces), "lo\n");
    }
    let (exit, said) = run(&sandbox, student("connect", &["192.0.2.1:80"]));
    assert!(
        !exit.status.success() && said.contains("NetworkUnreachable"),
        "{said}"
    );
}

fn a_fork_bomb_is_bounded(level: Level) {
    let mut spec = bench::spec();
    spec.limits.processes = 32;
    let sandbox = Sandbox::open(&spec, level).unwrap();
    let said = say_without_waiting(&sandbox);
    let (born, errno) = said.split_once(' ').unwrap();
    // On level E the limit counts whatever else its user runs.
    assert!(
        level == Level::E || born.parse::<u32>().unwrap() <= 31,
        "{said}"
    );
    assert!(errno.starts_with("EAGAIN"), "{said}");
    let leftovers = sandbox.close();
    assert_eq!(leftovers.processes.to_string(), born);
}

/// The bomb's children hold the pipe, so it never comes to its end.
fn say_without_waiting(sandbox: &Sandbox) -> String {
    let (child, mut output) = start(sandbox, student("fork-bomb", &[]));
    let said = until(&mut output, "\n");
    assert!(wait(&child).status.success());
    said
}

fn the_tmp_folder_is_bounded(level: Level) {
    let mut spec = bench::spec();
    (spec.tmp_bytes, spec.shm_bytes) = (1 << 20, 2 << 20);
    let sandbox = Sandbox::open(&spec, level).unwrap();
    for (folder, bytes) in [("/tmp", "1048576\n"), ("/dev/shm", "2097152\n")] {
        let script = format!("head -c 8M /dev/zero > {folder}/f 2>&- || stat -c %s {folder}/f");
        assert_eq!(say(&sandbox, shell(&script)), bytes);
    }
}

fn killing_everything_kills_only_the_box(level: Level) {
    let sandbox = open(level);
    let other = sandbox.spawn(student("sleep", &[])).unwrap();
    let (exit, _) = run(&sandbox, shell("kill -9 -1; echo still here"));
    assert!(exit.status.success());
    assert_eq!(wait(&other).status.signal(), Some(libc::SIGKILL));
    assert_eq!(say(&sandbox, shell("echo alive")), "alive\n");
}

fn memory_of_the_whole_tree_is_bounded_on_level_a(level: Level) {
    let mut spec = bench::spec();
    spec.limits.memory = 80 << 20;
    (spec.tmp_bytes, spec.shm_bytes) = (1 << 20, 1 << 20);
    let sandbox = Sandbox::open(&spec, level).unwrap();
    let (hold, keep) = std::io::pipe().unwrap();
    let mut programs = Vec::new();
    for _ in 0..3 {
        let mut command = student("touch-memory", &["48"]);
        command.fds.push((hold.try_clone().unwrap().into(), 0));
        programs.push(start(&sandbox, command));
    }
    let mut touched = 0;
    for (_, output) in &mut programs {
        let mut said = String::new();
        // The end of the output comes with the kill; otherwise the program says so and stays.
        while !said.ends_with("touched.") {
            let mut byte = [0];
            if std::io::Read::read(output, &mut byte).unwrap() == 0 {
                break;
            }
            said.push(byte[0].into());
        }
        touched += usize::from(said == "touched.");
    }
    drop(keep);
    let killed = programs
        .iter()
        .filter(|(child, _)| wait(child).status.signal() == Some(libc::SIGKILL))
        .count();
    match level {
        Level::A => assert!(killed >= 1, "{touched} of 3 touched their memory"),
        _ => assert_eq!((touched, killed), (3, 0)),
    }
}

fn a_hostile_program_cannot_hold_up_the_start_of_others(level: Level) {
    let sandbox = open(level);
    // It stops whatever it can, all the time, and sometimes that is a child before its exec. With a
    // core to itself it could reach the usual limit on CPU time before the last of them has started.
    let mut hostile = student("stop-everybody", &[]);
    hostile.rlimits = vec![(Resource::RLIMIT_CPU, 3600)];
    let hostile = sandbox.spawn(hostile).unwrap();
    let others: Vec<_> = (0..30)
        .map(|_| sandbox.spawn(Command::new("/bin/true")).unwrap())
        .collect();
    // Nothing but its own limit would have ended it meanwhile, so it was there for all of them.
    assert!(hostile.exit().is_none(), "{:?}", hostile.exit());
    sandbox.close();
    assert_eq!(hostile.exit().unwrap().status.signal(), Some(libc::SIGKILL));
    // Those that it had stopped were killed with it; nobody is said to have ended otherwise.
    for other in others {
        let status = other.exit().unwrap().status;
        assert!(
            status.success() || status.signal() == Some(libc::SIGKILL),
            "{status}"
        );
    }
}

fn a_box_opens_under_any_mask(level: Level) {
    let mask = umask(Mode::from_bits_truncate(0o077));
    let mut spec = bench::spec();
    spec.binds[0].target = "/deep/down/student".into();
    let sandbox = Sandbox::open(&spec, level).unwrap();
    let mut command = student("threads", &[]);
    if level.has_private_root() {
        command.program = "/deep/down/student".into();
    }
    assert_eq!(say(&sandbox, command), "threaded\n");
    assert_eq!(umask(mask).bits(), 0o077);
}

fn programs_go_first_where_the_machine_has_no_memory_left(level: Level) {
    let sandbox = open(level);
    let readiness = |pid: &str| {
        let said = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        said.trim().to_owned()
    };
    let room = if level >= Level::C { "500" } else { "1000" };
    assert_eq!(readiness("self"), room, "the room can be run once more");
    let child = sandbox.spawn(student("sleep", &[])).unwrap();
    assert_eq!(readiness(&child.pid().to_string()), "1000");
    if level != Level::C {
        let lower = "(echo 0 >/proc/self/oom_score_adj) 2>/dev/null; cat /proc/self/oom_score_adj";
        assert_eq!(say(&sandbox, shell(lower)), "1000\n");
    }
}

/// What the build of a submission needs: the toolchain bound in, and a linker. Without a `/proc`
/// a compiler cannot tell where it is, so it has to be told.
fn a_compiler_works(level: Level) {
    let rustc = std::process::Command::new("rustc")
        .args(["--print", "sysroot"])
        .output();
    let sysroot = rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    let Some(sysroot) = sysroot.ok().filter(|path| fs::read_dir(path).is_ok()) else {
        println!("no toolchain that this user can read");
        return;
    };
    let mut spec = bench::spec();
    spec.limits.memory = 3 << 30;
    let toolchain = match level.has_private_root() {
        true => "/toolchain",
        false => &sysroot.clone(),
    };
    spec.binds.push(Bind {
        source: sysroot.into(),
        target: "/toolchain".into(),
        writable: false,
    });
    let sandbox = match Sandbox::open(&spec, level) {
        // Root's own toolchain may be where no other user gets to.
        Err(error) if level == Level::D && error.to_string().starts_with("reach ") => {
            println!("{error}");
            return;
        }
        opened => opened.unwrap(),
    };
    // A linker's output has no mode to be executed where modes cannot be changed.
    let start = match level {
        Level::E => loader(),
        _ => String::new(),
    };
    // Nor can the linker that comes with it.
    let linker = match level {
        Level::C => "-Clinker-features=-lld",
        _ => "",
    };
    let source = sandbox.work_dir().join("hello.rs");
    fs::write(source, "fn main() { println!(\"hello\") }").unwrap();
    let mut command = shell(&format!(
        "TMPDIR=$PWD LD_LIBRARY_PATH={toolchain}/lib {toolchain}/bin/rustc --sysroot {toolchain} {linker} hello.rs && {start} ./hello"
    ));
    command.rlimits = vec![(Resource::RLIMIT_CPU, 60)];
    assert_eq!(say(&sandbox, command), "hello\n");
}

/// The dynamic loader. Looked up from outside: on level E nobody may list `/`.
fn loader() -> String {
    ["/lib64", "/lib"]
        .into_iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .map(|entry| entry.unwrap().path().display().to_string())
        .find(|path| path.contains("/ld-linux"))
        .unwrap()
}

fn landlock_is_on_where_the_kernel_has_it(level: Level) {
    let sandbox = open(level);
    let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    // Not every machine shows the list; one that does must be believed.
    assert!(sandbox.landlocked() || !modules.contains("landlock"));
}
