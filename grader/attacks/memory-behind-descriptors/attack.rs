//! 2 GB of memory that no address space shows.

fn flood() {
    let block = vec![1u8; 1 << 20];
    for file in 0..20 {
        unsafe {
            let fd = libc::memfd_create(c"attack".as_ptr(), 0);
            for _ in 0..100 {
                if fd < 0 || libc::write(fd, block.as_ptr().cast(), block.len()) < 1 << 20 {
                    return;
                }
            }
        }
        if file == 19 {
            crate::kit::breach("it holds 2 GiB behind descriptors");
        }
    }
}

before_main!(flood);
