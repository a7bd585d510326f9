//! The mapped memory of a process, from `/proc/PID/maps`.

use std::fs;
use std::ops::Range;

/// One range of addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its addresses.
    pub range: Range<u64>,
    /// `rw-p`: readable, writable, executable, and `s`hared or `p`rivate.
    pub permissions: String,
    /// Where in its object it begins, in bytes.
    pub offset: u64,
    /// The device that its object is on, as `/proc` writes it: `00:1a`.
    pub device: String,
    /// The inode of its object, 0 if it has none.
    pub inode: u64,
    /// The path of its object, `[stack]`, `[heap]`, or nothing for anonymous memory.
    pub name: String,
}

impl Mapping {
    /// Whether a store is seen by the other processes that map the same object.
    pub fn is_shared(&self) -> bool {
        self.permissions.ends_with('s')
    }

    /// Whether it may be stored to.
    pub fn is_writable(&self) -> bool {
        self.permissions.as_bytes().get(1) == Some(&b'w')
    }

    /// The place of `address` in the object behind it, in bytes.
    pub fn offset_of(&self, address: u64) -> u64 {
        self.offset
            .wrapping_add(address.wrapping_sub(self.range.start))
    }
}

/// Every mapping in ascending order.
pub(super) fn read(pid: i32) -> Option<Vec<Mapping>> {
    let bytes = fs::read(format!("/proc/{pid}/maps")).ok()?;
    Some(
        String::from_utf8_lossy(&bytes)
            .lines()
            .filter_map(parse)
            .collect(),
    )
}

fn parse(line: &str) -> Option<Mapping> {
    // The name is the last field and may hold blanks.
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let permissions = fields.next()?.to_owned();
    let offset = hex(fields.next()?)?;
    let device = fields.next()?.to_owned();
    let inode = fields.next()?.parse().ok()?;
    let name = fields.next().unwrap_or("").trim().to_owned();
    Some(Mapping {
        range: hex(start)?..hex(end)?,
        permissions,
        offset,
        device,
        inode,
        name,
    })
}

fn hex(digits: &str) -> Option<u64> {
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_object_with_a_blank_in_its_name_is_understood() {
        let line =
            "7f00-8f00 rw-s 00001000 00:1a 77                         /dev/shm/a b (deleted)";
        let mapping = parse(line).expect("a line of maps");
        assert!(mapping.is_shared() && mapping.is_writable());
        assert_eq!(mapping.name, "/dev/shm/a b (deleted)");
        assert_eq!(mapping.offset_of(0x7f40), 0x1040);
        assert_eq!(mapping.inode, 77);
    }

    #[test]
    fn anonymous_memory_has_no_name() {
        assert_eq!(
            parse("7f00-8f00 rw-p 00000000 00:00 0 ")
                .expect("a line of maps")
                .name,
            ""
        );
    }
}
