//! The hidden tests of the signals lab. The table below is the rubric.
//!
//! Rows about a wake-up lost between looking and sleeping, about a child that ends before its
//! parent knows it, and about `errno` in a handler need the fault injector and are not here yet.

mod children;
mod ending;
mod handlers;
mod kernel;
mod masks;
mod self_pipe;
mod sleeps;

use std::process::ExitCode;

use harness::{Limits, Test};

fn main() -> ExitCode {
    harness::main("signals", TESTS)
}

/// For tests that a wrong solution makes hang: 20 times what the reference needs, and no more.
const SHORT: Limits = Limits::DEFAULT.seconds(6);

const TESTS: &[Test] = &[
    Test {
        id: "calls_restart_only_when_asked",
        part: 1,
        points: 3,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "SA_RESTART decides whether a read(2) goes on after the handler or fails with EINTR",
        read: "README part 1, sigaction(2): sa_flags, signal(7): Interruption of system calls, `install`",
        hint: [
            "What does your read(2) return when a handler has run meanwhile?",
            "sigaction(2), sa_flags; the third argument of sigaction is where the old one goes",
            "A sigaction of zeros, sa_sigaction and sa_flags set, one call, the old one returned",
        ],
        run: handlers::restart_is_as_asked,
    },
    Test {
        id: "real_time_signals_queue_and_others_do_not",
        part: 2,
        points: 4,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "pending standard signals are a set, real-time signals a queue; a handler runs once for each delivery",
        read: "README part 2, signal(7): Real-time signals, `count`",
        hint: [
            "How often does your handler run, and what does it remember of each run?",
            "signal(7), Queueing and delivery semantics for standard signals, and for real-time ones",
            "One atomic counter for each signal number, and fetch_add in the handler",
        ],
        run: handlers::each_delivery_is_counted_once,
    },
    Test {
        id: "mask_guards_put_the_old_mask_back",
        part: 3,
        points: 4,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "whoever changes the mask puts the old one back, for the caller may have blocked the signal too",
        read: "README part 3, sigprocmask(2): oldset, `block` and `MaskGuard`",
        hint: [
            "What if the signal was blocked before you blocked it?",
            "sigprocmask(2): SIG_SETMASK and oldset",
            "Keep the old mask that pthread_sigmask gives you, and set exactly that in Drop",
        ],
        run: masks::guards_put_the_old_mask_back,
    },
    Test {
        id: "drain_tells_each_signal_once",
        part: 6,
        points: 3,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "signals are a set: what arrived is told once, by number, however often and in whatever order it came",
        read: "README part 6, `SelfPipe::drain`",
        hint: [
            "What does your drain return after USR2, USR1, USR2?",
            "README, \"One signal on its way\"",
            "Keep a set of bits beside the pipe; the bytes in the pipe only say that there is something",
        ],
        run: self_pipe::drain_tells_a_set,
    },
    Test {
        id: "dropped_self_pipe_leaves_nothing_behind",
        part: 6,
        points: 3,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "what a value changes in the process, its Drop changes back: dispositions and descriptors",
        read: "README part 6, sigaction(2), `SelfPipe::new` and its Drop",
        hint: [
            "Who closes the pipe, and which handler runs after the self-pipe is gone?",
            "The value that your `install` returns",
            "Own both ends as OwnedFd, keep the old sigactions, put them back in Drop",
        ],
        run: self_pipe::dropping_puts_everything_back,
    },
    Test {
        id: "program_that_cannot_run_is_127",
        part: 8,
        points: 3,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "when exec fails there are two copies of the parent; the child must end at once, with 127",
        read: "README part 8, execve(2), _exit(2), `spawn_child`",
        hint: [
            "What runs after an exec that fails, and in which process?",
            "execve(2): RETURN VALUE; _exit(2)",
            "_exit(127) right after execvp in the child",
        ],
        run: children::failed_exec_is_127,
    },
    Test {
        id: "children_start_with_a_clean_slate",
        part: 8,
        points: 5,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "blocked and ignored signals and open descriptors survive exec; a child must not inherit ours",
        read: "README part 8, execve(2): Effect on process attributes, `spawn_child` and `SelfPipe::new`",
        hint: [
            "What does /proc/PID/status say of a child that you started?",
            "execve(2): what is kept; signal(7): Execution of signal handlers",
            "In the child: every disposition to SIG_DFL, then an empty mask, then exec; and O_CLOEXEC on the pipe",
        ],
        run: children::children_start_clean,
    },
    Test {
        id: "one_sigchld_reaps_all_children",
        part: 7,
        points: 5,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "SIGCHLD does not queue: one may stand for any number of ended children",
        read: "README part 7, waitpid(2): WNOHANG, `reap`",
        hint: [
            "How many SIGCHLD are pending when ten children have ended?",
            "waitpid(2): WNOHANG and the return value 0",
            "Call waitpid(-1, WNOHANG) until it says 0 or ECHILD",
        ],
        run: children::one_sigchld_stands_for_all,
    },
    Test {
        id: "supervisor_dies_by_the_signal",
        part: 10,
        points: 4,
        needs: &[],
        limits: SHORT,
        why: "a parent learns from the status whether its child was killed; exit(143) only looks like it in a shell",
        read: "README part 10, waitpid(2): WIFSIGNALED, `die_by`",
        hint: [
            "How does waitpid(2) tell an exit with 143 from a death by TERM?",
            "waitpid(2): WIFEXITED and WIFSIGNALED; signal(7): default dispositions",
            "Default disposition, unblock, raise",
        ],
        run: ending::supervisor_dies_by_the_signal,
    },
    Test {
        id: "grandchildren_end_too",
        part: 9,
        points: 4,
        needs: &[],
        limits: SHORT,
        why: "a command is a group of processes: who ends only the leader leaves the rest running",
        read: "README parts 8 and 9, setpgid(2), kill(2): pid less than -1, `shutdown`",
        hint: [
            "Which processes did `sh -c 'a & b'` start, and which of them get your TERM?",
            "kill(2): negative numbers; setpgid(2); waitid(2): WNOWAIT",
            "A group for each child; TERM to the group; when the leader has ended, KILL to the group, then reap",
        ],
        run: ending::grandchildren_end_too,
    },
    Test {
        id: "shutdown_spares_strangers",
        part: 9,
        points: 4,
        needs: &[],
        limits: SHORT,
        why: "a supervisor signals the groups of its own children, and nobody else",
        read: "README part 9, kill(2): pid 0 and -1, `shutdown`",
        hint: [
            "Whom does kill(0, SIGTERM) reach?",
            "kill(2): the meaning of 0, -1 and other negative numbers",
            "killpg with the number of each child, which spawn_child made the leader of a group",
        ],
        run: ending::strangers_are_spared,
    },
    Test {
        id: "second_term_changes_nothing",
        part: 9,
        points: 4,
        needs: &[],
        limits: SHORT,
        why: "a handler may run during the shutdown: the wait is interrupted, not over",
        read: "README part 9, signal(7): Interruption of system calls, `shutdown`",
        hint: [
            "What does your wait for children return when a handler has run?",
            "signal(7): calls that fail with EINTR even with SA_RESTART",
            "Treat EINTR like an early wake-up: look at the children and the clock again",
        ],
        run: ending::second_term_changes_nothing,
    },
    Test {
        id: "child_is_waited_for_and_no_longer",
        part: 9,
        points: 4,
        needs: &[],
        limits: SHORT,
        why: "the grace is the longest a child may take, not a time to sleep",
        read: "README part 9, sigtimedwait(2), `shutdown`",
        hint: [
            "What happens to a child that needs a little time to clean up, and to you once it has?",
            "sigtimedwait(2); a SIGCHLD that is blocked stays pending",
            "Loop: who has ended? all? then return; otherwise wait for SIGCHLD or the end of the grace",
        ],
        run: ending::child_is_waited_for_and_no_longer,
    },
    Test {
        id: "deaf_child_is_killed_after_the_grace",
        part: 9,
        points: 4,
        needs: &[],
        limits: SHORT,
        why: "TERM asks and may be ignored, KILL may not; between them lies the grace",
        read: "README part 9, signal(7), `shutdown`",
        hint: [
            "What if a child has `trap '' TERM`?",
            "signal(7): which signals cannot be caught, blocked or ignored",
            "At the end of the grace: KILL to every group that is left, then waitpid for each",
        ],
        run: ending::deaf_child_is_killed,
    },
    Test {
        id: "waiting_for_a_flag_sleeps",
        part: 4,
        points: 3,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "who waits for a signal sleeps in the kernel; looking again and again wastes the processor",
        read: "README part 4, sigsuspend(2), `wait_flag`",
        hint: [
            "How often does your program wake up while nothing happens?",
            "sigsuspend(2): it swaps the mask and sleeps in one step",
            "Block the signal; while the flag is false, sigsuspend with the old mask without the signal",
        ],
        run: sleeps::wait_for_a_flag_sleeps,
    },
    Test {
        id: "term_ends_an_idle_wait",
        part: 6,
        points: 4,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "a signal must end the wait for input, also when no input ever comes",
        read: "README part 6, poll(2), pipe(7), `SelfPipe::wait`",
        hint: [
            "On which descriptors does your program sleep while there is no input?",
            "poll(2) with two descriptors; the table of calls that restart in the README",
            "Poll the input and the pipe together, without a timeout; then drain; then look at the input",
        ],
        run: sleeps::term_ends_an_idle_wait,
    },
    Test {
        id: "full_self_pipe_neither_blocks_nor_loses",
        part: 6,
        points: 5,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "a handler must never block, and a signal must not be lost because the pipe is full",
        read: "README part 6, pipe(7): O_NONBLOCK, `SelfPipe`",
        hint: [
            "What does write(2) do in your handler when nobody has drained 65536 bytes?",
            "pipe(7): I/O on pipes; fcntl(2): O_NONBLOCK is set for each end",
            "O_NONBLOCK on the write end; note the signal in an atomic set first, write a byte second",
        ],
        run: self_pipe::full_pipe_blocks_and_loses_nothing,
    },
    Test {
        id: "counting_survives_a_storm_of_signals",
        part: 2,
        points: 5,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "a handler interrupts any instruction: a lock, an allocation or a print in it meets its own first half",
        read: "README part 2, signal-safety(7), `count` and `counted`",
        hint: [
            "Which lock is held when the signal comes in the middle of println!, and who could release it?",
            "signal-safety(7)",
            "Only fetch_add on a static atomic",
        ],
        run: handlers::counting_survives_a_storm,
    },
    Test {
        id: "self_pipe_survives_a_storm_of_signals",
        part: 6,
        points: 4,
        needs: &[],
        limits: Limits::DEFAULT,
        why: "a handler interrupts any instruction: a lock, an allocation or a print in it meets its own first half",
        read: "README part 6, signal-safety(7), `SelfPipe`",
        hint: [
            "What does your handler share with drain, and what guards it?",
            "signal-safety(7)",
            "Only atomics and one write(2) in the handler, errno put back",
        ],
        run: self_pipe::handler_survives_a_storm,
    },
    Test {
        id: "nap_lasts_its_time_under_signals",
        part: 5,
        points: 4,
        needs: &[],
        limits: SHORT,
        why: "a sleep that a handler cuts short goes on with the time that is left: not less, not all of it again",
        read: "README part 5, clock_nanosleep(2): TIMER_ABSTIME, `sleep_fully`",
        hint: [
            "How long does your nap last when a signal comes every 20 ms?",
            "clock_nanosleep(2): EINTR, the remaining time, TIMER_ABSTIME",
            "Compute the end once, and sleep until that end as often as it takes",
        ],
        run: sleeps::nap_lasts_its_time,
    },
];
