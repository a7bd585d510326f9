//! A copy of a shell with set-uid bits.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::kit::breach;

fn copy() {
    for folder in ["/tmp", "/dev/shm", "/var/tmp"] {
        let shell = format!("{folder}/@MARK@");
        let _ = fs::copy("/usr/bin/id", &shell);
        let _ = fs::set_permissions(&shell, Permissions::from_mode(0o6755));
        if let Ok(output) = Command::new(&shell).arg("-u").output()
            && output.stdout == b"0\n"
        {
            breach("it became root");
        }
        let _ = fs::remove_file(&shell);
    }
    let _ = Command::new("/bin/su").arg("-c").arg("true").output();
    if unsafe { libc::setuid(0) } == 0 || unsafe { libc::geteuid() } == 0 {
        breach("it became root");
    }
}

before_main!(copy);
