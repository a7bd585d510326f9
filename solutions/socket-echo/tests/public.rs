//! The tests of the handout: each function once, on an easy day, and the program with a client.
//!
//! They show the shape of a solution and no edges: a green run here is the start of the work.
//! The function under test runs in the test's own thread, its peers in others, so that a
//! `todo!` is reported as what it is and nobody waits for it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;

use coach::{Lesson, Program, Running, alone};
use libc::SIGTERM;
use socket_echo_solution::{
    Limits, Totals, accept_conn, client, echo_conn, listen_tcp, listen_unix, send_all, serve,
    udp_echo,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_socket-echo-solution");

const fn lesson(
    part: u8,
    why: &'static str,
    read: &'static str,
    hints: [&'static str; 3],
) -> Lesson {
    Lesson {
        lab: "socket-echo-solution",
        part,
        why,
        read,
        hints,
    }
}

const LISTEN_TCP: Lesson = lesson(
    1,
    "bind gives a socket its address, and only listen makes the kernel finish connections for it",
    "README part 1, tcp(7), listen(2), `listen_tcp` in src/lib.rs",
    [
        "At which call does a client's connect(2) begin to succeed?",
        "socket(2), bind(2), listen(2), and SO_REUSEADDR in socket(7).",
        "socket with SOCK_CLOEXEC, SO_REUSEADDR, bind, listen with the backlog, each error passed on.",
    ],
);
const LISTEN_UNIX: Lesson = lesson(
    2,
    "a Unix socket's name is a file of its own: closing the socket does not remove it",
    "README part 2, unix(7), unlink(2), `listen_unix` in src/lib.rs",
    [
        "What is left in the folder when a server has closed its socket?",
        "unix(7) under Pathname sockets, unlink(2).",
        "bind and listen, and a guard that owns descriptor and path; its Drop removes the path.",
    ],
);
const ACCEPT: Lesson = lesson(
    3,
    "each accepted client is a new descriptor, and the listener goes on listening",
    "README part 3, accept(2), `accept_conn` in src/lib.rs",
    [
        "Which descriptor do you read from, the listener's or the one accept(2) returned?",
        "accept(2): accept4, and the errors that mean `try again`.",
        "accept4 with SOCK_CLOEXEC in a loop: the new descriptor is Some, nobody waiting is None, and after a client that went away ask for the next one.",
    ],
);
const SEND: Lesson = lesson(
    4,
    "a stream takes as many bytes as it has room for, so one send may be a partial one",
    "README part 4, send(2), `send_all` in src/lib.rs",
    [
        "How many of your bytes did send(2) take?",
        "send(2) under RETURN VALUE, EINTR and MSG_NOSIGNAL.",
        "A loop over what is left with MSG_NOSIGNAL; go on after EINTR, return other errors.",
    ],
);
const ECHO: Lesson = lesson(
    5,
    "each direction of a connection ends by itself: the client's end of input is no end of ours",
    "README part 5, shutdown(2), `echo_conn` in src/lib.rs",
    [
        "What has your peer asked for when you read 0 bytes, and what may it still want?",
        "shutdown(2) with SHUT_WR, recv(2) returning 0.",
        "Read and send back until 0, then shut down the writing direction, and return the number of bytes.",
    ],
);
const SERVE: Lesson = lesson(
    6,
    "a server waits for all its clients at once, never for one of them",
    "README part 6, poll(2), `serve` in src/lib.rs",
    [
        "Which call of yours waits for one client while another one has something to say?",
        "poll(2), and O_NONBLOCK in fcntl(2).",
        "One poll over stop, listener and all clients; per client a buffer and what is still to be sent, closed after its end of input is answered.",
    ],
);
const UDP: Lesson = lesson(
    7,
    "datagrams keep their bounds and carry the sender's address: one in is one out",
    "README part 7, udp(7), recvmsg(2), `udp_echo` in src/lib.rs",
    [
        "Where do you send the answer to, and how long is it?",
        "udp(7), recvfrom(2), sendto(2).",
        "Poll socket and stop; receive with the sender's address into 65,536 bytes, send exactly those back to it, count both.",
    ],
);
const CLIENT: Lesson = lesson(
    8,
    "both directions of a connection flow at the same time and end one after the other",
    "README part 8, shutdown(2), `client` in src/lib.rs",
    [
        "What happens when you send everything before you read, and the server's buffer fills?",
        "shutdown(2), poll(2), or a thread for one of the directions.",
        "Send in one direction and read in the other at the same time; SHUT_WR after the input's end, done at the server's end.",
    ],
);

/// Any free port.
const ANY_PORT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);

#[test]
fn a_client_can_connect_to_the_port_that_listen_tcp_was_given_by_the_kernel() {
    alone(&LISTEN_TCP, || {
        let listener = LISTEN_TCP.ok("listen on 127.0.0.1, any port", listen_tcp(ANY_PORT, 8));
        let address = TcpListener::from(listener)
            .local_addr()
            .expect("the listener's address");
        LISTEN_TCP.check(address.port() != 0, "getsockname", "a port", "port 0");
    });
}

#[test]
fn listen_tcp_finishes_connections_before_anybody_accepts_them() {
    alone(&LISTEN_TCP, || {
        let listener = LISTEN_TCP.ok("listen on 127.0.0.1, any port", listen_tcp(ANY_PORT, 8));
        let listener = TcpListener::from(listener);
        let address = listener.local_addr().expect("the listener's address");
        LISTEN_TCP.ok("connect to the listener", TcpStream::connect(address));
    });
}

#[test]
fn listen_unix_makes_a_name_that_goes_when_the_guard_is_dropped() {
    alone(&LISTEN_UNIX, || {
        let path = PathBuf::from(new_path());
        let guard = LISTEN_UNIX.ok("listen at a new path", listen_unix(&path));
        LISTEN_UNIX.ok("connect to the path", UnixStream::connect(&path));
        drop(guard);
        let gone = !path.exists();
        LISTEN_UNIX.check(
            gone,
            "drop the guard",
            "the name is gone",
            "it is still there",
        );
    });
}

#[test]
fn accept_conn_gives_a_descriptor_that_talks_to_the_client() {
    alone(&ACCEPT, || {
        let listener = TcpListener::bind(ANY_PORT).expect("a listener");
        let address = listener.local_addr().expect("its address");
        let mut peer = TcpStream::connect(address).expect("connect");
        let accepted = ACCEPT.ok("accept a waiting client", accept_conn(listener.as_fd()));
        let Some(accepted) = accepted else {
            ACCEPT.fail("accept a waiting client", "a connection", "None");
        };
        peer.write_all(b"!").expect("write to the server");
        let mut got = [0];
        TcpStream::from(accepted)
            .read_exact(&mut got)
            .expect("read from the client");
        ACCEPT.equal("read on the accepted descriptor", *b"!", got);
    });
}

#[test]
fn send_all_delivers_a_mebibyte_to_a_reader() {
    alone(&SEND, || {
        let (ours, mut theirs) = UnixStream::pair().expect("a socket pair");
        let reader = thread::spawn(move || {
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).map(|_| got)
        });
        let sent: Vec<u8> = (0..1 << 20).map(|i| (i % 251) as u8).collect();
        SEND.ok("send 1 MiB", send_all(ours.as_fd(), &sent));
        drop(ours);
        let got = reader.join().expect("the reader ends").expect("read");
        SEND.equal("bytes that arrived", sent.len(), got.len());
        SEND.check(sent == got, "what arrived", "the bytes sent", "other bytes");
    });
}

#[test]
fn echo_conn_sends_everything_back_and_then_the_end() {
    alone(&ECHO, || {
        let (ours, mut peer) = UnixStream::pair().expect("a socket pair");
        peer.write_all(b"hello").expect("write");
        peer.shutdown(Shutdown::Write).expect("end of input");
        let echoed = ECHO.ok("echo a client that said hello", echo_conn(ours.into()));
        ECHO.equal("the number of bytes", 5, echoed);
        let mut got = String::new();
        peer.read_to_string(&mut got).expect("read to the end");
        ECHO.equal("what came back before the end", "hello", &got);
    });
}

#[test]
fn serve_echoes_to_one_client_while_another_is_silent() {
    alone(&SERVE, || {
        let listener = TcpListener::bind(ANY_PORT).expect("a listener");
        let address = listener.local_addr().expect("its address");
        let (stop, mut stopper) = UnixStream::pair().expect("a socket pair");
        let peers = thread::spawn(move || -> io::Result<String> {
            let _silent = TcpStream::connect(address)?;
            let mut busy = TcpStream::connect(address)?;
            busy.write_all(b"hello")?;
            busy.shutdown(Shutdown::Write)?;
            let mut got = String::new();
            busy.read_to_string(&mut got)?;
            stopper.write_all(b".")?;
            Ok(got)
        });
        let totals = serve(listener.into(), Limits::default(), stop.as_fd());
        let totals = SERVE.ok("serve two clients until told to stop", totals);
        let got = SERVE.ok("talk to the server", peers.join().expect("the clients end"));
        SERVE.equal("what the second client got back", "hello", got.as_str());
        let expected = Totals {
            served: 2,
            failed: 0,
            bytes: 5,
        };
        SERVE.equal("the totals", expected, totals);
    });
}

#[test]
fn udp_echo_answers_each_datagram_with_the_same() {
    alone(&UDP, || {
        let server = UdpSocket::bind(ANY_PORT).expect("a server socket");
        let address = server.local_addr().expect("its address");
        let (stop, mut stopper) = UnixStream::pair().expect("a socket pair");
        let peer = thread::spawn(move || -> io::Result<Vec<String>> {
            let socket = UdpSocket::bind(ANY_PORT)?;
            socket.connect(address)?;
            let mut answers = Vec::new();
            for datagram in ["hello", "world"] {
                socket.send(datagram.as_bytes())?;
                let mut buffer = [0; 100];
                let n = socket.recv(&mut buffer)?;
                answers.push(text(&buffer[..n]));
            }
            stopper.write_all(b".")?;
            Ok(answers)
        });
        let totals = UDP.ok(
            "echo datagrams until told to stop",
            udp_echo(&server, stop.as_fd()),
        );
        let answers = UDP.ok("talk to the server", peer.join().expect("the peer ends"));
        UDP.equal(
            "the answers",
            vec!["hello".to_string(), "world".to_string()],
            answers,
        );
        UDP.equal(
            "the totals",
            Totals {
                served: 2,
                failed: 0,
                bytes: 10,
            },
            totals,
        );
    });
}

#[test]
fn client_writes_what_comes_back() {
    alone(&CLIENT, || {
        let (ours, peer) = UnixStream::pair().expect("a socket pair");
        let server = thread::spawn(move || {
            io::copy(&mut &peer, &mut &peer).and_then(|_| peer.shutdown(Shutdown::Write))
        });
        let mut output = Vec::new();
        let done = client(ours.into(), &mut &b"hello"[..], &mut output);
        CLIENT.ok("talk to an echo server", done);
        CLIENT.ok("serve the client", server.join().expect("the server ends"));
        CLIENT.equal("what came back", "hello", &text(&output));
    });
}

#[test]
fn the_program_serves_one_tcp_client() {
    alone(&ECHO, || {
        let server = Program::new(&ECHO, PROGRAM).args(["serve", "--once", "--tcp", "127.0.0.1:0"]);
        let mut server = server.start();
        let mut peer = TcpStream::connect(address(&mut server)).expect("connect");
        peer.write_all(b"hello").expect("write");
        peer.shutdown(Shutdown::Write).expect("end of input");
        let mut got = String::new();
        ECHO.ok("read the echo to its end", peer.read_to_string(&mut got));
        ECHO.equal("what came back", "hello", &got);
        ECHO.equal(
            "the server's exit code",
            Some(0),
            server.wait().status.code(),
        );
    });
}

#[test]
fn the_programs_client_talks_to_the_programs_server() {
    alone(&CLIENT, || {
        let path = new_path();
        let server = Program::new(&SERVE, PROGRAM).args(["serve", "--unix", &path]);
        let mut server = server.start();
        let connect = Program::new(&CLIENT, PROGRAM).args(["connect", &address(&mut server)]);
        let client = connect.run(b"hello");
        CLIENT.equal("standard output of connect", "hello", &text(&client.stdout));
        CLIENT.equal("exit code of connect", Some(0), client.status.code());
        server.signal(SIGTERM);
        SERVE.equal(
            "exit code of a server told to stop",
            Some(0),
            server.wait().status.code(),
        );
    });
}

#[test]
fn a_second_server_on_a_taken_port_exits_5() {
    alone(&LISTEN_TCP, || {
        let taken = TcpListener::bind(ANY_PORT).expect("a listener");
        let address = taken.local_addr().expect("its address").to_string();
        let second = Program::new(&LISTEN_TCP, PROGRAM)
            .args(["serve", "--tcp", &address])
            .run(b"");
        let said = text(&second.stderr);
        let words = format!("socket-echo: listen {address}: ");
        LISTEN_TCP.check(
            second.status.code() == Some(5) && said.starts_with(&words),
            "`socket-echo serve` on a port that is taken",
            format!("exit code 5, and on standard error: {words}..."),
            format!("{}, and: {said}", second.status),
        );
    });
}

/// Bytes as a person reads them.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Where a server that has just been started says that it listens.
fn address(server: &mut Running) -> String {
    let line = server.read_line_stdout();
    let Some(address) = line.strip_prefix("listening ") else {
        SERVE.fail("read the server's first line", "listening ADDRESS", line);
    };
    address.to_owned()
}

/// A path that no other test uses. Not in the build folder: a socket's path is short.
fn new_path() -> String {
    let name = format!("socket-echo-public-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    path.into_os_string()
        .into_string()
        .expect("the temporary folder has a plain name")
}
