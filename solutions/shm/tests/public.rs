//! The public tests of the lab: one for the everyday use of each function and a few for the
//! program. They show the shape of things; the edges are in the handout and in `lib.rs`.
//!
//! Names in `/dev/shm` outlive a process, so every test has its own and removes it in any case.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Release;
use std::time::Duration;

use coach::{Lesson, Program, alone};
use shm_solution::layout::READY;
use shm_solution::{BoundedBuf, Geometry, NamedSem, Ring, Sem, Shm, Via, transfer};

const PROGRAM: &str = env!("CARGO_BIN_EXE_shm-solution");

/// A lesson of this lab.
const fn lesson(
    part: u8,
    why: &'static str,
    read: &'static str,
    hints: [&'static str; 3],
) -> Lesson {
    Lesson {
        lab: "shm-solution",
        part,
        why,
        read,
        hints,
    }
}

/// A name that no other test has; object and semaphore behind it are removed at the end.
struct Name(String);

impl Name {
    fn new(tag: &str) -> Self {
        Self(format!("/shm-test.{}.{tag}", std::process::id()))
    }

    /// Where the object of this name is found.
    fn object(&self) -> PathBuf {
        Path::new("/dev/shm").join(&self.0[1..])
    }

    /// Where the named semaphore of this name is found.
    fn semaphore(&self) -> PathBuf {
        Path::new("/dev/shm").join(format!("sem.{}", &self.0[1..]))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        // Usually gone already; this is for tests that fail half-way.
        let _ = std::fs::remove_file(self.object());
        let _ = std::fs::remove_file(self.semaphore());
    }
}

fn geometry(capacity: u32, item_max: u32) -> Geometry {
    Geometry {
        capacity: NonZeroU32::new(capacity).expect("at least one slot"),
        item_max,
    }
}

/// A semaphore with `value`, in memory of this process only.
fn semaphore(lesson: &Lesson, value: u32) -> Box<Sem> {
    // SAFETY: a semaphore is plain bytes, and `init_in` sets them before anything else is done.
    // In a box, because it must not move afterwards.
    let sem: Box<Sem> = Box::new(unsafe { std::mem::zeroed() });
    // SAFETY: the memory is ours and not in use.
    lesson.ok("Sem::init_in", unsafe { Sem::init_in(sem.as_ptr(), value) });
    sem
}

#[test]
fn create_makes_an_object_in_dev_shm() {
    let lesson = lesson(
        1,
        "a shared memory object is a file without a disk, and it is as long as you make it",
        "README part 1, shm_open(3), ftruncate(2), mmap(2), `Shm::create` in src/lib.rs",
        [
            "How long is a shared memory object that was just made?",
            "shm_open(3) with O_CREAT and O_EXCL, ftruncate(2), mmap(2).",
            "shm_open exclusively, ftruncate to the length, mmap that length with MAP_SHARED; unlink with shm_unlink.",
        ],
    );
    alone(&lesson, || {
        let name = Name::new("create");
        let len = NonZeroUsize::new(5000).expect("not zero");
        let shm = lesson.ok("Shm::create with 5000 bytes", Shm::create(&name.0, len));
        lesson.equal("the length of the mapping", 5000, shm.size());
        let file = lesson.ok("stat(2) of the object", std::fs::metadata(name.object()));
        lesson.equal("the length of the file in /dev/shm", 5000, file.len());
        lesson.ok("Shm::unlink", Shm::unlink(&name.0));
        lesson.check(
            !name.object().exists(),
            "Shm::unlink",
            "no name left",
            "it is still there",
        );
    });
}

#[test]
fn open_maps_the_same_bytes() {
    let lesson = lesson(
        1,
        "with MAP_SHARED a store through one mapping is seen through every other",
        "README part 1, mmap(2) MAP_SHARED, `Shm::open` in src/lib.rs",
        [
            "Which flag of mmap(2) decides whether others see your stores?",
            "mmap(2) under MAP_SHARED; fstat(2) for the length.",
            "shm_open without O_CREAT, wait until the length and the ready word are there, map all of it with MAP_SHARED.",
        ],
    );
    alone(&lesson, || {
        let name = Name::new("open");
        let len = NonZeroUsize::new(4096).expect("not zero");
        let first = lesson.ok("Shm::create with 4096 bytes", Shm::create(&name.0, len));
        first.ready().store(READY, Release);
        let second = lesson.ok("Shm::open", Shm::open(&name.0, Duration::from_secs(5)));
        lesson.equal("the length of the second mapping", 4096, second.size());
        // SAFETY: both mappings are 4096 bytes long and only this thread uses them.
        let got = unsafe {
            first.as_ptr().add(100).write_volatile(42);
            second.as_ptr().add(100).read_volatile()
        };
        lesson.equal("byte 100 after a store through the other mapping", 42, got);
    });
}

#[test]
fn a_semaphore_counts() {
    let lesson = lesson(
        2,
        "a semaphore is a number that never goes below zero",
        "README part 2, sem_init(3), sem_post(3), sem_wait(3), `Sem` in src/lib.rs",
        [
            "What does sem_trywait(3) return at zero, and is that an error to you?",
            "sem_wait(3), sem_post(3): RETURN VALUE and ERRORS (EINTR, EAGAIN).",
            "Each is one call; wait goes on after EINTR, try_wait turns EAGAIN into false.",
        ],
    );
    alone(&lesson, || {
        let sem = semaphore(&lesson, 2);
        lesson.ok("wait at 2", sem.wait());
        lesson.equal("try_wait at 1", true, lesson.ok("try_wait", sem.try_wait()));
        lesson.equal(
            "try_wait at 0",
            false,
            lesson.ok("try_wait", sem.try_wait()),
        );
        lesson.ok("post at 0", sem.post());
        lesson.equal(
            "try_wait after a post",
            true,
            lesson.ok("try_wait", sem.try_wait()),
        );
    });
}

#[test]
fn wait_timeout_gives_up() {
    let lesson = lesson(
        2,
        "sem_timedwait(3) takes a point in time on CLOCK_REALTIME, not a span",
        "README part 2, sem_timedwait(3), `Sem::wait_timeout` in src/lib.rs",
        [
            "From which moment does the time in abstime count?",
            "sem_timedwait(3), clock_gettime(2) with CLOCK_REALTIME.",
            "Now plus the span, once, before the loop; go on after EINTR with the same point in time; ETIMEDOUT is false.",
        ],
    );
    alone(&lesson, || {
        let sem = semaphore(&lesson, 1);
        let taken = lesson.ok("wait_timeout", sem.wait_timeout(Duration::from_secs(60)));
        lesson.equal("wait_timeout of a minute at 1", true, taken);
        let taken = lesson.ok("wait_timeout", sem.wait_timeout(Duration::from_millis(20)));
        lesson.equal("wait_timeout of 20 ms at 0", false, taken);
    });
}

#[test]
fn a_named_semaphore_is_found_by_its_name() {
    let lesson = lesson(
        3,
        "a named semaphore lives as long as its name, whoever comes and goes",
        "README part 3, sem_open(3), sem_overview(7), `NamedSem` in src/lib.rs",
        [
            "Under which file name does the semaphore appear in /dev/shm?",
            "sem_open(3), sem_unlink(3), sem_overview(7).",
            "sem_open with O_CREAT, mode and value for open, without O_CREAT for existing; Drop closes and does not unlink.",
        ],
    );
    alone(&lesson, || {
        let name = Name::new("named");
        let created = lesson.ok("NamedSem::open with 1", NamedSem::open(&name.0, 1));
        let found = lesson.ok("NamedSem::existing", NamedSem::existing(&name.0));
        lesson.check(
            name.semaphore().exists(),
            "NamedSem::open",
            "/dev/shm/sem.NAME",
            "no file",
        );
        lesson.ok("wait", created.wait());
        let left = lesson.ok("try_wait", found.try_wait());
        lesson.equal(
            "try_wait where the other one has just taken it",
            false,
            left,
        );
        lesson.ok("NamedSem::unlink", NamedSem::unlink(&name.0));
        lesson.check(
            !name.semaphore().exists(),
            "NamedSem::unlink",
            "no name left",
            "a name",
        );
    });
}

#[test]
fn items_come_out_in_the_order_they_went_in() {
    let lesson = lesson(
        4,
        "`empty` counts what producers may take, `full` what consumers may take",
        "README part 4, sem_overview(7), `BoundedBuf::push` and `pop` in src/lib.rs",
        [
            "Which of the two semaphores does a producer wait for, and which one does it post?",
            "sem_overview(7); the classic bounded buffer.",
            "push: wait empty, lock, copy length and bytes in, advance, unlock, post full. pop: the same with full and empty swapped.",
        ],
    );
    alone(&lesson, || {
        let name = Name::new("order");
        let producer = BoundedBuf::create(&name.0, geometry(2, 16));
        let producer = lesson.ok("BoundedBuf::create with 2 slots of 16 bytes", producer);
        let consumer = BoundedBuf::open(&name.0, Duration::from_secs(5));
        let consumer = lesson.ok("BoundedBuf::open", consumer);
        let mut item = Vec::new();
        for round in 0..3 {
            lesson.ok("push", producer.push(b"first"));
            lesson.ok("push", producer.push(b"the second"));
            for expected in [b"first".as_slice(), b"the second"] {
                let len = lesson.ok("pop", consumer.pop(&mut item));
                let got = (len, String::from_utf8_lossy(&item).into_owned());
                let expected = String::from_utf8_lossy(expected).into_owned();
                lesson.equal(
                    &format!("pop in round {round} of push, push, pop, pop"),
                    (Some(expected.len()), expected),
                    got,
                );
            }
        }
    });
}

#[test]
fn a_closed_buffer_is_emptied_and_then_ends() {
    let lesson = lesson(
        4,
        "shared memory has no end-of-file of its own: close makes one",
        "README part 4, `BoundedBuf::close` in src/lib.rs",
        [
            "Who wakes a consumer that sleeps when no item will ever come?",
            "README part 4: what close has to change and whom to wake.",
            "Set the closed flag under the lock, then post both sides; a woken pop that finds it closed and empty returns None and wakes the next.",
        ],
    );
    alone(&lesson, || {
        let name = Name::new("close");
        let buf = lesson.ok("create", BoundedBuf::create(&name.0, geometry(4, 16)));
        lesson.ok("push", buf.push(b"queued"));
        lesson.ok("close", buf.close());
        let mut item = Vec::new();
        let first = lesson.ok("pop", buf.pop(&mut item));
        lesson.equal("pop with one item queued before close", Some(6), first);
        let second = lesson.ok("pop", buf.pop(&mut item));
        lesson.equal("pop from a closed and empty buffer", None, second);
        let refused = buf.push(b"too late").map_err(|error| error.kind());
        lesson.equal(
            "push after close",
            Err(std::io::ErrorKind::BrokenPipe),
            refused,
        );
    });
}

#[test]
fn a_transfer_is_paid_per_byte_or_not() {
    let lesson = lesson(
        5,
        "a pipe copies every byte into the kernel and out again; shared memory copies none",
        "README part 5, pipe(2), fork(2), `transfer` in src/lib.rs",
        [
            "Which bytes does the kernel count in wchar?",
            "proc_pid_io(5): rchar and wchar; fork(2), pipe(2).",
            "Fork a child that writes all bytes by the way asked for; the parent reads and compares the child's counters before and after.",
        ],
    );
    alone(&lesson, || {
        let bytes = 1 << 20;
        let pipe = lesson.ok("transfer via pipe", transfer(Via::Pipe, bytes));
        let shm = lesson.ok("transfer via shm", transfer(Via::Shm, bytes));
        lesson.equal(
            "bytes that arrived",
            (bytes, bytes),
            (pipe.bytes, shm.bytes),
        );
        lesson.check(
            pipe.wchar >= bytes,
            "wchar of 1 MiB via pipe",
            format!("at least {bytes}"),
            pipe.wchar.to_string(),
        );
        lesson.check(
            shm.wchar < bytes / 16,
            "wchar of 1 MiB via shm",
            format!("less than {}", bytes / 16),
            shm.wchar.to_string(),
        );
    });
}

#[test]
fn a_ring_takes_as_many_as_it_has_slots() {
    let lesson = lesson(
        6,
        "counters that only grow tell full (N apart) from empty (equal) without a lost slot",
        "README part 6, `Ring` in src/lib.rs and src/ring.rs",
        [
            "How do you tell a full ring from an empty one when both have head and tail in the same slot?",
            "std::sync::atomic: Acquire and Release; wrapping_sub.",
            "Two counters that only grow: full when they are N apart, empty when equal, the slot is the counter modulo N.",
        ],
    );
    alone(&lesson, || {
        let ring = Ring::<4>::starting_at(0);
        lesson.equal("try_pop from an empty ring", None, ring.try_pop());
        for value in 1..=4 {
            lesson.equal("try_push into a ring with room", true, ring.try_push(value));
        }
        lesson.equal("try_push into a full ring", false, ring.try_push(5));
        let popped: Vec<_> = std::iter::from_fn(|| ring.try_pop()).take(8).collect();
        lesson.equal("what comes out", vec![1, 2, 3, 4], popped);
    });
}

#[test]
fn two_processes_move_a_hundred_items() {
    let lesson = lesson(
        4,
        "processes that share memory need no common parent, only a common name",
        "README part 4, `BoundedBuf` in src/lib.rs",
        [
            "Which names do the four programs agree on?",
            "README part 4 and its checkpoint.",
            "Nothing new to write: create, push, close and pop must work from processes that come one after the other.",
        ],
    );
    alone(&lesson, || {
        let name = Name::new("program");
        let run = |command: &str, options: &[&str], input: &str| {
            let args = [&[command, "--name", &name.0], options].concat();
            let out = Program::new(&lesson, PROGRAM)
                .args(args)
                .run(input.as_bytes());
            lesson.check(
                out.status.success(),
                &format!("shm {command}"),
                "exit code 0",
                format!("{}: {}", out.status, String::from_utf8_lossy(&out.stderr)),
            );
            String::from_utf8_lossy(&out.stdout).into_owned()
        };
        let lines: String = (0..100).map(|n| format!("item {n}\n")).collect();
        run("create", &["--capacity", "100"], "");
        run("produce", &[], &lines);
        run("close", &[], "");
        let printed = run("consume", &[], "");
        let wrong = lines
            .lines()
            .zip(printed.lines())
            .find(|(line, got)| line != got);
        lesson.equal("the first line that shm consume got wrong", None, wrong);
        lesson.equal(
            "lines that shm consume printed",
            100,
            printed.lines().count(),
        );
        run("rm", &[], "");
        lesson.check(
            !name.object().exists(),
            "shm rm",
            "no name left",
            "the object is there",
        );
    });
}

#[test]
fn bench_prints_a_row_for_each_way() {
    let lesson = lesson(
        5,
        "what moves the bytes shows in the kernel's own counters",
        "README part 5, proc(5) /proc/PID/io, `transfer` in src/lib.rs",
        [
            "What do you see in /proc/self/io before and after a write of 1 MiB?",
            "proc_pid_io(5).",
            "Nothing new to write: transfer has to return what the counters say for both ways.",
        ],
    );
    alone(&lesson, || {
        let out = Program::new(&lesson, PROGRAM)
            .args(["bench", "--bytes", "1000000"])
            .run(b"");
        let rows = String::from_utf8_lossy(&out.stdout).into_owned();
        let ways: Vec<_> = rows
            .lines()
            .filter_map(|row| row.split('"').nth(3))
            .collect();
        lesson.check(
            out.status.success() && ways == ["pipe", "shm"],
            "shm bench",
            r#"exit code 0 and two rows: {"via":"pipe",... and {"via":"shm",..."#,
            format!(
                "{}: {rows}{}",
                out.status,
                String::from_utf8_lossy(&out.stderr)
            ),
        );
    });
}

#[test]
fn errors_have_exit_codes() {
    let lesson = lesson(
        4,
        "who runs a program in a script sees its exit code, not its words",
        "README part 4, `BoundedBuf::create` and `Shm::open` in src/lib.rs",
        [
            "Which io::ErrorKind makes src/main.rs exit with 5, and which with 3?",
            "shm_open(3) under EEXIST and ENOENT; src/main.rs.",
            "create must fail where the name exists; open must give up at its deadline with TimedOut.",
        ],
    );
    alone(&lesson, || {
        let name = Name::new("errors");
        let len = NonZeroUsize::new(4096).expect("not zero");
        // Never made ready: a creator that was killed half-way.
        lesson.ok("Shm::create", Shm::create(&name.0, len));
        let run = |args: &[&str], code: i32, words: &str| {
            let out = Program::new(&lesson, PROGRAM).args(args).run(b"");
            let said = String::from_utf8_lossy(&out.stderr);
            lesson.check(
                out.status.code() == Some(code)
                    && said.starts_with("shm: ")
                    && said.contains(words),
                &format!("`shm {}`", args.join(" ")),
                format!("exit code {code}, and on standard error: shm: ...{words}..."),
                format!("{}, and: {said}", out.status),
            );
            lesson.check(
                out.stdout.is_empty(),
                "its standard output",
                "nothing",
                "something",
            );
        };
        run(&["create", "--name", &name.0], 5, "create");
        run(
            &["consume", "--name", &name.0, "--deadline", "50"],
            3,
            "open",
        );
        run(
            &["consume", "--name", "/shm-test.no-such-object"],
            1,
            "open",
        );
        run(&["consume"], 2, "usage");
    });
}
