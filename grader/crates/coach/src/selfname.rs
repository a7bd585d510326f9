//! The name of the running test, as `cargo test` takes it.

use std::any::type_name_of_val;
use std::env;
use std::thread;

/// Tells the process that runs a body which test and which call of [`crate::alone`] it is for.
pub(crate) const BODY: &str = "COACH_BODY";

/// The name of the running test, if it can be known without its body.
pub(crate) fn test_name() -> Option<String> {
    let of_body = || Some(env::var(BODY).ok()?.split_once('@')?.0.to_owned());
    of_body().or_else(of_thread)
}

/// The one command that runs a test again.
pub(crate) fn again(lab: &str, test: Option<&str>) -> String {
    match test {
        Some(test) => format!("cargo test -p {lab} {test}"),
        None => format!("cargo test -p {lab}"),
    }
}

/// The name of the test whose body this is. The test's thread carries it; on the main thread,
/// where some runners call tests, the compiler's name of the closure does.
pub(crate) fn of_body<F>(body: &F) -> String {
    of_thread().unwrap_or_else(|| of_closure(type_name_of_val(body)).to_owned())
}

/// `crate::module::test::{{closure}}` without its ends.
fn of_closure(path: &str) -> &str {
    let path = path.split_once("::").map_or("", |(_, path)| path);
    path.trim_end_matches("::{{closure}}")
}

fn of_thread() -> Option<String> {
    thread::current()
        .name()
        .filter(|name| *name != "main")
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_closure_is_the_name_of_its_test() {
        assert_eq!(
            of_closure(type_name_of_val(&|| ())),
            thread::current().name().unwrap()
        );
        assert_eq!(of_closure("public::eof::{{closure}}::{{closure}}"), "eof");
    }
}
