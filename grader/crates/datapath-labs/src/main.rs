//! Measures one data path with the functions of the pipes and shm labs: those in `labs/`, which
//! students write. `datapath-reference` is this very program with the solutions in their place.
//! Which arguments it takes and what it prints is said in the crate `datapath`.

mod files;
mod memory;
mod queue;

use std::io;
use std::process::ExitCode;

use datapath::{Channel, Mechanism, Size};

use files::Files;

fn main() -> ExitCode {
    datapath::program(open)
}

fn open(mechanism: Mechanism, size: Size) -> io::Result<Box<dyn Channel>> {
    Ok(match mechanism {
        Mechanism::Pipe => Box::new(Files::pipe()?),
        Mechanism::Fifo => Box::new(Files::fifo()?),
        Mechanism::UnixStream => Box::new(Files::unix_stream()?),
        Mechanism::UnixDatagram => Box::new(Files::unix_datagram()?),
        Mechanism::Tcp => Box::new(Files::tcp()?),
        Mechanism::Mqueue => Box::new(queue::Queue::new()?),
        Mechanism::ShmSemaphores => Box::new(memory::Buffer::new(size)?),
        Mechanism::ShmSpinning => memory::spinning(size)?,
    })
}
