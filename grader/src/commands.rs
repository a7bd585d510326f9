//! One file a command: arguments in, exit code out.

pub(crate) mod attacks;
pub(crate) mod doctor;
pub(crate) mod grade;
pub(crate) mod helper;
pub(crate) mod publish;
pub(crate) mod student;
pub(crate) mod verify;
