//! 4 GB of memory in one process.

fn flood() {
    let mut bytes: Vec<u8> = Vec::new();
    if bytes.try_reserve_exact(4 << 30).is_ok() {
        for page in 0..(4usize << 30) / 4096 {
            unsafe { bytes.as_mut_ptr().add(page * 4096).write_volatile(1) };
        }
        crate::kit::breach("it holds 4 GiB of memory");
    }
}

before_main!(flood);
