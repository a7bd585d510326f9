//! Everything that is a pair of file descriptors: pipes, FIFOs and sockets. However the pair is
//! made, the same two functions of the pipes lab move the bytes, with read(2) and write(2), so that
//! `/proc/self/io` counts them for all alike.

use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};

use datapath::{Channel, End};
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use pipes::{make_pipe, read_full, write_all};

/// The longest datagram: a multiple of this is sent as several.
const DATAGRAM: usize = 64 * 1024;

/// A descriptor to read from and one to write to.
pub(crate) struct Files {
    reader: Option<OwnedFd>,
    writer: Option<OwnedFd>,
    /// The most bytes in one write(2), where the boundaries between writes are kept.
    most: usize,
}

impl Files {
    fn new(reader: impl Into<OwnedFd>, writer: impl Into<OwnedFd>) -> Self {
        Self {
            reader: Some(reader.into()),
            writer: Some(writer.into()),
            most: usize::MAX,
        }
    }

    pub(crate) fn pipe() -> io::Result<Self> {
        let (reader, writer) = make_pipe()?;
        Ok(Self::new(reader, writer))
    }

    pub(crate) fn fifo() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("fifo");
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        // Without O_NONBLOCK this open would wait for a writer, and the writer is us.
        let reader = open(&path, OFlag::O_RDONLY | OFlag::O_NONBLOCK, Mode::empty())?;
        let writer = open(&path, OFlag::O_WRONLY, Mode::empty())?;
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::empty()))?;
        Ok(Self::new(reader, writer))
    }

    pub(crate) fn unix_stream() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        Ok(Self::new(reader, writer))
    }

    pub(crate) fn unix_datagram() -> io::Result<Self> {
        let (reader, writer) = UnixDatagram::pair()?;
        let most = DATAGRAM;
        Ok(Self {
            most,
            ..Self::new(reader, writer)
        })
    }

    pub(crate) fn tcp() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let writer = TcpStream::connect(listener.local_addr()?)?;
        let (reader, _) = listener.accept()?;
        // A round trip would otherwise wait for more to send.
        writer.set_nodelay(true)?;
        Ok(Self::new(reader, writer))
    }
}

impl Channel for Files {
    fn keep(&mut self, end: End) {
        match end {
            End::Sends => self.reader = None,
            End::Receives => self.writer = None,
        }
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let writer = self.writer.as_ref().ok_or_else(wrong_end)?;
        for part in message.chunks(self.most) {
            write_all(writer.as_fd(), part)?;
        }
        Ok(())
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> io::Result<()> {
        let reader = self.reader.as_ref().ok_or_else(wrong_end)?;
        for part in message.chunks_mut(self.most) {
            if read_full(reader.as_fd(), part)? < part.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }
}

fn wrong_end() -> io::Error {
    io::Error::other("this process gave up that end")
}
