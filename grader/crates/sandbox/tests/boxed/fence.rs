//! What holds without namespaces: levels D and E.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sandbox::{Bind, Level, Sandbox, SpawnError};

use crate::bench::{Outside, open, parent, say, shell, spawn_server, start, student, until, wait};
use crate::{Case, cases};

pub(crate) const CASES: &[Case] = cases![
    the_graders_processes_cannot_be_touched,
    files_of_the_machine_are_out_of_reach,
    whoever_keeps_the_boxs_user_out_is_named,
    killing_everything_leaves_the_grader_alone,
    a_box_whose_spawn_server_was_killed_ends_like_any_other,
    boxes_do_not_hurt_each_other,
    nothing_is_left_of_a_large_mess,
];

fn the_graders_processes_cannot_be_touched(level: Level) {
    let sandbox = open(level);
    let server = spawn_server(&sandbox);
    let threads = fs::read_dir("/proc/self/task").unwrap();
    let threads = threads.map(|thread| thread.unwrap().file_name().into_string().unwrap());
    let mut victims: Vec<String> = threads.map(|thread| format!("room={thread}")).collect();
    assert!(victims.len() > 1);
    victims.push(format!("spawn server={server}"));
    victims.push(format!("guardian={}", parent(server)));
    victims.push(format!("runner={}", nix::unistd::getppid()));
    let victims: Vec<&str> = victims.iter().map(String::as_str).collect();
    assert_eq!(say(&sandbox, student("touch-others", &victims)), "tried.\n");
    // None of them took a signal that was said to be refused.
    assert_eq!(spawn_server(&sandbox), server);
    assert!(kill(Pid::from_raw(parent(server)), None).is_ok());
}

fn files_of_the_machine_are_out_of_reach(level: Level) {
    let folder = nix::unistd::mkdtemp(&std::env::temp_dir().join("box-secret-XXXXXX")).unwrap();
    fs::set_permissions(&folder, PermissionsExt::from_mode(0o777)).unwrap();
    fs::write(folder.join("secret"), "secret").unwrap();
    let outside = Outside::start();
    let sandbox = open(level);
    let script = format!(
        "cd {0}; for f in {0}/secret /etc/passwd /etc/shadow; do cat $f 2>&-; done; \
         for d in / /tmp /etc /root /home /run /var {0}; do ls $d 2>&-; done; \
         for d in / /tmp /usr /etc /dev /run /var/tmp /proc/self {0}; do echo > $d/new && echo $d; \
         done 2>&-; \
         rm -f {0}/secret 2>&-; mv {0} {0}x 2>&-; ln {0}/secret link 2>&-; chmod 0 {0} 2>&-; echo end",
        folder.display(),
    );
    assert_eq!(say(&sandbox, shell(&script)), "end\n");
    // Nor are they within reach of a test, whatever it is led to do.
    assert!(fs::read(folder.join("secret")).is_err());
    sandbox.close();
    let look = format!(
        "cd {0}; cat secret; stat -c ' %a' .; rm -r {0}",
        folder.display()
    );
    assert_eq!(outside.say(&look), "secret 777\n");
}

/// As `/root` does, where root's toolchains usually are.
fn whoever_keeps_the_boxs_user_out_is_named(level: Level) {
    let closed = nix::unistd::mkdtemp(&std::env::temp_dir().join("box-closed-XXXXXX")).unwrap();
    let inside = closed.join("deep/down");
    fs::create_dir_all(&inside).unwrap();
    let mode = if level == Level::D { 0o700 } else { 0 };
    fs::set_permissions(&closed, PermissionsExt::from_mode(mode)).unwrap();
    let mut spec = crate::bench::spec();
    spec.binds.push(Bind {
        source: inside.clone(),
        target: "/deep".into(),
        writable: false,
    });
    let outside = Outside::start();
    let error = Sandbox::open(&spec, level).unwrap_err().to_string();
    let expected = format!(
        "reach {} as the box's user, whom {} keeps out",
        inside.display(),
        closed.display()
    );
    assert!(error.starts_with(&expected), "{error}");
    outside.say(&format!("chmod 700 {0}; rm -r {0}", closed.display()));
}

fn killing_everything_leaves_the_grader_alone(level: Level) {
    let sandbox = open(level);
    let other = sandbox.spawn(student("sleep", &[])).unwrap();
    say(&sandbox, shell("kill -9 -1; :"));
    assert_eq!(say(&sandbox, shell("echo alive")), "alive\n");
    if level == Level::D {
        wait(&other);
    }
}

fn a_box_whose_spawn_server_was_killed_ends_like_any_other(level: Level) {
    let sandbox = open(level);
    let server = spawn_server(&sandbox);
    let (child, mut output) = start(
        &sandbox,
        shell("(sleep 1000 & sleep 1000 & echo both.); read _"),
    );
    until(&mut output, "both.");
    let said = say(&sandbox, shell("ipcmk -S 1 | grep -o '[0-9]*$'"));
    let work_dir = sandbox.work_dir().to_owned();
    kill(Pid::from_raw(server), Signal::SIGKILL).unwrap();
    wait(&child);
    let gone = sandbox.spawn(student("sleep", &[])).unwrap_err();
    assert!(matches!(gone, SpawnError::Gone), "{gone}");
    let left = sandbox.close().ipc;
    std::io::read_to_string(output).unwrap(); // its end comes only with the last writer's
    assert!(!work_dir.exists());
    let set = format!("System V semaphore set {}", said.trim());
    assert!(
        left.contains(&set) || level == Level::E && left.is_empty(),
        "{left:?}"
    );
}

/// Runs itself several times at once: each names its user, makes a name of its own and looks for
/// that of the others after everybody has made one.
fn boxes_do_not_hurt_each_other(level: Level) {
    const INNER: &str = "BOX_TEST_INNER";
    let name = |who: &str| format!("/dev/shm/box-test-{who}");
    if let Some(who) = std::env::var_os(INNER) {
        let sandbox = open(level);
        let mine = name(who.to_str().unwrap());
        let uid = say(&sandbox, shell(&format!("echo > {mine}; id -u")));
        println!("{}", uid.trim());
        std::io::read_to_string(std::io::stdin()).unwrap();
        let found = say(&sandbox, shell(&format!("ls {mine}")));
        assert_eq!(found.trim(), mine);
        sandbox.close();
        return;
    }
    let names = [0, 1, 2].map(|n| format!("{}-{n}", std::process::id()));
    let mut boxes: Vec<_> = names
        .iter()
        .map(|name| {
            std::process::Command::new(std::env::current_exe().unwrap())
                .args(["case", &level.to_string(), "boxes_do_not_hurt_each_other"])
                .env(INNER, name)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut uids: Vec<String> = boxes
        .iter_mut()
        .map(|one| {
            let mut line = String::new();
            let output = one.stdout.take().unwrap();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
            line
        })
        .collect();
    // One after the other closes while the rest goes on.
    for mut one in boxes {
        drop(one.stdin.take());
        assert!(one.wait().unwrap().success());
    }
    uids.sort();
    uids.dedup();
    assert_eq!(
        uids.len(),
        if level == Level::D { 3 } else { 1 },
        "{uids:?}"
    );
    if level == Level::D {
        assert!(names.iter().all(|its| !fs::exists(name(its)).unwrap()));
    }
}

fn nothing_is_left_of_a_large_mess(level: Level) {
    let sandbox = open(level);
    let (bomb, mut output) = start(&sandbox, student("fork-bomb", &[]));
    until(&mut output, "\n");
    wait(&bomb);
    let work_dir = sandbox.work_dir().to_owned();
    let leftovers = sandbox.close();
    assert!(leftovers.processes > 0);
    assert!(!work_dir.exists());
    // This process only acts as the box's user; nobody really is that any more.
    if level == Level::D {
        let own = nix::unistd::geteuid().as_raw();
        let left: Vec<i32> = fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| real_uid(*pid) == Some(own))
            .collect();
        assert_eq!(left, [0; 0]);
    }
}

fn real_uid(pid: i32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().next()?.parse().ok()
}
