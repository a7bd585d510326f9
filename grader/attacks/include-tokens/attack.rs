//! The compiler takes a secret of the home folder for source code.

mod stolen {
    include!("@HOME@");
}

fn tell() {
    crate::kit::say(stolen::SECRET);
}

before_main!(tell);
