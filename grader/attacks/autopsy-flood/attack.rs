//! So many threads, mappings and descriptors that looking at them takes for ever.

fn flood() {
    unsafe {
        for _ in 0..60_000 {
            let protections = [libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE];
            for protection in protections {
                libc::mmap(std::ptr::null_mut(), 4096, protection, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0);
            }
        }
        let mut ends = [0; 2];
        while libc::pipe(ends.as_mut_ptr()) == 0 {}
    }
    while std::thread::Builder::new().stack_size(16 << 10).spawn(|| std::thread::park()).is_ok() {}
    crate::kit::sleep_for_ever();
}

before_main!(flood);
