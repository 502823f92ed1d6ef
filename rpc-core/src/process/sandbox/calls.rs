//! Which system calls a sandboxed worker may make, by seccomp.
//!
//! Two filters, of which the stricter answer counts. The first is a list of what programs compute
//! with ([`allowed`]); whatever isn't on it, or isn't known yet, is *not implemented*, for which
//! libraries have another way (`ENOSYS`). The second refuses what would reach out of the process
//! ([`refused`]), in a way that programs understand (`EPERM`): calls that are of no use to anybody who
//! computes, and calls that are needed with other arguments. Nothing is killed for trying.
//!
//! A filter sees numbers, not memory. So it can't tell what a path is, nor the flags of `clone3`,
//! which isn't on the list for that reason.

mod allowed;
mod refused;

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::Sandbox;
use super::error::SandboxError;

/// The bits of a socket's type that aren't flags.
const TYPE_OF_SOCKET: u64 = 0xf;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The filters of a worker in `sandbox`, for this process, in the order in which they are applied.
pub(super) fn filters(sandbox: &Sandbox) -> Result<[BpfProgram; 2], SandboxError> {
    let allowed = allowed::CALLS.iter().chain(allowed::CALLS_HERE);
    let mut allowed: Rules = allowed.map(|call| (*call, Vec::new())).collect();
    if !sandbox.execute.is_empty() {
        // Whoever starts processes waits for them in this way.
        allowed.insert(libc::SYS_pidfd_open, Vec::new());
    }
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    // A peer of the second's answer: where both have one, that of the filter applied last counts.
    Ok([
        filter(allowed, unknown, SeccompAction::Allow)?,
        refusing(refusals(sandbox)?)?,
    ])
}

/// The filter that keeps a process what it is.
pub(super) fn no_other_program() -> Result<BpfProgram, SandboxError> {
    let calls = [libc::SYS_execve, libc::SYS_execveat];
    refusing(calls.map(|call| (call, Vec::new())).into())
}

fn refusing(rules: Rules) -> Result<BpfProgram, SandboxError> {
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    filter(rules, SeccompAction::Allow, refuse)
}

fn filter(
    rules: Rules,
    otherwise: SeccompAction,
    matching: SeccompAction,
) -> Result<BpfProgram, SandboxError> {
    let processor = std::env::consts::ARCH.try_into().map_err(unfit)?;
    let filter = SeccompFilter::new(rules, otherwise, matching, processor).map_err(unfit)?;
    filter.try_into().map_err(unfit)
}

fn refusals(sandbox: &Sandbox) -> Result<Rules, SandboxError> {
    use SeccompCmpOp::{Eq, MaskedEq, Ne};

    let always = refused::CALLS.iter().chain(refused::CALLS_HERE);
    let mut rules: Rules = always.map(|call| (*call, Vec::new())).collect();
    let own = u64::from(std::process::id());

    let another = || vec![on(0, Ne, 0), on(0, Ne, own)];
    for call in [libc::SYS_prlimit64, libc::SYS_sched_setaffinity] {
        rules.insert(call, vec![all(another())?]);
    }
    // What is not a stream can send to an address without being connected to it.
    let unix = u64::from(libc::AF_UNIX.unsigned_abs());
    let kind = |kind: libc::c_int| on(1, MaskedEq(TYPE_OF_SOCKET), kind.unsigned_abs().into());
    rules.insert(
        libc::SYS_socketpair,
        vec![
            all(vec![on(0, Ne, unix)])?,
            all(vec![kind(libc::SOCK_DGRAM)])?,
            all(vec![kind(libc::SOCK_RAW)])?,
        ],
    );
    let one_of = |values: &[u32]| {
        let rules = values
            .iter()
            .map(|value| all(vec![on(1, Eq, u64::from(*value))]));
        rules.collect::<Result<Vec<_>, _>>()
    };
    rules.insert(libc::SYS_fcntl, one_of(&refused::COMMANDS)?);
    let none_of_these = allowed::REQUESTS.map(|request| on(1, Ne, u64::from(request)));
    rules.insert(libc::SYS_ioctl, vec![all(none_of_these.into())?]);
    let one_with = |argument, bit: u64| all(vec![on(argument, MaskedEq(bit), bit)]);
    let run_as_owner = refused::RUN_AS_OWNER
        .iter()
        .map(|bit| one_with(1, (*bit).into()));
    let modes = match sandbox.write.is_empty() {
        true => Vec::new(),
        false => run_as_owner.collect::<Result<_, _>>()?,
    };
    rules.insert(libc::SYS_fchmod, modes);
    let not_its_own = refused::NOT_ITS_OWN
        .iter()
        .map(|flag| one_with(0, flag.unsigned_abs().into()));
    let mut clones: Vec<_> = not_its_own.collect::<Result<_, _>>()?;

    if sandbox.execute.is_empty() {
        let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
        clones.push(all(vec![on(0, MaskedEq(thread), 0)])?);
        #[cfg(target_arch = "x86_64")]
        for call in [libc::SYS_fork, libc::SYS_vfork] {
            rules.insert(call, Vec::new());
        }
        for call in [
            libc::SYS_kill,
            libc::SYS_tgkill,
            libc::SYS_rt_sigqueueinfo,
            libc::SYS_rt_tgsigqueueinfo,
        ] {
            rules.insert(call, vec![all(vec![on(0, Ne, own)])?]);
        }
    }
    // Otherwise, whom it may signal is landlock's to say: its own processes.
    rules.insert(libc::SYS_clone, clones);
    Ok(rules)
}

/// A comparison of an argument, of which the lower half counts, as it does for the kernel: all of these
/// are `int`s, or flags below 2^32.
fn on(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

fn all(
    conditions: Vec<Result<SeccompCondition, seccompiler::BackendError>>,
) -> Result<SeccompRule, SandboxError> {
    let conditions = conditions.into_iter().collect::<Result<_, _>>();
    SeccompRule::new(conditions.map_err(unfit)?).map_err(unfit)
}

pub(super) fn unfit(error: impl std::fmt::Display) -> SandboxError {
    SandboxError::Seccomp(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_is_both_allowed_and_refused() {
        let refused: Vec<_> = refused::CALLS.iter().chain(refused::CALLS_HERE).collect();
        for call in allowed::CALLS.iter().chain(allowed::CALLS_HERE) {
            assert!(!refused.contains(&call), "system call {call}");
        }
    }

    #[test]
    fn filters_are_programs_that_the_kernel_takes() {
        for sandbox in [Sandbox::new(), Sandbox::new().execute("/bin")] {
            let [allowing, refusing] = filters(&sandbox).unwrap();
            assert!(allowing.len() < 4096 && refusing.len() < 4096);
        }
        assert!(!no_other_program().unwrap().is_empty());
    }
}
