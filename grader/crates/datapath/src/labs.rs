//! The labs whose functions move the bytes. The only place that names them: the solutions' packages,
//! or with the feature `student` those that students fill in.

#[cfg(not(feature = "student"))]
pub(crate) use {pipes_solution as pipes, shm_solution as shm};

#[cfg(feature = "student")]
#[expect(
    clippy::single_component_path_imports,
    reason = "they are named through this module, whoever wrote them"
)]
pub(crate) use {pipes, shm};
