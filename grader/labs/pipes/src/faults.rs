//! Parts 2, 3 and 7 under faults that the kernel may give at any call and hardly ever does: the
//! harness makes them certain.

use harness::inject::{Eintr, Fails, Point, Rule, Short, inject, read, wait, write};
use harness::{Bench, Check, Input, ensure, faults};
use nix::errno::Errno;

/// Where a program that copies bytes can be disturbed.
fn copying() -> Vec<Point> {
    vec![read().fd(0), write().fd(1)]
}

pub(crate) fn a_copy_survives_interrupted_and_short_calls(bench: &Bench) -> Check {
    let bytes = bench.bytes(3000);
    let copy = |n_bytes: usize, rules: Vec<Rule>, case: &str| {
        let input = &bytes[..n_bytes];
        let watch = bench.watch(rules, &copying())?;
        let done = bench.program(["cat"]).watched(&watch, "cat").run(input)?;
        done.expect_stdout(input, case)?;
        done.expect_code(0, case)
    };
    // Each kind of fault for certain, and then whatever mixture comes.
    for (point, call) in copying().into_iter().zip(["read(2)", "write(2)"]) {
        for (effect, fault) in [
            (Eintr, "interrupted by a signal"),
            (Short(bench.number(1..100) as usize), "cut short"),
        ] {
            let case = format!("with {call} {fault}");
            copy(bytes.len(), vec![inject(point.clone(), effect)], &case)?;
        }
    }
    let cases = (200..=bytes.len(), faults(copying(), 4));
    bench.property(16, cases, |(n_bytes, rules)| {
        copy(n_bytes, rules, "with calls interrupted or cut short")
    })
}

pub(crate) fn an_error_is_passed_on(bench: &Bench) -> Check {
    for (point, what) in [
        (read().fd(0).nth(2), "read(2)"),
        (write().fd(1), "write(2)"),
    ] {
        let errno = [Errno::EIO, Errno::ENOSPC, Errno::ENOMEM][bench.number(0..3) as usize];
        let done = bench
            .program(["cat"])
            .inject(inject(point, Fails(errno)))
            .record(copying())
            .run(&bench.bytes(500))?;
        done.expect_code(1, &format!("when {what} fails with {errno:?}"))?;
        ensure(
            !done.stderr.contains("panicked"),
            format!("standard error of `{}` when {what} fails", done.command),
            "the error, passed on",
            done.stderr,
        )?;
    }
    Ok(())
}

pub(crate) fn an_interrupted_wait_goes_on(bench: &Bench) -> Check {
    let code = bench.number(2..100);
    let last = format!("read line; exit {code}");
    let mut pipeline = bench
        .program(["pipe", "cat", "--", "sh", "-c", &last])
        .stdin(Input::Pipe)
        .inject(inject(wait().by("pipes").counts(1..=3), Eintr))
        .record([wait().by("pipes")])
        .start()?;
    pipeline.feed(b"go on\n")?;
    let done = pipeline.finish()?;
    let case = "whose waits were interrupted by signals";
    let told = format!("stages ended with 0 {code}");
    ensure(
        done.code() == Some(1) && done.stderr.contains(&told),
        format!("`{}`, {case}", done.command),
        format!("exit code 1, saying: {told}"),
        done.how(),
    )
}
