//! A POSIX message queue. Its messages are short by default, so a long one goes in parts. The
//! kernel counts neither its calls nor its bytes in `/proc/self/io`: the loop does.

use std::ffi::CString;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use datapath::{Channel, End, Unseen};
use nix::errno::Errno;
use nix::mqueue::{
    MQ_OFlag, MqAttr, MqdT, mq_attr_member_t, mq_open, mq_receive, mq_send, mq_unlink,
};
use nix::sys::stat::Mode;

/// The longest message and the most of them that any user may have without asking.
const MESSAGE: usize = 8192;
const MESSAGES: usize = 10;

pub(crate) struct Queue {
    queue: MqdT,
    unseen: Unseen,
}

impl Queue {
    pub(crate) fn new() -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = CString::new(format!("/datapath.{}.{number}", std::process::id()))?;
        let attributes = MqAttr::new(
            0,
            MESSAGES as mq_attr_member_t,
            MESSAGE as mq_attr_member_t,
            0,
        );
        let flags = MQ_OFlag::O_CREAT | MQ_OFlag::O_EXCL | MQ_OFlag::O_RDWR;
        let queue = mq_open(
            name.as_c_str(),
            flags,
            Mode::S_IRUSR | Mode::S_IWUSR,
            Some(&attributes),
        )?;
        mq_unlink(name.as_c_str())?;
        Ok(Self {
            queue,
            unseen: Unseen::default(),
        })
    }

    fn count(&mut self, bytes: usize) {
        self.unseen.calls += 1;
        self.unseen.bytes += bytes as u64;
    }
}

impl Channel for Queue {
    fn keep(&mut self, _: End) {}

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        for part in message.chunks(MESSAGE) {
            again(|| mq_send(&self.queue, part, 0))?;
            self.count(part.len());
        }
        Ok(())
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> io::Result<()> {
        // A receiver must offer room for the longest message of the queue, or gets EMSGSIZE.
        let mut room = [0; MESSAGE];
        for part in message.chunks_mut(MESSAGE) {
            let mut priority = 0;
            let len = match part.len() {
                MESSAGE => again(|| mq_receive(&self.queue, part, &mut priority))?,
                short => {
                    let len = again(|| mq_receive(&self.queue, &mut room, &mut priority))?;
                    part.copy_from_slice(&room[..short]);
                    len
                }
            };
            if len != part.len() {
                return Err(io::ErrorKind::InvalidData.into());
            }
            self.count(len);
        }
        Ok(())
    }

    fn unseen(&self) -> Unseen {
        self.unseen
    }
}

fn again<T>(mut call: impl FnMut() -> nix::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            done => return Ok(done?),
        }
    }
}
