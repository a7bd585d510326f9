//! A library of the machine linked in by its path.

#[link(name = ":../../../../../../@OPEN@/libattack.a", kind = "static")]
unsafe extern "C" {
    fn attack();
}

fn start() {
    unsafe { attack() }
}

before_main!(start);
