//! Datagrams to the machine.

use std::net::UdpSocket;

fn send() {
    if let Ok(socket) = UdpSocket::bind("0.0.0.0:0") {
        for address in crate::kit::UDP {
            let _ = socket.send_to(crate::kit::MARK.as_bytes(), address);
        }
    }
}

before_main!(send);
