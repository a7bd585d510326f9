//! An abstract socket of the machine.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

fn send() {
    if let (Ok(socket), Ok(address)) = (
        UnixDatagram::unbound(),
        SocketAddr::from_abstract_name(crate::kit::MARK),
    ) {
        let _ = socket.send_to_addr(b"attack", &address);
    }
}

before_main!(send);
