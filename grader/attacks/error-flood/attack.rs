//! A gigabyte of complaints.

fn flood() {
    let block = [b'x'; 65536];
    for _ in 0..16384 {
        if unsafe { libc::write(2, block.as_ptr().cast(), block.len()) } < 0 {
            unsafe { libc::_exit(0) }
        }
    }
    crate::kit::breach("a gigabyte of complaints was taken");
}

before_main!(flood);
