//! What an attack must not reach: secrets, a bystander, listeners and a precious file, laid out
//! where they would be found, and what the machine shows of it afterwards.
//!
//! Whether an attack succeeded is never a matter of its own word alone: a secret turns up in what
//! the submission said, a connection arrives, a file changes, a process is still there.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::bystander::Bystander;
use super::corpus::Values;
use crate::SourceTree;
use crate::kit::Kit;
use crate::seat::Seat;

/// The environment variable that holds a secret while attacks run: grading must not pass it on.
pub const SECRET_VARIABLE: &str = "LAB_ATTACK_SECRET";

/// Secrets on this machine that every attack of a campaign may look for.
pub(super) struct Secrets {
    /// Where each is, and the words that must never turn up.
    words: Vec<(&'static str, String)>,
    values: Values,
    _folders: Vec<TempDir>,
    _neighbour: Seat,
}

impl Secrets {
    /// Lays them out.
    pub(super) fn lay_out(root: &Path, kit: &Kit, scratch: &Path) -> io::Result<Self> {
        let mut words = Vec::new();
        let mut values = Values::new();
        let mut folders = Vec::new();
        let home = std::env::var_os("HOME").map_or_else(|| scratch.to_owned(), PathBuf::from);
        for (place, name, folder) in [
            (
                "beside the hidden tests",
                "HIDDEN",
                root.join("target/kits"),
            ),
            ("in the home folder", "HOME", home),
        ] {
            let folder = tempfile::Builder::new()
                .prefix(".attack-secret-")
                .tempdir_in(folder)?;
            // Whoever can name it could read it, so that only the box keeps it.
            fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
            let secret = format!("secret-{:016x}", random());
            let file = folder.path().join("secret.rs");
            fs::write(&file, format!("pub const SECRET: &str = \"{secret}\";\n"))?;
            values.insert(name, file.display().to_string());
            words.push((place, secret));
            folders.push(folder);
        }
        let secret = format!("secret-{:016x}", random());
        let theirs = format!("pub const SECRET: &str = \"{secret}\";\n");
        let theirs = SourceTree::from([("src/answer.rs".to_owned(), theirs.into_bytes())]);
        let neighbour = Seat::prepare(kit, &theirs)?;
        let file = neighbour.source().join("src/answer.rs");
        values.insert("NEIGHBOUR", file.display().to_string());
        words.push(("in another submission's seat", secret));
        if let Ok(secret) = std::env::var(SECRET_VARIABLE) {
            words.push(("in the grader's environment", secret));
        }
        values.insert("ROOT", root.display().to_string());
        values.insert("VERDICT", kit.verdict_program.display().to_string());
        values.insert("GRADER", std::process::id().to_string());
        Ok(Self {
            words,
            values,
            _folders: folders,
            _neighbour: neighbour,
        })
    }
}

/// The traps of one attack.
pub(super) struct Traps<'a> {
    secrets: &'a Secrets,
    /// A word that is in the name of everything the attack makes.
    mark: String,
    key: i32,
    values: Values,
    bystander: Bystander,
    tcp: TcpListener,
    udp: UdpSocket,
    abstract_socket: UnixDatagram,
    precious: PathBuf,
    folder: TempDir,
    _open: TempDir,
    /// Where files of the attack might turn up.
    watched: Vec<PathBuf>,
}

/// What the precious file holds.
const PRECIOUS: &str = "precious\n";

/// What an attack is told where no traps are set: names of things that are there in any case, and
/// a process id that no process has.
pub(super) fn none(root: &Path) -> Values {
    let tests = root.join("grader/labs/pipes/src/main.rs");
    let values = [
        ("MARK", "atk00000000"),
        ("KEY", "268435456"),
        ("BYSTANDER", "2147483647"),
        ("GRADER", "2147483647"),
        ("ADDRESS", "0x1000"),
        ("TCP", "9"),
        ("UDP", "9"),
        ("LAN", "127.0.0.1"),
        ("OPEN", "/var/tmp/atk00000000"),
        ("PRECIOUS", "/var/tmp/atk00000000/precious"),
    ];
    let mut values: Values = values.map(|(name, value)| (name, value.to_owned())).into();
    values.insert("ROOT", root.display().to_string());
    for name in ["HIDDEN", "HOME", "NEIGHBOUR", "VERDICT"] {
        values.insert(name, tests.display().to_string());
    }
    values
}

/// So long may the kernel take to make good on what was killed.
pub(super) const SETTLING: Duration = Duration::from_secs(3);

impl<'a> Traps<'a> {
    pub(super) fn set(secrets: &'a Secrets, helper: &Path, spare_uid: bool) -> io::Result<Self> {
        let number = random();
        let mark = format!("atk{:08x}", number >> 32);
        let key = ((number & 0x7fff_ffff) | 0x1000_0000) as i32;
        let bystander = Bystander::start(helper, spare_uid)?;
        let tcp = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&mark)?;
        let abstract_socket = UnixDatagram::bind_addr(&address)?;
        tcp.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;
        abstract_socket.set_nonblocking(true)?;
        let folder = tempfile::Builder::new().prefix("attack-").tempdir()?;
        // Not below /tmp, of which a box has its own.
        let kits = Path::new(&secrets.values["ROOT"]).join("target/kits");
        let open = tempfile::Builder::new()
            .prefix(".attack-open-")
            .tempdir_in(kits)?;
        fs::set_permissions(open.path(), PermissionsExt::from_mode(0o777))?;
        let precious = open.path().join("precious");
        fs::write(&precious, PRECIOUS)?;
        fs::set_permissions(&precious, PermissionsExt::from_mode(0o666))?;

        let mut values = secrets.values.clone();
        values.insert("MARK", mark.clone());
        values.insert("KEY", key.to_string());
        values.insert("BYSTANDER", bystander.pid().to_string());
        values.insert("ADDRESS", bystander.address().to_owned());
        values.insert("TCP", tcp.local_addr()?.port().to_string());
        values.insert("UDP", udp.local_addr()?.port().to_string());
        values.insert("LAN", own_address().to_string());
        values.insert("PRECIOUS", precious.display().to_string());
        values.insert("OPEN", open.path().display().to_string());
        let mut watched = vec![open.path().to_owned(), std::env::temp_dir()];
        let root = PathBuf::from(&secrets.values["ROOT"]);
        watched.extend(["target", "target/kits", "grader", ""].map(|path| root.join(path)));
        watched.extend(std::env::var_os("HOME").map(PathBuf::from));
        let usual = [
            "/tmp",
            "/var/tmp",
            "/dev/shm",
            "/dev/mqueue",
            "/run",
            "/run/lock",
            "/",
        ];
        watched.extend(usual.map(PathBuf::from));
        Ok(Self {
            secrets,
            mark,
            key,
            values,
            bystander,
            tcp,
            udp,
            abstract_socket,
            precious,
            folder,
            _open: open,
            watched,
        })
    }

    /// A folder that goes with the traps.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the attack is told: everything an attacker could ever have found out.
    pub(super) fn values(&self) -> &Values {
        &self.values
    }

    /// What a text of the submission's gives away.
    pub(super) fn in_text(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        let bystander = [("in a bystander", self.bystander.secret().to_owned())];
        for (place, secret) in self.secrets.words.iter().chain(&bystander) {
            if text.contains(secret.as_str()) {
                found.push(format!("it read the secret {place}"));
            }
        }
        let claim = format!("{} BREACH: ", self.mark);
        for (_, rest) in text
            .match_indices(&claim)
            .map(|(at, _)| text[at..].split_at(claim.len()))
        {
            let end = rest.find(['\n', '\\', '"']).unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
        }
        found
    }

    /// What the machine shows, once it has settled. Whatever is left is removed.
    pub(super) fn sprung(&mut self) -> Vec<String> {
        let mut found = self.bystander.harm();
        if let Ok((_, peer)) = self.tcp.accept() {
            found.push(format!("it reached a TCP port of the machine from {peer}"));
        }
        let mut datagram = [0; 64];
        if self.udp.recv_from(&mut datagram).is_ok() {
            found.push("it reached a UDP port of the machine".into());
        }
        if self.abstract_socket.recv(&mut datagram).is_ok() {
            found.push("it reached an abstract socket of the machine".into());
        }
        if fs::read_to_string(&self.precious).ok().as_deref() != Some(PRECIOUS) {
            found.push("it changed a file of the machine".into());
        }
        for folder in &self.watched {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_name().to_string_lossy().contains(&self.mark) {
                    found.push(format!("it left {}", entry.path().display()));
                    let _ = fs::remove_file(entry.path());
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
        let queue = format!("/{}", self.mark);
        if nix::mqueue::mq_unlink(queue.as_str()).is_ok() {
            found.push(format!("it left the message queue {queue}"));
        }
        found.extend(system_v(self.key));
        found.extend(self.processes());
        found
    }

    /// Processes that carry the mark and do not go away.
    fn processes(&self) -> Vec<String> {
        let started = Instant::now();
        loop {
            let left: Vec<i32> = pids().filter(|pid| carries(*pid, &self.mark)).collect();
            if left.is_empty() {
                return Vec::new();
            }
            if started.elapsed() > SETTLING {
                for pid in &left {
                    let pid = nix::unistd::Pid::from_raw(*pid);
                    let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
                }
                return vec![format!("its processes {left:?} outlived the test")];
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

pub(super) fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Whether a process that is not a zombie has the mark in its name or command line.
fn carries(pid: i32, mark: &str) -> bool {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let stat = String::from_utf8_lossy(&read("stat")).into_owned();
    let state = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let words = [read("comm"), read("cmdline")].concat();
    !state.starts_with(['Z', 'X'])
        && !state.is_empty()
        && words
            .windows(mark.len())
            .any(|window| window == mark.as_bytes())
}

/// System V objects with this key; they are removed.
fn system_v(key: i32) -> Vec<String> {
    let mut found = Vec::new();
    for (table, name) in [
        ("shm", "shared memory segment"),
        ("sem", "semaphore set"),
        ("msg", "message queue"),
    ] {
        let text = fs::read_to_string(format!("/proc/sysvipc/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let mut fields = line
                .split_whitespace()
                .map_while(|field| field.parse().ok());
            if let (Some(its_key), Some(id)) = (fields.next(), fields.next())
                && its_key == key
            {
                // SAFETY: removing an object takes no argument but its id.
                unsafe {
                    match table {
                        "shm" => libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()),
                        "sem" => libc::semctl(id, 0, libc::IPC_RMID),
                        _ => libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()),
                    };
                }
                found.push(format!("it left the System V {name} {id}"));
            }
        }
    }
    found
}

/// The address that other machines know this one by, if it has one: a route is looked up, nothing
/// is sent.
fn own_address() -> Ipv4Addr {
    let looked_up = || -> io::Result<SocketAddr> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    };
    match looked_up() {
        Ok(SocketAddr::V4(address)) => *address.ip(),
        _ => Ipv4Addr::LOCALHOST,
    }
}

/// Nobody can guess it.
pub(super) fn random() -> u64 {
    let mut bytes = [0; 8];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    let _ = read; // zeros are still a number; a machine without it fails elsewhere
    u64::from_le_bytes(bytes)
}

/// Set-uid bits and changed programs in a seat.
pub(super) fn spoilt(seat: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(seat).into_iter().flatten() {
        let mode = entry.metadata().map_or(0, |meta| meta.permissions().mode());
        if mode & 0o6000 != 0 {
            found.push(format!("{} has mode {mode:o}", entry.path().display()));
        }
    }
    found
}

/// Writes a line; for the bystander.
pub(super) fn tell(mut to: impl Write, line: &str) -> io::Result<()> {
    writeln!(to, "{line}")?;
    to.flush()
}
