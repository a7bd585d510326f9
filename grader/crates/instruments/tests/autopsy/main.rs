//! The autopsy of every way to hang, tried on real processes that hang in that way.

mod campaign;
mod case;
mod memory;
mod pipes;
mod processes;
mod sockets;
mod system;
