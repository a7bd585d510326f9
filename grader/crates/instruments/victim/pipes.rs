//! Hangs on pipes and FIFOs.

use std::fs::{File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Read, Write, copy, pipe};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::close;

use crate::{call_me, child, for_ever};

pub(crate) fn hang(way: &str, path: &str) -> bool {
    match way {
        "own-write-end" => {
            let (mut reader, writer) = pipe().unwrap();
            child("consumer", || drop(reader.read(&mut [0])));
            call_me("producer");
            let _open = writer;
            for_ever()
        }
        "full-pipe" => {
            let (reader, mut writer) = pipe().unwrap();
            call_me("filler");
            writer.write_all(&[0; 1 << 20]).unwrap();
            drop(reader);
        }
        "circle-of-three" => {
            let pipes = [0; 3].map(|_| pipe().unwrap());
            child("third", || hear_first(&pipes, 2));
            child("second", || hear_first(&pipes, 1));
            call_me("first");
            hear_first(&pipes, 0);
        }
        "circle-of-polls" => {
            let (ours, theirs) = UnixStream::pair().unwrap();
            let (lines, teller) = pipe().unwrap();
            child("client", || {
                close(ours.as_raw_fd()).unwrap();
                close(lines.as_raw_fd()).unwrap();
                let _ended = (&theirs).read_exact(&mut [0]);
            });
            drop((theirs, teller));
            call_me("server");
            let mut fds =
                [ours.as_fd(), lines.as_fd()].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            poll(&mut fds, PollTimeout::NONE).unwrap();
        }
        "splice" => {
            let (mut from, _writer) = pipe().unwrap();
            let (_reader, mut to) = pipe().unwrap();
            copy(&mut from, &mut to).unwrap();
        }
        "fifo-read" => {
            let _keeper = OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .unwrap();
            call_me("reader");
            child("writer", || {
                let _fifo = File::create(path).unwrap();
                for_ever()
            });
            File::open(path).unwrap().read_exact(&mut [0]).unwrap();
        }
        "fifo-open-read" => drop(File::open(path)),
        "fifo-open-write" => drop(OpenOptions::new().write(true).open(path)),
        _ => return false,
    }
    true
}

/// Number `me` waits to hear something before it would speak to the next one.
fn hear_first(pipes: &[(PipeReader, PipeWriter); 3], me: usize) {
    for (other, (reader, writer)) in pipes.iter().enumerate() {
        if other != me {
            close(reader.as_raw_fd()).unwrap();
        }
        if other != (me + 1) % 3 {
            close(writer.as_raw_fd()).unwrap();
        }
    }
    (&pipes[me].0).read_exact(&mut [0]).unwrap();
}
