//! A program without a single descriptor.

fn close() {
    for fd in 0..4096 {
        unsafe { libc::close(fd) };
    }
}

before_main!(close);
