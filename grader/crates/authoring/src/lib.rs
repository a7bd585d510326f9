//! From one hand-written solution to everything else that is made of it: the stub and the handout
//! that students get, the tree they clone, the wrong solutions that the hidden tests must catch and
//! the correct ones that they must pass.
//!
//! A repository is a [`tree::Tree`], a map from path to bytes, and almost everything here turns
//! one map into another, so that it can be tested without a disk. Only [`tree`] reads and writes
//! files. Nothing here starts a program, prints, or knows of submissions and marks.
//!
//! | to do this | look in |
//! |---|---|
//! | cut a solution out of a file, or keep it and drop the markers | [`markers`] |
//! | find the labs of a repository | [`lab`] |
//! | make one lab's folder | [`student`] |
//! | compare `labs/` with what `solutions/` makes of it | [`generate`] |
//! | write the tree that students clone | [`publish`] |
//! | look for what must not be in that tree | [`leaks`] |
//! | turn a patch into a wrong solution | [`wrong`] |
//! | read correct solutions other than the reference | [`correct`] |

pub mod correct;
pub mod generate;
pub mod lab;
pub mod leaks;
mod lockfile;
pub mod manifest;
pub mod markers;
pub mod names;
mod page;
pub mod publish;
mod published;
pub mod student;
pub mod tree;
mod workspace;
pub mod wrong;
