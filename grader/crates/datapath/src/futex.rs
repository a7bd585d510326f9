//! Counts calls of futex(2), which the C library makes for semaphores and the kernel counts nowhere.
//!
//! A filter turns each call of this process and of its children into SIGSYS, and the handler of that
//! signal counts the call and makes it. Both happen in the process itself: no third process has to
//! be scheduled in between, as a tracer would have to be, and any user may do it. It is still too
//! slow for a measurement of time.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Calls of this process: after fork(2) each has its own copy.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// The handler's own calls have this bit in the second argument. The filter lets them through, and
/// the kernel, for which the operation is a number of 32 bits, does not see it.
const OURS: u64 = 1 << 32;

/// The upper half of an argument.
const UPPER: u64 = !0 << 32;

/// What has been counted so far in this process.
pub(crate) fn calls() -> u64 {
    CALLS.load(Ordering::Relaxed)
}

/// Counts from now on, in this thread and in what it forks. There is no way back.
///
/// # Errors
/// That filters are not permitted here, or that the processor is of a kind unknown to this file.
pub(crate) fn count() -> io::Result<()> {
    if !registers::ARE_KNOWN {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let filter = filter().map_err(io::Error::other)?;
    let handler = SigHandler::SigAction(on_futex);
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler makes one system call and touches nothing but a counter, errno, which it
    // puts back, and the registers that it is handed.
    unsafe { sigaction(Signal::SIGSYS, &action) }?;
    seccompiler::apply_filter(&filter).map_err(io::Error::other)
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let is_unmarked =
        SeccompCondition::new(1, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(UPPER), 0)?;
    let rules = [(libc::SYS_futex, vec![SeccompRule::new(vec![is_unmarked])?])];
    SeccompFilter::new(
        rules.into(),
        SeccompAction::Allow,
        SeccompAction::Trap,
        std::env::consts::ARCH.try_into()?,
    )?
    .try_into()
}

extern "C" fn on_futex(_: libc::c_int, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    CALLS.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the kernel hands every handler with SA_SIGINFO the context of its thread, and errno
    // is this thread's own.
    let (context, errno) = unsafe {
        (
            &mut *context.cast::<libc::ucontext_t>(),
            &mut *libc::__errno_location(),
        )
    };
    let saved = *errno;
    let [word, operation, value, timeout, word_2, value_3] = registers::arguments(context);
    let operation = operation as u64 | OURS;
    // SAFETY: the call that the process was about to make, with its own arguments.
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word,
            operation,
            value,
            timeout,
            word_2,
            value_3,
        )
    };
    // The kernel's way to say it, as the interrupted code expects it in its register.
    registers::set_result(
        context,
        if result < 0 {
            -i64::from(*errno)
        } else {
            result
        },
    );
    *errno = saved;
}

#[cfg(target_arch = "x86_64")]
mod registers {
    //! Where x86-64 has a call's arguments and result.

    use libc::{REG_R8, REG_R9, REG_R10, REG_RAX, REG_RDI, REG_RDX, REG_RSI, ucontext_t};

    pub(super) const ARE_KNOWN: bool = true;

    const ARGUMENTS: [libc::c_int; 6] = [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9];

    pub(super) fn arguments(context: &ucontext_t) -> [i64; 6] {
        ARGUMENTS.map(|register| context.uc_mcontext.gregs[register as usize])
    }

    pub(super) fn set_result(context: &mut ucontext_t, result: i64) {
        context.uc_mcontext.gregs[REG_RAX as usize] = result;
    }
}

#[cfg(target_arch = "aarch64")]
mod registers {
    //! Where AArch64 has a call's arguments and result.

    use libc::ucontext_t;

    pub(super) const ARE_KNOWN: bool = true;

    pub(super) fn arguments(context: &ucontext_t) -> [i64; 6] {
        std::array::from_fn(|n| context.uc_mcontext.regs[n].cast_signed())
    }

    pub(super) fn set_result(context: &mut ucontext_t, result: i64) {
        context.uc_mcontext.regs[0] = result.cast_unsigned();
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod registers {
    //! Another processor, whose registers nobody has written down here yet.

    use libc::ucontext_t;

    pub(super) const ARE_KNOWN: bool = false;

    pub(super) fn arguments(_: &ucontext_t) -> [i64; 6] {
        [0; 6]
    }

    pub(super) fn set_result(_: &mut ucontext_t, _: i64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One call of futex(2) that does not sleep: its result, or the error.
    fn futex(word: &u32, operation: libc::c_int, value: u32) -> io::Result<i64> {
        let none = std::ptr::null::<libc::timespec>();
        // SAFETY: the word is valid, and none of these operations looks at more than it and `none`.
        let result = unsafe { libc::syscall(libc::SYS_futex, word, operation, value, none) };
        match result {
            0.. => Ok(result),
            _ => Err(io::Error::last_os_error()),
        }
    }

    #[test]
    fn every_call_is_counted_and_answers_as_if_nobody_counted() {
        count().unwrap();
        let word = 7;
        let before = calls();
        for _ in 0..5 {
            assert_eq!(futex(&word, libc::FUTEX_WAKE, 1).unwrap(), 0);
        }
        let error = futex(&word, libc::FUTEX_WAIT, 8).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        assert_eq!(calls() - before, 6);
    }
}
