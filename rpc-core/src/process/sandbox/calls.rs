//! Which system calls a sandboxed worker may make, by seccomp.
//!
//! Two filters, of which the stricter answer counts. The first is a list of what programs compute
//! with; whatever isn't on it, or isn't known yet, is *not implemented*, for which libraries have
//! another way (`ENOSYS`). The second refuses what would reach out of the process, in a way that
//! programs understand (`EPERM`): calls that are of no use to anybody who computes, and calls that are
//! needed with other arguments. Nothing is killed for trying.
//!
//! A filter sees numbers, not memory. So it can't tell what a path is, nor the flags of `clone3`,
//! which isn't on the list for that reason.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::Sandbox;
use super::error::SandboxError;

/// What programs compute with.
const ALLOWED: &[c_long] = &[
    // memory
    libc::SYS_brk,
    libc::SYS_get_mempolicy,
    libc::SYS_madvise,
    libc::SYS_mbind,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_mincore,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_mseal,
    libc::SYS_msync,
    libc::SYS_munlock,
    libc::SYS_munmap,
    libc::SYS_pkey_alloc,
    libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect,
    libc::SYS_set_mempolicy,
    // what is open
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_copy_file_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_fadvise64,
    libc::SYS_fallocate,
    libc::SYS_fchmod,
    libc::SYS_fcntl,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_getdents64,
    libc::SYS_ioctl,
    libc::SYS_lseek,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pselect6,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readahead,
    libc::SYS_readv,
    libc::SYS_sendfile,
    libc::SYS_signalfd4,
    libc::SYS_splice,
    libc::SYS_sync_file_range,
    libc::SYS_tee,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    libc::SYS_write,
    libc::SYS_writev,
    // files, of which landlock says which
    libc::SYS_chdir,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_fchdir,
    libc::SYS_getcwd,
    libc::SYS_mkdirat,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_readlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statfs,
    libc::SYS_statx,
    libc::SYS_symlinkat,
    libc::SYS_truncate,
    libc::SYS_umask,
    libc::SYS_unlinkat,
    // the channel
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_socketpair,
    // threads, and this process
    libc::SYS_capget,
    libc::SYS_clone,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_getcpu,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getpgid,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getpriority,
    libc::SYS_getrandom,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrusage,
    libc::SYS_getsid,
    libc::SYS_gettid,
    libc::SYS_getuid,
    libc::SYS_kill,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_restrict_self,
    libc::SYS_prctl,
    libc::SYS_prlimit64,
    libc::SYS_restart_syscall,
    libc::SYS_rseq,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getattr,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_yield,
    libc::SYS_seccomp,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_sigaltstack,
    libc::SYS_sysinfo,
    libc::SYS_tgkill,
    libc::SYS_times,
    libc::SYS_uname,
    libc::SYS_wait4,
    libc::SYS_waitid,
    // time
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_getitimer,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_setitimer,
    libc::SYS_timer_create,
    libc::SYS_timer_delete,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_gettime,
    libc::SYS_timer_settime,
];

/// The same under the names that only older processors have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_alarm,
    libc::SYS_arch_prctl,
    libc::SYS_creat,
    libc::SYS_dup2,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_fork,
    libc::SYS_getdents,
    libc::SYS_getpgrp,
    libc::SYS_getrlimit,
    libc::SYS_lstat,
    libc::SYS_mkdir,
    libc::SYS_open,
    libc::SYS_pause,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_select,
    libc::SYS_signalfd,
    libc::SYS_stat,
    libc::SYS_symlink,
    libc::SYS_time,
    libc::SYS_unlink,
    libc::SYS_vfork,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[c_long] = &[];

/// What reaches out of the process, whatever its arguments. (The list above has none of it; here it
/// gets an answer that says no.)
const REFUSED: &[c_long] = &[
    // networks, and processes of this machine
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_listen,
    libc::SYS_setsockopt,
    libc::SYS_socket,
    // other processes
    libc::SYS_get_robust_list,
    libc::SYS_ioprio_set,
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_setpriority,
    libc::SYS_tkill,
    // what is named for all, and outlives its maker
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgctl,
    libc::SYS_msgget,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_request_key,
    libc::SYS_semctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmget,
    // files, in ways that landlock doesn't see
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_inotify_add_watch,
    libc::SYS_linkat,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_mknodat,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_removexattr,
    libc::SYS_setxattr,
    libc::SYS_utimensat,
    // mounts and namespaces
    libc::SYS_chroot,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_umount2,
    libc::SYS_unshare,
    // who this process is
    libc::SYS_capset,
    libc::SYS_personality,
    libc::SYS_setfsgid,
    libc::SYS_setfsuid,
    libc::SYS_setgid,
    libc::SYS_setgroups,
    libc::SYS_setregid,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    libc::SYS_setreuid,
    libc::SYS_setuid,
    // large parts of the kernel that computing doesn't need
    libc::SYS_acct,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_io_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_memfd_secret,
    libc::SYS_perf_event_open,
    libc::SYS_reboot,
    libc::SYS_remap_file_pages,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    libc::SYS_vmsplice,
];

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_futimesat,
    libc::SYS_ioperm,
    libc::SYS_iopl,
    libc::SYS_kexec_file_load,
    libc::SYS_lchown,
    libc::SYS_link,
    libc::SYS_mknod,
    libc::SYS_modify_ldt,
    libc::SYS_utime,
    libc::SYS_utimes,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[c_long] = &[];

/// Commands of `fcntl` that have the kernel signal others, hold files of others up, or change what it
/// keeps of a file for all who have it open.
const REFUSED_COMMANDS: [u32; 6] = [
    8,    // F_SETOWN
    15,   // F_SETOWN_EX
    1024, // F_SETLEASE
    1026, // F_NOTIFY
    1036, // F_SET_RW_HINT
    1038, // F_SET_FILE_RW_HINT
];

/// Requests of `ioctl` that programs compute with: what is to be read, who inherits it, whether it is a
/// terminal, and a copy into a file that is open for writing. Any other is refused. Each file system
/// and driver has its own, among which are those that change the attributes of a file that is open for
/// reading, type into a terminal, or have the kernel signal others.
const ALLOWED_REQUESTS: [u32; 8] = [
    0x5401,      // TCGETS
    0x802c_542a, // TCGETS2
    0x5413,      // TIOCGWINSZ
    0x541b,      // FIONREAD
    0x5421,      // FIONBIO
    0x5450,      // FIONCLEX
    0x5451,      // FIOCLEX
    0x4004_9409, // FICLONE
];

/// The bits of a socket's type that aren't flags.
const TYPE_OF_SOCKET: u64 = 0xf;

/// The bits of a mode that have a program run as its file's owner or group, whoever runs it.
const RUN_AS_OWNER: [libc::mode_t; 2] = [libc::S_ISUID, libc::S_ISGID];

/// What `clone` can make that isn't the worker's own: namespaces, and children of its host's, which
/// nobody would wait for.
const NOT_ITS_OWN: [libc::c_int; 8] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_PARENT,
];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// The filters of a worker in `sandbox`, for this process, in the order in which they are applied.
pub(super) fn filters(sandbox: &Sandbox) -> Result<[BpfProgram; 2], SandboxError> {
    let allowed = ALLOWED.iter().chain(ALLOWED_HERE);
    let mut allowed: Rules = allowed.map(|call| (*call, Vec::new())).collect();
    if !sandbox.execute.is_empty() {
        // Whoever starts processes waits for them in this way.
        allowed.insert(libc::SYS_pidfd_open, Vec::new());
    }
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    // A peer of the second's answer: where both have one, that of the filter applied last counts.
    Ok([
        filter(allowed, unknown, SeccompAction::Allow)?,
        refusing(refused(sandbox)?)?,
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

fn refused(sandbox: &Sandbox) -> Result<Rules, SandboxError> {
    use SeccompCmpOp::{Eq, MaskedEq, Ne};

    let always = REFUSED.iter().chain(REFUSED_HERE);
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
    rules.insert(libc::SYS_fcntl, one_of(&REFUSED_COMMANDS)?);
    let none_of_these = ALLOWED_REQUESTS.map(|request| on(1, Ne, u64::from(request)));
    rules.insert(libc::SYS_ioctl, vec![all(none_of_these.into())?]);
    let one_with = |argument, bit: u64| all(vec![on(argument, MaskedEq(bit), bit)]);
    let run_as_owner = RUN_AS_OWNER.iter().map(|bit| one_with(1, (*bit).into()));
    let modes = match sandbox.write.is_empty() {
        true => Vec::new(),
        false => run_as_owner.collect::<Result<_, _>>()?,
    };
    rules.insert(libc::SYS_fchmod, modes);
    let not_its_own = NOT_ITS_OWN
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
        let refused: Vec<_> = REFUSED.iter().chain(REFUSED_HERE).collect();
        for call in ALLOWED.iter().chain(ALLOWED_HERE) {
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
