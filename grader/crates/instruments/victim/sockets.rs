//! Hangs on sockets and on several descriptors at once.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::select::{FdSet, select};

use crate::{call_me, child, for_ever};

pub(crate) fn hang(way: &str, path: &str) -> bool {
    match way {
        "tcp-accept" => drop(TcpListener::bind("127.0.0.1:0").unwrap().accept()),
        "tcp-recv" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            child("client", || {
                let _connected = client;
                for_ever()
            });
            call_me("server");
            server.read_exact(&mut [0]).unwrap();
        }
        "tcp-send" => {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let _silent = listener.accept().unwrap();
            client.write_all(&vec![0; 64 << 20]).unwrap();
        }
        "unix-accept" => drop(UnixListener::bind(path).unwrap().accept()),
        "unix-connect" => {
            let _listener = UnixListener::bind(path).unwrap();
            let mut connected = Vec::new();
            loop {
                connected.push(UnixStream::connect(path).unwrap());
            }
        }
        "unix-recv" => {
            let (mut ours, theirs) = UnixStream::pair().unwrap();
            child("friend", || {
                let _connected = theirs;
                for_ever()
            });
            ours.read_exact(&mut [0]).unwrap();
        }
        "unix-full-both-ways" => {
            let (mut ours, mut theirs) = UnixStream::pair().unwrap();
            child("pong", || theirs.write_all(&vec![0; 64 << 20]).unwrap());
            call_me("ping");
            drop(theirs);
            ours.write_all(&vec![0; 64 << 20]).unwrap();
        }
        "udp-recv-with-a-limit" => {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket
                .set_read_timeout(Some(std::time::Duration::from_secs(1000)))
                .unwrap();
            drop(socket.recv(&mut [0]));
        }
        "udp-recv" => {
            UdpSocket::bind("127.0.0.1:0")
                .unwrap()
                .recv(&mut [0])
                .unwrap();
        }
        "poll" | "poll-with-timeout" => {
            let (reader, _writer) = std::io::pipe().unwrap();
            let (socket, _peer) = UnixStream::pair().unwrap();
            let mut fds = [
                PollFd::new(reader.as_fd(), PollFlags::POLLIN),
                PollFd::new(socket.as_fd(), PollFlags::POLLIN),
            ];
            let timeout = if way == "poll" {
                PollTimeout::NONE
            } else {
                PollTimeout::from(30_000_u16)
            };
            poll(&mut fds, timeout).unwrap();
        }
        "select" => {
            let (reader, _writer) = std::io::pipe().unwrap();
            let mut set = FdSet::new();
            set.insert(reader.as_fd());
            select(None, Some(&mut set), None, None, None).unwrap();
        }
        "epoll" => {
            let (reader, _writer) = std::io::pipe().unwrap();
            let epoll = Epoll::new(EpollCreateFlags::empty()).unwrap();
            epoll
                .add(&reader, EpollEvent::new(EpollFlags::EPOLLIN, 0))
                .unwrap();
            epoll
                .wait(&mut [EpollEvent::empty()], EpollTimeout::NONE)
                .unwrap();
        }
        _ => return false,
    }
    true
}
