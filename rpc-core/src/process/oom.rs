//! Kills for lack of memory, told apart from others.
//!
//! The kernel's out-of-memory killer sends SIGKILL like anybody else. But it counts, for each control
//! group, the processes of it that it has killed; and it does so before it sends the signal.

use std::path::PathBuf;

use crate::cgroup::MemoryGroup;

/// Watches the kills in a worker's control group.
#[derive(Debug)]
pub(super) struct OomWatch {
    pid: u32,
    group: Option<(MemoryGroup, u64)>,
}

impl OomWatch {
    /// Begins to watch a process that was just started.
    pub(super) fn of(pid: u32) -> Self {
        let group = None;
        let mut watch = Self { pid, group };
        watch.look_again();
        watch
    }

    /// Notes that the process may have moved to another group since: a shell that started it, or its
    /// own code, can have done that.
    pub(super) fn look_again(&mut self) {
        let found = MemoryGroup::of(self.pid);
        let is_known = |(known, _): &(MemoryGroup, u64)| Some(known) == found.as_ref();
        if !self.group.as_ref().is_some_and(is_known) {
            self.group = found.and_then(|group| {
                let n_kills = group.n_oom_kills()?;
                Some((group, n_kills))
            });
        }
    }

    /// Returns the group, if the kernel has killed a process of it since. Of a group with several
    /// processes, it may have been a neighbour; so ask only about a process that SIGKILL has ended.
    pub(super) fn has_killed(&self) -> Option<PathBuf> {
        let (group, before) = self.group.as_ref()?;
        (group.n_oom_kills()? > *before).then(|| group.path().to_owned())
    }
}
