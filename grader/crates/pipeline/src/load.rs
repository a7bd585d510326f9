//! Work beside the grading, for campaigns that ask whether verdicts depend on it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Threads that do nothing but take CPU time, until dropped.
#[derive(Debug)]
pub struct Load(Arc<AtomicBool>);

impl Load {
    /// Starts so many of them.
    pub fn start(n_threads: usize) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        for _ in 0..n_threads {
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(over)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
