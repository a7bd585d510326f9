//! The probe's wire kept by a process that outlives the probe.

fn keep() {
    crate::kit::in_a_daemon(|| crate::kit::sleep_for_ever());
}

before_main!(keep);
