//! A program starts with exactly what its command says.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;

use nix::errno::Errno;
use sandbox::{Command, Level, Resource, SpawnError};

use crate::bench::{self, open, run, say, shell, start, student, until, wait};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    standard_descriptors_are_null_by_default,
    environment_folder_and_mask_are_those_given,
    long_command_lines_work_or_fail_with_the_kernels_word,
    a_failed_exec_is_not_exit_127,
    a_missing_work_folder_is_named,
    limits_are_those_of_box_and_command,
    the_cpu_limit_ends_a_program_by_sigxcpu,
    usage_is_that_of_the_program,
    a_reaped_program_takes_no_signal,
    the_pid_is_the_one_in_the_rooms_proc,
    many_threads_may_start_programs,
    threads_work,
];

/// For levels where programs have a `/proc`.
pub(crate) const WITH_PROC: &[Case] = cases![
    descriptors_are_exactly_those_given,
    signals_start_default_and_unblocked,
    signals_start_ignored_or_blocked_on_request,
    a_program_leads_a_session_of_its_own,
];

fn descriptors_are_exactly_those_given(level: Level) {
    let sandbox = open(level);
    let file = |name: &str| -> OwnedFd {
        File::options()
            .create(true)
            .append(true)
            .open(sandbox.work_dir().join(name))
            .unwrap()
            .into()
    };
    let mut command = student("descriptors", &[]);
    command.fds = ["a", "b", "c", "d"].map(|name| (file(name), 0)).into();
    // Every source sits at the number of another's target, as far as the numbers allow.
    let mut numbers: Vec<i32> = command
        .fds
        .iter()
        .map(|(fd, _)| std::os::fd::AsRawFd::as_raw_fd(fd))
        .collect();
    numbers.rotate_left(1);
    for ((_, target), number) in command.fds.iter_mut().zip(&numbers) {
        *target = *number;
    }
    let mut expected: Vec<(i32, String)> = numbers
        .iter()
        .zip(["a", "b", "c", "d"])
        .map(|(n, f)| (*n, format!("{}/{f}", sandbox.work_dir().display())))
        .collect();
    expected.push((0, "/dev/null".to_owned()));
    expected.sort();
    let said = say(&sandbox, command);
    let seen: Vec<(i32, String)> = said
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(number, what)| (number.parse().unwrap(), what.to_owned()))
        .filter(|(number, _)| ![1, 2].contains(number)) // the pipe that says so
        .collect();
    assert_eq!(seen, expected);
}

fn standard_descriptors_are_null_by_default(level: Level) {
    let sandbox = open(level);
    let mut command = student("ready-on", &["5"]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.fds.push((writer.into(), 5));
    let child = sandbox.spawn(command).unwrap();
    until(&mut File::from(OwnedFd::from(reader)), "ready.");
    let folder = format!("/proc/{}/fd", child.pid());
    let mut seen: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|link| {
            (
                link.file_name().unwrap().to_owned(),
                std::fs::read_link(&link).unwrap(),
            )
        })
        .collect();
    seen.sort();
    assert_eq!(seen.pop().map(|(number, _)| number), Some("5".into()));
    assert_eq!(
        seen,
        ["0", "1", "2"].map(|number| (number.into(), "/dev/null".into()))
    );
}

fn environment_folder_and_mask_are_those_given(level: Level) {
    let sandbox = open(level);
    let mut command = student("environment", &[]);
    command.env = vec![("A".into(), "1 2".into()), ("B".into(), "".into())];
    assert_eq!(say(&sandbox, command), "A=1 2\nB=\n");
    let mut command = shell("pwd; umask");
    command.cwd = Some("/usr".into());
    command.umask = Some(0o027);
    assert_eq!(say(&sandbox, command), "/usr\n0027\n");
    let expected = format!("{}\n0022\n", sandbox.work_dir().display());
    assert_eq!(say(&sandbox, shell("pwd; umask")), expected);
}

fn long_command_lines_work_or_fail_with_the_kernels_word(level: Level) {
    let sandbox = open(level);
    let long = "x".repeat((128 << 10) - 1);
    let said = say(
        &sandbox,
        student("argument-lengths", &[&long, &long, &long]),
    );
    assert_eq!(said, "[131071, 131071, 131071]\n");
    let too_long = "x".repeat(128 << 10);
    match sandbox.spawn(student("argument-lengths", &[&too_long])) {
        Err(SpawnError::Exec {
            errno: Errno::E2BIG,
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
    let mut huge = Command::new("/bin/true");
    huge.args = vec!["x".repeat(40 << 20).into()];
    assert!(matches!(sandbox.spawn(huge), Err(SpawnError::TooLarge)));
    let mut with_nul = Command::new("/bin/true");
    with_nul.args = vec!["a\0b".into()];
    assert!(matches!(
        sandbox.spawn(with_nul),
        Err(SpawnError::Prepare { .. })
    ));
}

fn a_failed_exec_is_not_exit_127(level: Level) {
    let sandbox = open(level);
    let errno = |program: &str| match sandbox.spawn(Command::new(program)) {
        Err(SpawnError::Exec { errno, .. }) => errno,
        other => panic!("{other:?}"),
    };
    assert_eq!(errno("/no/such/program"), Errno::ENOENT);
    assert_eq!(errno("/usr"), Errno::EACCES);
    let text = sandbox.work_dir().join("text");
    std::fs::write(&text, "no program").unwrap();
    assert_eq!(errno(text.to_str().unwrap()), Errno::EACCES);
    let (exit, _) = run(&sandbox, shell("exit 127"));
    assert_eq!(exit.status.code(), Some(127));
    assert_eq!(sandbox.close().processes, 0);
}

fn a_missing_work_folder_is_named(level: Level) {
    let sandbox = open(level);
    let mut command = Command::new("/bin/true");
    command.cwd = Some("/nowhere".into());
    let error = sandbox.spawn(command).unwrap_err();
    assert_eq!(
        error.to_string(),
        "prepare /bin/true (workdir): ENOENT: No such file or directory"
    );
}

const SIGNAL_SETS: &str = "grep -E 'Sig(Blk|Ign|Cgt)' /proc/self/status";

fn signals_start_default_and_unblocked(level: Level) {
    let sandbox = open(level);
    let mut cat = Command::new("/bin/cat");
    cat.args = vec!["/proc/self/status".into()];
    let said = say(&sandbox, cat);
    let none = "0".repeat(16);
    for set in ["SigBlk", "SigIgn", "SigCgt"] {
        assert!(said.contains(&format!("{set}:\t{none}\n")), "{said}");
    }
}

fn signals_start_ignored_or_blocked_on_request(level: Level) {
    let sandbox = open(level);
    let mut command = shell(&format!("exec {SIGNAL_SETS}"));
    command.ignored = vec![libc::SIGPIPE];
    command.blocked = vec![libc::SIGHUP, libc::SIGRTMIN()];
    let said = say(&sandbox, command);
    let bits = |signals: &[i32]| signals.iter().map(|one| 1_u64 << (one - 1)).sum::<u64>();
    let line = |set, signals| format!("{set}:\t{:016x}\n", bits(signals));
    assert!(said.contains(&line("SigIgn", &[libc::SIGPIPE])), "{said}");
    assert!(
        said.contains(&line("SigBlk", &[libc::SIGHUP, libc::SIGRTMIN()])),
        "{said}"
    );
}

fn limits_are_those_of_box_and_command(level: Level) {
    let sandbox = open(level);
    let mut command = shell("ulimit -n; ulimit -c; ulimit -t; ulimit -v");
    command.rlimits = vec![
        (Resource::RLIMIT_NOFILE, 17),
        (Resource::RLIMIT_AS, 2 << 30),
    ];
    assert_eq!(say(&sandbox, command), format!("17\n0\n10\n{}\n", 2 << 20));
    let mut command = student("touch-memory", &["64"]);
    command.rlimits = vec![(Resource::RLIMIT_AS, 32 << 20)];
    let (exit, said) = run(&sandbox, command);
    assert_eq!(exit.status.signal(), Some(libc::SIGABRT), "{said}");
    let mut command = shell("head -c 4096 /dev/zero > file");
    command.rlimits = vec![(Resource::RLIMIT_FSIZE, 512)];
    let (exit, said) = run(&sandbox, command);
    assert!(!exit.status.success(), "{said}");
    assert_eq!(
        std::fs::metadata(sandbox.work_dir().join("file"))
            .unwrap()
            .len(),
        512
    );
}

fn the_cpu_limit_ends_a_program_by_sigxcpu(level: Level) {
    let mut spec = bench::spec();
    spec.limits.cpu_seconds = 1;
    let sandbox = sandbox::Sandbox::open(&spec, level).unwrap();
    let (exit, _) = run(&sandbox, student("spin", &["60000"]));
    assert_eq!(exit.status.signal(), Some(libc::SIGXCPU));
}

fn usage_is_that_of_the_program(level: Level) {
    let sandbox = open(level);
    let (exit, _) = run(&sandbox, student("spin", &["50"]));
    assert!((exit.user + exit.system).as_millis() >= 50, "{exit:?}");
    let (child, mut output) = start(&sandbox, student("touch-memory", &["64"]));
    until(&mut output, "touched.");
    let exit = wait(&child);
    assert!(exit.max_rss_bytes >= 64 << 20, "{exit:?}");
    let (exit, _) = run(&sandbox, Command::new("/bin/true"));
    assert!(exit.max_rss_bytes < 32 << 20, "{exit:?}");
}

fn a_program_leads_a_session_of_its_own(level: Level) {
    let sandbox = open(level);
    let said = say(
        &sandbox,
        shell(
            "read pid name state ppid pgrp session tty rest < /proc/$$/stat; \
                                    echo $((pid - pgrp)) $((pid - session)) $ppid $tty",
        ),
    );
    let parent = match level >= Level::C {
        true => 1,
        false => bench::spawn_server(&sandbox),
    };
    assert_eq!(said, format!("0 0 {parent} 0\n"));
}

fn a_reaped_program_takes_no_signal(level: Level) {
    let sandbox = open(level);
    let child = sandbox.spawn(Command::new("/bin/true")).unwrap();
    assert!(wait(&child).status.success());
    assert_eq!(
        child.signal(0).unwrap_err().raw_os_error(),
        Some(libc::ESRCH)
    );
}

fn the_pid_is_the_one_in_the_rooms_proc(level: Level) {
    let sandbox = open(level);
    let child = sandbox.spawn(student("sleep", &[])).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.pid())).unwrap();
    let expected = match level >= Level::C {
        true => format!("NSpid:\t{}\t{}\n", child.pid(), child.inner_pid()),
        false => format!("NSpid:\t{}\n", child.inner_pid()),
    };
    assert!(status.contains(&expected), "{status}");
    // And the room may look at what only a tracer may.
    std::fs::read_link(format!("/proc/{}/fd/0", child.pid())).unwrap();
    std::fs::read(format!("/proc/{}/maps", child.pid())).unwrap();
    std::fs::read(format!("/proc/{}/syscall", child.pid())).unwrap();
}

fn many_threads_may_start_programs(level: Level) {
    let sandbox = open(level);
    std::thread::scope(|scope| {
        for code in 0..8 {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for _ in 0..8 {
                    let (exit, _) = run(sandbox, shell(&format!("exit {code}")));
                    assert_eq!(exit.status.code(), Some(code));
                }
            });
        }
    });
}

fn threads_work(level: Level) {
    let sandbox = open(level);
    assert_eq!(say(&sandbox, student("threads", &[])), "threaded\n");
}
