//! One file a command: arguments in, exit code out.

pub(crate) mod attacks;
pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod grade;
pub(crate) mod helper;
pub(crate) mod levels;
pub(crate) mod publish;
pub(crate) mod reference;
pub(crate) mod report;
pub(crate) mod student;
pub(crate) mod verify;
