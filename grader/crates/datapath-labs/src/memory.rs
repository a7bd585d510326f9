//! Shared memory, moved by the shm lab's own types: the bounded buffer, which sleeps, and slots
//! that the lock-free ring hands over, which does not. Both names are gone before a byte moves.

use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use datapath::{Channel, End, MOST_SLOTS, Size, Unseen, slots, spin};
use shm::{BoundedBuf, Geometry, Ring, Shm};

fn fresh_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("/datapath.{}.{number}", std::process::id())
}

/// The bounded buffer: semaphores count full and empty slots, and a third one is the lock.
pub(crate) struct Buffer(BoundedBuf);

impl Buffer {
    pub(crate) fn new(size: Size) -> io::Result<Self> {
        let capacity = u32::try_from(slots(size)).ok().and_then(NonZeroU32::new);
        let item_max = u32::try_from(size.bytes()).map_err(io::Error::other)?;
        let geometry = Geometry {
            capacity: capacity.expect("at least two slots, and few"),
            item_max,
        };
        let name = fresh_name();
        let buffer = BoundedBuf::create(&name, geometry)?;
        BoundedBuf::unlink(&name)?;
        Ok(Self(buffer))
    }
}

impl Channel for Buffer {
    fn keep(&mut self, _: End) {}

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.push(message)
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> io::Result<()> {
        let len = message.len();
        match self.0.pop(message)? {
            Some(got) if got == len => Ok(()),
            Some(_) => Err(io::ErrorKind::InvalidData.into()),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Where things lie in the object: the ready word has the first cache line to itself.
const RING: usize = 64;

/// Slots in shared memory, and the ring that hands over their messages' numbers. Its memory orders
/// carry over to the slots: who takes a number sees all that was done before it was given.
///
/// The ring gives a place back when a number is popped, which is before its message has been
/// copied out; and a message is copied in before its number is pushed. So there are two more slots
/// than places in the ring: no slot is ever written while it is read.
pub(crate) struct Spinning<const N: usize> {
    shm: Shm,
    len: usize,
    /// Messages sent or received by this process.
    n: u64,
    yields: u64,
}

/// Slots that a ring of `N` places hands over.
const fn slots_of<const N: usize>() -> usize {
    N + 2
}

/// A spinning channel for messages of `size`, with about as much room as [`slots`] says.
pub(crate) fn spinning(size: Size) -> io::Result<Box<dyn Channel>> {
    Ok(match slots(size) {
        0..16 => Box::new(Spinning::<2>::new(size)?),
        16..MOST_SLOTS => Box::new(Spinning::<16>::new(size)?),
        _ => Box::new(Spinning::<MOST_SLOTS>::new(size)?),
    })
}

impl<const N: usize> Spinning<N> {
    const SLOTS: usize = RING + size_of::<Ring<N>>();

    fn new(size: Size) -> io::Result<Self> {
        let len = size.bytes();
        let bytes = Self::SLOTS + slots_of::<N>() * len;
        let bytes = NonZeroUsize::new(bytes).expect("more than nothing");
        let name = fresh_name();
        let shm = Shm::create(&name, bytes)?;
        Shm::unlink(&name)?;
        // SAFETY: inside the mapping, which begins at a page, and nobody else knows the object.
        unsafe {
            shm.as_ptr()
                .add(RING)
                .cast::<Ring<N>>()
                .write(Ring::starting_at(0));
        }
        Ok(Self {
            shm,
            len,
            n: 0,
            yields: 0,
        })
    }

    /// The slot of the message that this process sends or receives next.
    fn slot(&self) -> *mut u8 {
        let slot = self.n as usize % slots_of::<N>();
        // SAFETY: `new` has made the object long enough for all slots.
        unsafe { self.shm.as_ptr().add(Self::SLOTS + slot * self.len) }
    }

    /// A copy never goes beyond a slot.
    fn check_length(&self, message: &[u8]) -> io::Result<()> {
        match message.len() == self.len {
            true => Ok(()),
            false => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

/// The ring of an object that `Spinning::new` made.
fn ring<const N: usize>(shm: &Shm) -> &Ring<N> {
    // SAFETY: a ring was written there, and the mapping lives as long as `shm`.
    unsafe { &*shm.as_ptr().add(RING).cast() }
}

impl<const N: usize> Channel for Spinning<N> {
    fn keep(&mut self, _: End) {}

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.check_length(message)?;
        // SAFETY: the slot is as long as the message, and the receiver does not read it yet.
        unsafe { ptr::copy_nonoverlapping(message.as_ptr(), self.slot(), self.len) };
        let ring = ring::<N>(&self.shm);
        spin(&mut self.yields, || ring.try_push(self.n).then_some(()));
        self.n += 1;
        Ok(())
    }

    fn receive(&mut self, message: &mut Vec<u8>) -> io::Result<()> {
        self.check_length(message)?;
        let ring = ring::<N>(&self.shm);
        if spin(&mut self.yields, || ring.try_pop()) != self.n {
            return Err(io::Error::other("the ring handed over another number"));
        }
        // SAFETY: as in `send`; the sender does not write it any more.
        unsafe { ptr::copy_nonoverlapping(self.slot(), message.as_mut_ptr(), self.len) };
        self.n += 1;
        Ok(())
    }

    fn unseen(&self) -> Unseen {
        Unseen {
            calls: self.yields,
            bytes: 0,
        }
    }
}
