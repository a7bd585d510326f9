//! The program of the lab, given and finished: it reads the command line, makes the sockets'
//! names known and calls the library. How to echo is none of its business.
//!
//! Exit codes: 0 done, 1 error while running, 2 wrong command line, 5 address in use. Standard
//! output carries data only; an error is one line `socket-echo: OPERATION: REASON` on standard
//! error.

use std::io::{self, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use socket_echo::{
    Limits, Totals, accept_conn, client, echo_conn, listen_tcp, listen_unix, serve, udp_echo,
};

const USAGE: &str = "\
usage: socket-echo serve [--once] [--clients N] [--drain MS] --tcp IP:PORT | --unix PATH
       socket-echo serve --udp IP:PORT
       socket-echo connect IP:PORT | PATH";

/// Finished connections that may wait for an accept.
const BACKLOG: i32 = 128;

/// Where a server can be found.
enum Address {
    Tcp(SocketAddrV4),
    Unix(PathBuf),
    Udp(SocketAddrV4),
}

enum Task {
    /// Serve one client with parts 3 to 5, or many with part 6.
    Serve {
        address: Address,
        once: bool,
        limits: Limits,
    },
    Connect(Address),
}

/// An operation that failed, for the line on standard error.
struct Failure {
    operation: String,
    reason: io::Error,
}

/// Names the operation that an error belongs to.
trait During<T> {
    fn during(self, operation: impl Into<String>) -> Result<T, Failure>;
}

impl<T> During<T> for io::Result<T> {
    fn during(self, operation: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|reason| Failure {
            operation: operation.into(),
            reason,
        })
    }
}

fn main() -> ExitCode {
    let Some(task) = parse(std::env::args().skip(1)) else {
        // When standard error is closed there is nobody to tell, and the exit code still says it.
        let _ = writeln!(io::stderr(), "{USAGE}");
        return ExitCode::from(2);
    };
    let done = match task {
        Task::Serve {
            address,
            once,
            limits,
        } => run_server(address, once, limits),
        Task::Connect(address) => run_client(address),
    };
    let Err(Failure { operation, reason }) = done else {
        return ExitCode::SUCCESS;
    };
    let _ = writeln!(io::stderr(), "socket-echo: {operation}: {reason}");
    ExitCode::from(if reason.kind() == io::ErrorKind::AddrInUse {
        5
    } else {
        1
    })
}

fn parse(mut args: impl Iterator<Item = String>) -> Option<Task> {
    match args.next()?.as_str() {
        "serve" => parse_serve(args),
        "connect" => {
            let address = args.next().filter(|address| !address.is_empty())?;
            let address = match address.parse() {
                Ok(address) => Address::Tcp(address),
                Err(_) => Address::Unix(address.into()),
            };
            args.next().is_none().then_some(Task::Connect(address))
        }
        _ => None,
    }
}

fn parse_serve(mut args: impl Iterator<Item = String>) -> Option<Task> {
    let (mut address, mut once, mut limits) = (None, false, Limits::default());
    while let Some(option) = args.next() {
        if option == "--once" {
            once = true;
            continue;
        }
        let value = args.next().filter(|value| !value.is_empty())?;
        match option.as_str() {
            "--clients" => limits.clients = value.parse().ok().filter(|n| *n > 0)?,
            "--drain" => limits.drain = Duration::from_millis(value.parse().ok()?),
            "--tcp" if address.is_none() => address = Some(Address::Tcp(value.parse().ok()?)),
            "--unix" if address.is_none() => address = Some(Address::Unix(value.into())),
            "--udp" if address.is_none() => address = Some(Address::Udp(value.parse().ok()?)),
            _ => return None,
        }
    }
    Some(Task::Serve {
        address: address?,
        once,
        limits,
    })
}

fn run_server(address: Address, once: bool, limits: Limits) -> Result<(), Failure> {
    let totals = match address {
        Address::Tcp(address) => {
            let listener = listen_tcp(address, BACKLOG).during(format!("listen {address}"))?;
            let listener = TcpListener::from(listener);
            let found = listener.local_addr().during("getsockname")?;
            run_listener(listener.into(), &found.to_string(), once, limits)
        }
        Address::Unix(path) => {
            let name = listen_unix(&path).during(format!("listen {}", path.display()))?;
            let listener = name.listener().during("dup")?;
            run_listener(listener, &path.display().to_string(), once, limits)
        }
        Address::Udp(address) => {
            let socket = UdpSocket::bind(address).during(format!("bind {address}"))?;
            let found = socket.local_addr().during("getsockname")?;
            let stop = stop_signals().during("signalfd")?;
            announce(&found.to_string())?;
            udp_echo(&socket, stop.as_fd()).during("echo")
        }
    }?;
    let Totals {
        served,
        failed,
        bytes,
    } = totals;
    say(&format!("served {served} failed {failed} bytes {bytes}"))
}

fn run_listener(
    listener: OwnedFd,
    address: &str,
    once: bool,
    limits: Limits,
) -> Result<Totals, Failure> {
    if !once {
        let stop = stop_signals().during("signalfd")?;
        announce(address)?;
        return serve(listener, limits, stop.as_fd()).during("serve");
    }
    announce(address)?;
    match accept_conn(listener.as_fd()).during("accept")? {
        Some(connection) => {
            let bytes = echo_conn(connection).during("echo")?;
            Ok(Totals {
                served: 1,
                failed: 0,
                bytes,
            })
        }
        None => Err(io::ErrorKind::WouldBlock.into()).during("accept"),
    }
}

/// A descriptor that becomes readable when SIGTERM or SIGINT has arrived.
fn stop_signals() -> io::Result<SignalFd> {
    let signals = SigSet::from_iter([Signal::SIGTERM, Signal::SIGINT]);
    signals.thread_block()?;
    Ok(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?)
}

fn run_client(address: Address) -> Result<(), Failure> {
    let connection: OwnedFd = match address {
        Address::Tcp(address) | Address::Udp(address) => TcpStream::connect(address)
            .during(format!("connect {address}"))?
            .into(),
        Address::Unix(path) => UnixStream::connect(&path)
            .during(format!("connect {}", path.display()))?
            .into(),
    };
    client(connection, &mut io::stdin(), &mut io::stdout()).during("echo")
}

/// Tells whoever started us where to connect; from now on signals may come, too.
fn announce(address: &str) -> Result<(), Failure> {
    say(&format!("listening {address}"))
}

fn say(line: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")
        .and_then(|()| stdout.flush())
        .during("write")
}
