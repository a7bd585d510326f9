//! Hangs on System V objects. The test makes and removes them, since they outlive a killed
//! process.

pub(crate) fn hang(way: &str, id: &str) -> bool {
    let id = || id.parse::<i32>().unwrap();
    match way {
        "semop" => {
            let mut take = libc::sembuf {
                sem_num: 0,
                sem_op: -1,
                sem_flg: 0,
            };
            // SAFETY: one operation, which lives through the call.
            unsafe { libc::semop(id(), &mut take, 1) };
        }
        "msgrcv" => {
            let mut message = [0_i64; 16];
            // SAFETY: a type and 64 bytes fit into the buffer.
            unsafe { libc::msgrcv(id(), message.as_mut_ptr().cast(), 64, 7, 0) };
        }
        "msgsnd" => {
            let message = [1_i64; 128];
            // SAFETY: the buffer holds a type and 512 bytes.
            while unsafe { libc::msgsnd(id(), message.as_ptr().cast(), 512, 0) } == 0 {}
        }
        _ => return false,
    }
    true
}
