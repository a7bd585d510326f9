//! A record of evidence on every descriptor there could be.

const RECORD: &str = concat!(
    r#"{"ended":{"how":"clean"},"programs":[],"seed":1,"wall_ms":1,"cpu_ms":1,"#,
    r#""isolation":"A","survivors":0}"#,
    "\n"
);

fn tell() {
    for fd in 0..4096 {
        unsafe { libc::write(fd, RECORD.as_ptr().cast(), RECORD.len()) };
    }
}

before_main!(tell);
