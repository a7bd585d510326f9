//! A secret of the grader's environment.

const STOLEN: &str = env!("LAB_ATTACK_SECRET");

fn tell() {
    crate::kit::say(STOLEN);
}

before_main!(tell);
