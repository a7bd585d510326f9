//! Every kind of memory that programs share.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use instruments::explore::{Plan, Story, systematic};

use crate::race::{all_is_well, found, race_in};

/// A path that is gone with the test.
struct Gone(PathBuf);

impl Gone {
    fn in_shm(name: &str) -> (Self, String) {
        let name = format!("/race-{}-{name}", std::process::id());
        (Self(Path::new("/dev/shm").join(&name[1..])), name)
    }

    /// Sets the counter to 0 and says what it was.
    fn take_counter(&self) -> u64 {
        let file = File::options()
            .read(true)
            .write(true)
            .open(&self.0)
            .expect("the object");
        let mut counter = [0; 8];
        file.read_exact_at(&mut counter, 0).expect("eight bytes");
        file.write_all_at(&[0; 8], 0).expect("room for them");
        u64::from_ne_bytes(counter)
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        let _never_made = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_fault_of_the_program_itself_is_its_own() {
    let story = race_in("race-beyond-the-end", "").run(Plan::InOrder { first: 0 });
    assert_eq!(story.ends[0].1, Some(libc::SIGBUS), "{story:?}");
}

#[test]
fn programs_executed_apart_share_a_posix_object() {
    let (object, name) = Gone::in_shm("apart");
    let race = race_in("race-apart", &format!("posix:{name}")).programs(2);
    let is_right = |story: &Story| all_is_well(story) && object.take_counter() == 6;
    let failure = found(race.explore(systematic, is_right));
    let text = failure.story.explain();
    assert!(text.contains(&format!("/dev/shm{name} +0x0")), "{text}");
    assert!(
        text.contains("program 1 makes 6 accesses and has ended"),
        "{text}"
    );
}

#[test]
fn programs_executed_apart_share_a_file() {
    let file = Gone(std::env::temp_dir().join(format!("race-{}", std::process::id())));
    let memory = format!("file:{}", file.0.display());
    let race = race_in("race-apart", &memory).programs(2);
    let is_right = |story: &Story| all_is_well(story) && file.take_counter() == 6;
    found(race.explore(systematic, is_right));
}

#[test]
fn programs_executed_apart_share_a_system_v_segment() {
    // SAFETY: only integers go in.
    let id = unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, 0o600) };
    // SAFETY: the kernel chooses the address.
    let counter = unsafe { libc::shmat(id, std::ptr::null(), 0) }.cast::<u64>();
    let race = race_in("race-apart", &format!("segment:{id}")).programs(2);
    let is_right = |story: &Story| {
        // SAFETY: attached just now, and the programs have ended.
        let counted = unsafe { counter.replace(0) };
        all_is_well(story) && counted == 6
    };
    let result = race.explore(systematic, is_right);
    // SAFETY: removing ignores the third argument; nobody uses the memory any more.
    unsafe {
        libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut());
        libc::shmdt(counter.cast());
    }
    found(result);
}
