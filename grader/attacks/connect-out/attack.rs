//! TCP connections to the machine.

use std::net::TcpStream;
use std::time::Duration;

fn connect() {
    for address in crate::kit::TCP {
        if let Ok(address) = address.parse() {
            let _ = TcpStream::connect_timeout(&address, Duration::from_millis(300));
        }
    }
}

before_main!(connect);
