//! Descriptors until there are no more.

fn flood() {
    let mut n_pipes = 0;
    let mut ends = [0; 2];
    while unsafe { libc::pipe(ends.as_mut_ptr()) } == 0 {
        n_pipes += 1;
        unsafe { libc::fcntl(ends[0], libc::F_SETPIPE_SZ, 1 << 20) };
        if n_pipes > 2000 {
            return crate::kit::breach("it opened 4 000 descriptors");
        }
    }
}

before_main!(flood);
