//! Names the step at which setting up a box failed.

use std::io;

use nix::errno::Errno;

/// A step of setting up a box, and what the kernel said to it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{step}: {errno}")]
pub struct StepError {
    /// What was tried, such as "mount proc".
    pub step: String,
    /// The kernel's answer.
    pub errno: Errno,
}

/// Gives an error the name of the step it happened at.
pub(crate) trait AtStep<T> {
    fn at(self, step: impl Into<String>) -> Result<T, StepError>;
}

impl<T> AtStep<T> for nix::Result<T> {
    fn at(self, step: impl Into<String>) -> Result<T, StepError> {
        self.map_err(|errno| StepError {
            step: step.into(),
            errno,
        })
    }
}

impl<T> AtStep<T> for io::Result<T> {
    fn at(self, step: impl Into<String>) -> Result<T, StepError> {
        self.map_err(|error| StepError {
            step: step.into(),
            errno: error.raw_os_error().map_or(Errno::EIO, Errno::from_raw),
        })
    }
}
