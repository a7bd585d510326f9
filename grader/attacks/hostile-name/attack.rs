//! A name that looks like a line of /proc and clears the screen.

fn rename() {
    let names = [c"x) Z 1 1", c"\x1b[2J\nState: Z"];
    for name in names {
        unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
        unsafe { libc::fork() };
    }
    crate::kit::sleep_for_ever();
}

before_main!(rename);
