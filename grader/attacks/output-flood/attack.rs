//! A gigabyte of output.

fn flood() {
    let block = [b'x'; 65536];
    for _ in 0..16384 {
        if unsafe { libc::write(1, block.as_ptr().cast(), block.len()) } < 0 {
            unsafe { libc::_exit(0) }
        }
    }
    crate::kit::breach("a gigabyte of output was taken");
}

before_main!(flood);
