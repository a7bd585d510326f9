//! The ways a message can take from one process to another, and the path of its bytes in each.
//! Knows nothing of measurements.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A way from one process to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mechanism {
    /// pipe(2), with the functions of the pipes lab.
    Pipe,
    /// A named pipe.
    Fifo,
    /// A Unix stream socket.
    UnixStream,
    /// A Unix datagram socket.
    UnixDatagram,
    /// TCP over the loopback interface.
    Tcp,
    /// A POSIX message queue.
    Mqueue,
    /// The bounded buffer of the shm lab: shared memory and three semaphores.
    ShmSemaphores,
    /// Slots in shared memory, handed over by the lock-free ring of the shm lab, without sleeping.
    ShmSpinning,
}

/// Where the bytes are between the two processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// In the kernel, in this object: each byte is copied in and out by a system call.
    Kernel(&'static str),
    /// In memory that both processes have mapped.
    Memory(&'static str),
}

/// The path of a byte, in words.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// What the sender calls.
    pub send: &'static str,
    /// Where the bytes lie meanwhile.
    pub between: Between,
    /// What the receiver calls.
    pub receive: &'static str,
    /// Where and why the sender waits.
    pub sender_waits: &'static str,
    /// Where and why the receiver waits.
    pub receiver_waits: &'static str,
    /// What the mechanism does besides moving bytes, or leaves to you.
    pub lesson: &'static str,
}

impl Mechanism {
    /// All of them, in the order of the course.
    pub const ALL: [Self; 8] = [
        Self::Pipe,
        Self::Fifo,
        Self::UnixStream,
        Self::UnixDatagram,
        Self::Tcp,
        Self::Mqueue,
        Self::ShmSemaphores,
        Self::ShmSpinning,
    ];

    /// Its name on the command line and in files.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Pipe => "pipe",
            Self::Fifo => "fifo",
            Self::UnixStream => "unix-stream",
            Self::UnixDatagram => "unix-datagram",
            Self::Tcp => "tcp",
            Self::Mqueue => "mqueue",
            Self::ShmSemaphores => "shm-semaphores",
            Self::ShmSpinning => "shm-spinning",
        }
    }

    /// What headings call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Pipe => "Pipe",
            Self::Fifo => "FIFO",
            Self::UnixStream => "Unix stream socket",
            Self::UnixDatagram => "Unix datagram socket",
            Self::Tcp => "TCP over loopback",
            Self::Mqueue => "POSIX message queue",
            Self::ShmSemaphores => "Shared memory, semaphores",
            Self::ShmSpinning => "Shared memory, spinning",
        }
    }

    /// Whether the functions of a lab move the bytes, so that a plain loop can be put beside them.
    #[must_use]
    pub const fn uses_a_lab(self) -> bool {
        matches!(self, Self::Pipe | Self::ShmSemaphores | Self::ShmSpinning)
    }

    /// Whether `/proc/PID/io` counts its calls and bytes. The kernel counts there what goes
    /// through read(2) and write(2); `mq_send` and `mq_receive` do not.
    #[must_use]
    pub const fn is_counted_by_proc(self) -> bool {
        !matches!(self, Self::Mqueue)
    }

    /// Whether the C library calls futex(2) on its behalf, which nobody counts by the way.
    #[must_use]
    pub const fn calls_futex(self) -> bool {
        matches!(self, Self::ShmSemaphores)
    }

    /// The path of a byte.
    #[must_use]
    pub const fn path(self) -> Path {
        match self {
            Self::Pipe => Path {
                send: "write(2)",
                between: Between::Kernel("pipe: 16 pages"),
                receive: "read(2)",
                sender_waits: "in write, while the pipe is full",
                receiver_waits: "in read, while the pipe is empty",
                lesson: "Two copies a byte. Flow control, end of file and SIGPIPE come with it.",
            },
            Self::Fifo => Path {
                send: "write(2)",
                between: Between::Kernel("the same pipe, found by a name"),
                receive: "read(2)",
                sender_waits: "in write, while it is full; in open, until a reader comes",
                receiver_waits: "in read, while it is empty; in open, until a writer comes",
                lesson: "Once both ends are open it is a pipe: expect the same figures.",
            },
            Self::UnixStream => Path {
                send: "write(2)",
                between: Between::Kernel("receive queue of socket buffers"),
                receive: "read(2)",
                sender_waits: "in write, while its send buffer is used up",
                receiver_waits: "in read, while the queue is empty",
                lesson: "Both directions on one descriptor; each write allocates a socket buffer.",
            },
            Self::UnixDatagram => Path {
                send: "write(2)",
                between: Between::Kernel("queue of whole datagrams"),
                receive: "read(2)",
                sender_waits: "in write, while the queue has its most datagrams",
                receiver_waits: "in read, while the queue is empty",
                lesson: "Message boundaries are kept; a message over 64 KiB goes as several here.",
            },
            Self::Tcp => Path {
                send: "write(2)",
                between: Between::Kernel("TCP, IP and loopback, then a receive queue"),
                receive: "read(2)",
                sender_waits: "in write, while the window and the send buffer are full",
                receiver_waits: "in read, while the queue is empty",
                lesson: "Still two copies a byte, but each segment runs through the network stack.",
            },
            Self::Mqueue => Path {
                send: "mq_send(3)",
                between: Between::Kernel("queue of messages with priorities"),
                receive: "mq_receive(3)",
                sender_waits: "in mq_send, while the queue holds its most messages",
                receiver_waits: "in mq_receive, while it is empty",
                lesson: "Few and small messages by default, so large ones go in parts.",
            },
            Self::ShmSemaphores => Path {
                send: "memcpy, sem_post(3)",
                between: Between::Memory("slots in /dev/shm"),
                receive: "memcpy, sem_wait(3)",
                sender_waits: "in futex(2), while no slot is empty or the lock is taken",
                receiver_waits: "in futex(2), while no slot is full or the lock is taken",
                lesson: "No byte passes through the kernel. It is called only to sleep and to wake.",
            },
            Self::ShmSpinning => Path {
                send: "memcpy, store-release",
                between: Between::Memory("slots in /dev/shm"),
                receive: "load-acquire, memcpy",
                sender_waits: "nowhere: it looks again and again, and yields now and then",
                receiver_waits: "nowhere: it looks again and again, and yields now and then",
                lesson: "No system call at all while both run. A process that waits burns a core.",
            },
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

/// A word that names no mechanism.
#[derive(Debug, thiserror::Error)]
#[error("no mechanism `{word}`; there are {}", Mechanism::ALL.map(Mechanism::id).join(", "))]
pub struct UnknownMechanism {
    word: String,
}

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|known| known.id() == word);
        found.ok_or_else(|| UnknownMechanism {
            word: word.to_owned(),
        })
    }
}
