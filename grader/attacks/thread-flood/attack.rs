//! Threads until there are no more.

fn flood() {
    let mut n_threads = 0;
    while std::thread::Builder::new()
        .stack_size(64 << 10)
        .spawn(|| std::thread::park())
        .is_ok()
    {
        n_threads += 1;
        if n_threads > 2000 {
            crate::kit::breach("it has 2 000 threads");
            break;
        }
    }
}

before_main!(flood);
