//! What a program in the box cannot reach.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;

use nix::sys::stat::{Mode, umask};
use sandbox::{Bind, Command, Level, Resource, Sandbox};

use crate::bench::{self, open, run, say, shell, start, student, until, wait};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    the_root_holds_only_what_programs_need,
    everything_but_the_shared_folders_is_read_only,
    binds_are_readable_and_writable_as_said,
    only_the_boxes_own_processes_are_visible,
    pid_1_tells_nothing_of_the_test,
    programs_have_no_privileges,
    dangerous_calls_are_refused,
    the_network_is_loopback_only,
    a_fork_bomb_is_bounded,
    the_tmp_folder_is_bounded,
    killing_everything_kills_only_the_box,
    memory_of_the_whole_tree_is_bounded_on_level_a,
    a_hostile_program_cannot_hold_up_the_start_of_others,
    a_box_opens_under_any_mask,
    a_compiler_works,
    landlock_is_on_where_the_kernel_has_it,
];

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
    let before = fs::File::open(&folder).unwrap();
    let sandbox = Sandbox::open(&spec, level).unwrap();
    let script = "cat /in/deep/text; touch /in/deep/new 2>&-; cp /in/deep/text /tmp/out/copy; ls /in/deep /tmp/out";
    assert_eq!(
        say(&sandbox, shell(script)),
        "reading/in/deep:\ntext\n\n/tmp/out:\ncopy\ntext\n"
    );
    assert_eq!(fs::read_to_string("/tmp/out/copy").unwrap(), "reading");
    sandbox.close();
    // The machine's /tmp is hidden by now, but a descriptor from before still leads there.
    let proc = format!("/proc/self/fd/{}", before.as_raw_fd());
    assert_eq!(
        fs::read_to_string(format!("{proc}/writing/copy")).unwrap(),
        "reading"
    );
    fs::remove_dir_all(format!("{proc}/reading")).unwrap();
    fs::remove_dir_all(format!("{proc}/writing")).unwrap();
}

fn only_the_boxes_own_processes_are_visible(level: Level) {
    let sandbox = open(level);
    assert_eq!(
        say(
            &sandbox,
            shell("cd /proc; for p in [0-9]*; do echo $p; done; echo $$")
        ),
        "1\n2\n2\n"
    );
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
    let said = say(
        &sandbox,
        shell("id -u; id -g; grep -E '^(Cap|NoNew|Seccomp:|CoreDumping)' /proc/self/status"),
    );
    let none = "0".repeat(16);
    let expected = format!(
        "1000\n1000\nCoreDumping:\t0\nCapInh:\t{none}\nCapPrm:\t{none}\nCapEff:\t{none}\n\
         CapBnd:\t{none}\nCapAmb:\t{none}\nNoNewPrivs:\t1\nSeccomp:\t2\n"
    );
    assert_eq!(said, expected);
}

fn dangerous_calls_are_refused(level: Level) {
    let sandbox = open(level);
    let expected = "unshare: EPERM\nclone: EPERM\nclone3: ENOSYS\n\
                    unshare by x32: ENOSYS\nptrace: EPERM\nchroot: EPERM\nio_uring: EPERM\nnetlink: EPERM\nsignal pid 1: 0\n";
    assert_eq!(say(&sandbox, student("refused", &[])), expected);
    // Pid 1 took no notice.
    assert_eq!(say(&sandbox, shell("echo alive")), "alive\n");
}

fn the_network_is_loopback_only(level: Level) {
    let sandbox = open(level);
    assert_eq!(
        say(
            &sandbox,
            shell("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '")
        ),
        "lo\n"
    );
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
    assert!(born.parse::<u32>().unwrap() <= 31, "{said}");
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
    // It stops whatever it can, all the time, and sometimes that is a child before its exec.
    sandbox.spawn(student("stop-everybody", &[])).unwrap();
    for _ in 0..30 {
        sandbox.spawn(Command::new("/bin/true")).unwrap();
    }
    sandbox.close();
}

fn a_box_opens_under_any_mask(level: Level) {
    let mask = umask(Mode::from_bits_truncate(0o077));
    let mut spec = bench::spec();
    spec.binds[0].target = "/deep/down/student".into();
    let sandbox = Sandbox::open(&spec, level).unwrap();
    let mut command = student("threads", &[]);
    command.program = "/deep/down/student".into();
    assert_eq!(say(&sandbox, command), "threaded\n");
    assert_eq!(umask(mask).bits(), 0o077);
}

/// What the build of a submission needs: the toolchain bound in, and a linker.
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
    spec.binds.push(Bind {
        source: sysroot.into(),
        target: "/toolchain".into(),
        writable: false,
    });
    let sandbox = Sandbox::open(&spec, level).unwrap();
    fs::write("/tmp/hello.rs", "fn main() { println!(\"hello\") }").unwrap();
    let mut command = shell("/toolchain/bin/rustc hello.rs && ./hello");
    command.rlimits = vec![(Resource::RLIMIT_CPU, 60)];
    assert_eq!(say(&sandbox, command), "hello\n");
}

fn landlock_is_on_where_the_kernel_has_it(level: Level) {
    let sandbox = open(level);
    let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    // Not every machine shows the list; one that does must be believed.
    assert!(sandbox.landlocked() || !modules.contains("landlock"));
}
