//! 2 GB of memory in several processes.

fn flood() {
    for child in 0..8 {
        if unsafe { libc::fork() } == 0 {
            crate::kit::take_name();
            let mut bytes = vec![0u8; 256 << 20];
            for page in 0..bytes.len() / 4096 {
                bytes[page * 4096] = 1;
            }
            if child == 7 {
                std::thread::sleep(std::time::Duration::from_secs(1));
                crate::kit::breach("its processes hold 2 GiB of memory");
            }
            crate::kit::sleep_for_ever();
        }
    }
    unsafe { libc::sleep(2) };
}

before_main!(flood);
