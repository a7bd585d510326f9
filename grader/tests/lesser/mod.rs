//! A machine that gives less than this one: no namespaces for anybody, as in most containers.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

/// Runs a command there.
pub(crate) fn run(command: &mut Command) -> Output {
    let has_flag = |flag: libc::c_int| {
        let flag = u64::from(flag.cast_unsigned());
        let operator = SeccompCmpOp::MaskedEq(flag);
        let condition = SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, flag);
        SeccompRule::new(vec![condition.expect("a condition")]).expect("a rule")
    };
    let flags = [
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWNS,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWNET,
    ];
    let refused = BTreeMap::from([
        (libc::SYS_clone, flags.map(has_flag).to_vec()),
        (libc::SYS_unshare, Vec::new()),
    ]);
    // Its flags are out of a filter's sight; without it, libraries take clone.
    let missing = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let filters = [(refused, libc::EPERM), (missing, libc::ENOSYS)].map(|(rules, errno)| {
        let refuse = SeccompAction::Errno(errno.cast_unsigned());
        let arch = std::env::consts::ARCH
            .try_into()
            .expect("a known architecture");
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch);
        let program: Result<BpfProgram, _> = filter.expect("a filter").try_into();
        program.expect("a program")
    });
    let lessen = move || {
        for filter in &filters {
            seccompiler::apply_filter(filter).map_err(io::Error::other)?;
        }
        Ok(())
    };
    // SAFETY: system calls on what was made before the fork; they allocate only when they fail,
    // and the test has failed then.
    unsafe { command.pre_exec(lessen) };
    command.output().expect("it starts")
}
