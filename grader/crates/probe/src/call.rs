//! Names, arguments and values as they travel: a list of byte strings.

use std::fmt::Display;
use std::os::fd::BorrowedFd;
use std::str::FromStr;

/// Arguments of a call or values of an answer, in order. Numbers travel as decimal text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub(crate) Vec<Vec<u8>>);

impl Fields {
    /// No fields yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds raw bytes.
    pub fn bytes(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.0.push(bytes.as_ref().to_vec());
        self
    }

    /// Adds a number, a flag or a text.
    pub fn value(self, value: impl Display) -> Self {
        self.bytes(value.to_string())
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The raw bytes of field `index`; nothing if there is no such field.
    pub fn get(&self, index: usize) -> &[u8] {
        self.0.get(index).map_or(&[], Vec::as_slice)
    }

    /// Field `index` as a number, a flag or a text, if it is one.
    pub fn parse<T: FromStr>(&self, index: usize) -> Option<T> {
        std::str::from_utf8(self.get(index)).ok()?.parse().ok()
    }
}

/// One call as the probe sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub(crate) name: String,
    pub(crate) args: Fields,
}

impl Call {
    /// Which function to call.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Argument `index` as raw bytes.
    pub fn bytes(&self, index: usize) -> &[u8] {
        self.args.get(index)
    }

    /// Argument `index` as a number, a flag or a text.
    ///
    /// # Panics
    /// If the test sent something else: a mistake in the test, seen at its first run.
    pub fn value<T: FromStr>(&self, index: usize) -> T {
        self.args
            .parse(index)
            .unwrap_or_else(|| panic!("argument {index} of {} does not parse", self.name))
    }

    /// Argument `index` as a descriptor that the test gave to this process at start.
    pub fn fd(&self, index: usize) -> BorrowedFd<'static> {
        // SAFETY: the test passes descriptors at fixed numbers and never asks the probe to close
        // one that it names again later.
        unsafe { BorrowedFd::borrow_raw(self.value(index)) }
    }
}
