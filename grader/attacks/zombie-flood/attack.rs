//! Ended processes that nobody waits for.

fn flood() {
    for n_zombies in 0..100_000 {
        match unsafe { libc::fork() } {
            0 => unsafe { libc::_exit(0) },
            -1 => return,
            _ if n_zombies > 2000 => return crate::kit::breach("it has 2 000 zombies"),
            _ => {}
        }
    }
}

before_main!(flood);
