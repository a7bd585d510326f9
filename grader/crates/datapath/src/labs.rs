//! The labs whose functions move the bytes. The only place that names them: the solutions' packages,
//! or with the feature `student` those that students fill in.

#[cfg(not(feature = "student"))]
pub(crate) use {pipes_solution as pipes, shm_solution as shm};

#[cfg(feature = "student")]
pub(crate) use {pipes, shm};
