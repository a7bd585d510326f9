//! What an x86-64 instruction does to memory: just enough to tell loads, stores and updates.
//!
//! Anything that is not recognised is `Other`, which is never split and always counts as a store.

use super::Kind;

/// An instruction is at most so long.
pub(super) const LONGEST: usize = 15;

/// Prefixes and opcode of an instruction with a memory operand.
struct Decoded {
    is_locked: bool,
    is_two_byte: bool,
    opcode: u8,
    /// The middle three bits of the byte after the opcode: part of the opcode in some groups.
    extension: u8,
    size: usize,
    is_vector: bool,
}

fn decode(code: &[u8]) -> Option<Decoded> {
    let mut rest = code;
    let (mut is_locked, mut is_wide, mut is_short, mut is_vector) = (false, false, false, false);
    loop {
        match *rest.first()? {
            0xf0 => is_locked = true,
            0x66 => is_short = true,
            0xf2 | 0xf3 => is_vector = true,
            0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 => {}
            rex @ 0x40..=0x4f => is_wide = rex & 8 != 0,
            0x62 | 0xc4 | 0xc5 => return None, // AVX: no plain update
            _ => break,
        }
        rest = &rest[1..];
    }
    let is_two_byte = rest[0] == 0x0f;
    let rest = if is_two_byte { rest.get(1..)? } else { rest };
    let (opcode, operands) = (*rest.first()?, *rest.get(1)?);
    // Opcodes come in pairs: the even one works on a byte.
    let size = match (opcode & 1, is_wide, is_short) {
        (0, ..) => 1,
        (_, true, _) => 8,
        (_, _, true) => 2,
        _ => 4,
    };
    Some(Decoded {
        is_locked,
        is_two_byte,
        opcode,
        extension: operands >> 3 & 7,
        size,
        is_vector,
    })
}

/// What the instruction that faulted on a memory operand does to it.
pub(super) fn kind(code: &[u8]) -> Kind {
    let Some(found) = decode(code) else {
        return Kind::Other;
    };
    // XCHG with memory is locked without a prefix.
    let is_exchange = !found.is_two_byte && matches!(found.opcode, 0x86 | 0x87);
    if found.is_locked || is_exchange || found.is_vector {
        return Kind::Other;
    }
    let size = found.size;
    match (found.is_two_byte, found.opcode, found.extension) {
        (false, 0x88 | 0x89 | 0xc6 | 0xc7, _) => Kind::Store,
        // MOV, TEST and CMP into registers or flags, MOVSXD
        (false, 0x8a | 0x8b | 0x63 | 0x84 | 0x85, _) => Kind::Load,
        (false, 0x38..=0x3b, _) | (false, 0x80 | 0x81 | 0x83, 7) => Kind::Load,
        (false, 0xf6 | 0xf7, 0 | 1) => Kind::Load,
        // ADD, OR, ADC, SBB, AND, SUB, XOR: the forms with the low bits 0 and 1 store to memory.
        (false, 0x00..=0x37, _) => match found.opcode & 7 {
            0 | 1 => Kind::Update { size },
            2 | 3 => Kind::Load,
            _ => Kind::Other,
        },
        (false, 0x80 | 0x81 | 0x83, _) => Kind::Update { size },
        (false, 0xfe | 0xff, 0 | 1) => Kind::Update { size },
        (false, 0xf6 | 0xf7, 2 | 3) => Kind::Update { size },
        (false, 0xc0 | 0xc1 | 0xd0..=0xd3, _) => Kind::Update { size },
        // MOVZX and MOVSX
        (true, 0xb6 | 0xb7 | 0xbe | 0xbf, _) => Kind::Load,
        // BTS, BTR, BTC, CMPXCHG, XADD without a lock prefix
        (true, 0xab | 0xb3 | 0xbb | 0xb0 | 0xb1 | 0xc0 | 0xc1, _) => Kind::Update { size },
        _ => Kind::Other,
    }
}

/// How many bytes a plain store writes.
pub(super) fn store_size(code: &[u8]) -> Option<usize> {
    let found = decode(code)?;
    (kind(code) == Kind::Store).then_some(found.size)
}

/// How many bytes of memory the instruction works on; `None` where its bytes do not tell it for
/// certain. What is `Other` and has a size does all of its work in one step.
pub(super) fn operand_size(code: &[u8]) -> Option<usize> {
    let found = decode(code)?;
    if found.is_vector {
        return None;
    }
    match (found.is_two_byte, found.opcode) {
        // MOVSXD, then MOVZX and MOVSX: what they load is shorter than their register.
        (false, 0x63) => Some(4),
        (true, 0xb6 | 0xbe) => Some(1),
        (true, 0xb7 | 0xbf) => Some(2),
        // All that `kind` knows by name, and XCHG, CMPXCHG and XADD
        (false, 0x00..=0x3b) if found.opcode & 7 < 4 => Some(found.size),
        (false, 0x80 | 0x81 | 0x83..=0x8b) => Some(found.size),
        (false, 0xc0 | 0xc1 | 0xc6 | 0xc7 | 0xd0..=0xd3) => Some(found.size),
        // The others of these groups multiply, divide, jump and push.
        (false, 0xf6 | 0xf7) if found.extension < 4 => Some(found.size),
        (false, 0xfe | 0xff) if found.extension < 2 => Some(found.size),
        (true, 0xab | 0xb3 | 0xbb | 0xb0 | 0xb1 | 0xc0 | 0xc1) => Some(found.size),
        _ => None,
    }
}

/// Whether the instruction makes the processor finish all its stores first: MFENCE, anything with
/// a lock prefix, XCHG (which may have a memory operand), and system calls, which are not ordered
/// by the processor but by everything the kernel does.
pub(super) fn drains_stores(code: &[u8]) -> bool {
    if code.starts_with(&[0x0f, 0xae, 0xf0]) || code.starts_with(&[0x0f, 0x05]) {
        return true;
    }
    decode(code).is_some_and(|found| {
        found.is_locked || !found.is_two_byte && matches!(found.opcode, 0x86 | 0x87)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_increment_is_an_update_only_without_a_lock_prefix() {
        // incl (%rax); lock incl (%rax); addq $1,(%rax); lock xadd %rax,(%rdi)
        assert_eq!(kind(&[0xff, 0x00]), Kind::Update { size: 4 });
        assert_eq!(kind(&[0xf0, 0xff, 0x00]), Kind::Other);
        assert_eq!(kind(&[0x48, 0x83, 0x00, 0x01]), Kind::Update { size: 8 });
        assert_eq!(kind(&[0xf0, 0x48, 0x0f, 0xc1, 0x07]), Kind::Other);
    }

    #[test]
    fn loads_and_stores_are_told_apart() {
        // mov (%rdi),%eax; mov %eax,(%rdi); movb $1,(%rdi); cmpl $0,(%rdi); xchg %eax,(%rdi)
        assert_eq!(kind(&[0x8b, 0x07]), Kind::Load);
        assert_eq!(kind(&[0x89, 0x07]), Kind::Store);
        assert_eq!(store_size(&[0xc6, 0x07, 0x01]), Some(1));
        assert_eq!(kind(&[0x83, 0x3f, 0x00]), Kind::Load);
        assert_eq!(kind(&[0x87, 0x07]), Kind::Other);
    }

    #[test]
    fn operands_are_as_long_as_the_bytes_say() {
        // movzwl (%rdi),%eax; movslq (%rdi),%rax; lock xadd %rax,(%rdi); lock cmpxchg %ecx,(%rdi)
        assert_eq!(operand_size(&[0x0f, 0xb7, 0x07]), Some(2));
        assert_eq!(operand_size(&[0x48, 0x63, 0x07]), Some(4));
        assert_eq!(operand_size(&[0xf0, 0x48, 0x0f, 0xc1, 0x07]), Some(8));
        assert_eq!(operand_size(&[0xf0, 0x0f, 0xb1, 0x0f]), Some(4));
        // push (%rdi); mul (%rdi); rep movsb; movups (%rdi),%xmm0; lock cmpxchg16b (%rdi)
        assert_eq!(operand_size(&[0xff, 0x37]), None);
        assert_eq!(operand_size(&[0xf7, 0x27]), None);
        assert_eq!(operand_size(&[0xf3, 0xa4]), None);
        assert_eq!(operand_size(&[0x0f, 0x10, 0x07]), None);
        assert_eq!(operand_size(&[0xf0, 0x48, 0x0f, 0xc7, 0x0f]), None);
    }

    #[test]
    fn fences_and_locked_instructions_drain_the_stores() {
        assert!(drains_stores(&[0x0f, 0xae, 0xf0])); // mfence
        assert!(drains_stores(&[0xf0, 0x83, 0x0c, 0x24, 0x00])); // lock orl $0,(%rsp)
        assert!(drains_stores(&[0x87, 0x07]));
        assert!(!drains_stores(&[0x89, 0x07]));
    }
}
