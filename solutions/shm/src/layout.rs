//! Given. What lies where in a shared object, as every process that maps it must agree.
//!
//! ```text
//! byte 0      4         8         12      16    24    64     128   192        192 + stride
//!      ready  capacity  item_max  closed  head  tail  empty  full  slot 0 …   slot 1 …
//! ```
//!
//! What is changed apart is kept apart: each semaphore has a cache line of its own. A line that two
//! processors write to travels from one to the other and back, whichever bytes of it they want;
//! that is called false sharing, and it made items of 64 bytes cost a sixth more.
//!
//! A slot is the length of its item (4 bytes), 4 bytes of padding, and room for `item_max` bytes,
//! rounded up to a multiple of 8. Everything is in the byte order of the machine: shared memory
//! never leaves it. This module knows bytes and bounds, and no rule about who may touch what when.

use std::io;
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::{BoundedBuf, NamedSem, Sem, Shm};

/// The value of the ready word once the creator has finished ("SHM1" in memory).
pub const READY: u32 = u32::from_le_bytes(*b"SHM1");

/// Where the slots start.
const SLOTS: usize = size_of::<Header>();
/// The length word of a slot and its padding.
const SLOT_HEAD: usize = 8;

/// The first bytes of the object. Atomics, because another process may change them at any time:
/// load a value once, check it, then use that copy.
#[derive(Debug)]
#[repr(C)]
pub struct Header {
    /// [`READY`] once everything else has been written; 0 before.
    pub ready: AtomicU32,
    /// Number of slots.
    pub capacity: AtomicU32,
    /// Longest item, in bytes.
    pub item_max: AtomicU32,
    /// 0 while items may be pushed.
    pub closed: AtomicU32,
    /// Items popped since the beginning; the next one to pop is in slot `head % capacity`.
    pub head: AtomicU64,
    /// Items pushed since the beginning; the next one goes to slot `tail % capacity`.
    pub tail: AtomicU64,
    /// Counts the empty slots.
    pub empty: CacheLine<Sem>,
    /// Counts the full slots.
    pub full: CacheLine<Sem>,
}

/// A value that shares its cache line with no other.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct CacheLine<T>(T);

impl<T> Deref for CacheLine<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// How many items of which length a buffer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Number of slots.
    pub capacity: NonZeroU32,
    /// Longest item, in bytes.
    pub item_max: u32,
}

impl Geometry {
    /// The length of an object with this geometry, in bytes.
    ///
    /// # Errors
    /// `InvalidInput` if no address space could hold it.
    pub fn bytes(self) -> io::Result<NonZeroUsize> {
        (self.capacity.get() as usize)
            .checked_mul(self.stride())
            .and_then(|slots| slots.checked_add(SLOTS))
            .filter(|&bytes| isize::try_from(bytes).is_ok())
            .and_then(NonZeroUsize::new)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the buffer is too large"))
    }

    /// Bytes from one slot to the next.
    fn stride(self) -> usize {
        SLOT_HEAD + (self.item_max as usize).next_multiple_of(8)
    }
}

impl Shm {
    /// The first word of the object: [`READY`] once the creator has finished.
    pub fn ready(&self) -> &AtomicU32 {
        // SAFETY: an object is never shorter than its ready word, a mapping starts at a page, and
        // every bit pattern is a valid `AtomicU32`.
        unsafe { &*self.as_ptr().cast() }
    }

    /// The header of the object.
    ///
    /// # Errors
    /// `InvalidData` if the object is too short to have one.
    pub fn header(&self) -> io::Result<&Header> {
        if self.size() < SLOTS {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the object has no header",
            ));
        }
        // SAFETY: the mapping is long enough, starts at a page, and every bit pattern is a valid
        // `Header`.
        Ok(unsafe { &*self.as_ptr().cast() })
    }

    /// The geometry found in the header, checked against the real length of the object.
    ///
    /// # Errors
    /// `InvalidData` if the object cannot hold what its header claims.
    pub fn geometry(&self) -> io::Result<Geometry> {
        let header = self.header()?;
        let item_max = header.item_max.load(Ordering::Relaxed);
        NonZeroU32::new(header.capacity.load(Ordering::Relaxed))
            .map(|capacity| Geometry { capacity, item_max })
            .filter(|geometry| {
                geometry
                    .bytes()
                    .is_ok_and(|bytes| bytes.get() <= self.size())
            })
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "the header claims more than the object holds",
                )
            })
    }
}

impl BoundedBuf {
    /// Opens the buffer `name`, waiting for at most `deadline` until it is complete.
    ///
    /// # Errors
    /// Those of [`Shm::open`] and [`NamedSem::existing`]; `InvalidData` if the object is not a
    /// buffer.
    pub fn open(name: &str, deadline: Duration) -> io::Result<Self> {
        let shm = Shm::open(name, deadline)?;
        let geometry = shm.geometry()?;
        Ok(Self {
            shm,
            lock: NamedSem::existing(name)?,
            geometry,
        })
    }

    /// Removes the names of object and lock, also if only one of them is left.
    ///
    /// # Errors
    /// `NotFound` if there is neither.
    pub fn unlink(name: &str) -> io::Result<()> {
        let object = Shm::unlink(name);
        match (object, NamedSem::unlink(name)) {
            (Err(error), Ok(())) | (Ok(()), Err(error))
                if error.kind() == io::ErrorKind::NotFound =>
            {
                Ok(())
            }
            (object, lock) => object.and(lock),
        }
    }

    /// The header of the shared object.
    pub fn header(&self) -> &Header {
        self.shm
            .header()
            .expect("create and open have checked the length")
    }

    /// The slot of item number `n`, counted from 0 since the beginning: slot `n % capacity`.
    pub fn slot(&self, n: u64) -> Slot<'_> {
        let index = n % u64::from(self.geometry.capacity.get());
        let index = usize::try_from(index).expect("a capacity fits in memory");
        // SAFETY: `create` and `open` have checked that `capacity` slots lie inside the mapping,
        // which lives as long as `self`; strides are multiples of 8, so the length is aligned.
        unsafe {
            let start = self
                .shm
                .as_ptr()
                .add(SLOTS + index * self.geometry.stride());
            Slot {
                len: &*start.cast::<AtomicU32>(),
                bytes: start.add(SLOT_HEAD),
                room: self.geometry.item_max as usize,
            }
        }
    }
}

/// One slot of the shared object. Its bytes may only be touched under the buffer's lock.
#[derive(Debug)]
pub struct Slot<'a> {
    /// Length of the item in the slot, in bytes, as far as the shared memory can be believed.
    pub len: &'a AtomicU32,
    bytes: *mut u8,
    room: usize,
}

impl Slot<'_> {
    /// Copies `item` into the slot.
    ///
    /// # Panics
    /// If the item is longer than the slot.
    pub fn copy_in(&self, item: &[u8]) {
        assert!(
            item.len() <= self.room,
            "{} bytes into a slot of {}",
            item.len(),
            self.room
        );
        // SAFETY: the slot has `room` bytes inside the mapping, and `item` is private memory.
        unsafe { ptr::copy_nonoverlapping(item.as_ptr(), self.bytes, item.len()) }
    }

    /// Replaces `item` with the first `len` bytes of the slot.
    ///
    /// # Panics
    /// If `len` is longer than the slot.
    pub fn copy_out(&self, len: usize, item: &mut Vec<u8>) {
        assert!(len <= self.room, "{len} bytes from a slot of {}", self.room);
        item.resize(len, 0);
        // SAFETY: the slot has `room` bytes inside the mapping, and `item` is private memory of
        // `len` bytes.
        unsafe { ptr::copy_nonoverlapping(self.bytes, item.as_mut_ptr(), len) }
    }
}
