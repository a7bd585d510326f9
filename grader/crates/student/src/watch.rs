//! `watch`: check again at every save, on a full screen.
pub(crate) fn run(_: &crate::cli::WatchArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("x")
}
