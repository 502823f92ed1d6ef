//! The works: what is done in one timed call, at which pace, and on which cores.

use std::time::Duration;

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;

/// A row of the results, for every system that can do it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Work {
    pub(crate) name: &'static str,
    pub(crate) task: Task,
    pub(crate) pace: Pace,
    /// How many calls are under way at once.
    pub(crate) n_in_flight: usize,
    pub(crate) placement: Placement,
    pub(crate) group: Group,
}

/// What a call does. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Task {
    /// Nothing goes there, nothing comes back.
    Null,
    /// One element is read of an array that lies in shared memory; the call names the array.
    One(usize),
    /// An ordinary array of the heap is handed over and summed.
    Sum(usize),
    /// The same, when neither side has memory from an earlier call.
    Cold(usize),
    /// An array of the heap is handed over, each element plus one comes back, and all of it is read.
    Returned(usize),
    /// One is added to each element of an array that lies in shared memory.
    InPlace(usize),
    /// The worker is started and does one null call.
    Spawn,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    BackToBack,
    Every(Duration),
}

/// Where the two processes run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Placement {
    /// Where the scheduler puts them.
    Free,
    /// Both on one core.
    OneCore,
    /// Each on one of its own.
    TwoCores,
    /// Where the scheduler puts them, beside two processes that always compute.
    Competing,
}

/// Works that are shown in one plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Group {
    Null,
    Resident,
    Heap,
}

impl Group {
    pub(crate) const ALL: [Self; 3] = [Self::Null, Self::Resident, Self::Heap];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Null => "A call that does nothing",
            Self::Resident => "An array that lies in shared memory",
            Self::Heap => "An array of the heap",
        }
    }

    /// The file of its plot, without the ending.
    pub(crate) fn file(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Resident => "resident",
            Self::Heap => "heap",
        }
    }
}

const fn null(name: &'static str) -> Work {
    Work {
        name,
        task: Task::Null,
        pace: Pace::BackToBack,
        n_in_flight: 1,
        placement: Placement::Free,
        group: Group::Null,
    }
}

const fn paced(name: &'static str, milliseconds: u64) -> Work {
    Work {
        pace: Pace::Every(Duration::from_millis(milliseconds)),
        ..null(name)
    }
}

const fn placed(name: &'static str, placement: Placement) -> Work {
    Work {
        placement,
        ..null(name)
    }
}

const fn in_flight(name: &'static str, n_in_flight: usize) -> Work {
    Work {
        n_in_flight,
        ..null(name)
    }
}

const fn array(name: &'static str, group: Group, task: Task) -> Work {
    Work {
        task,
        group,
        ..null(name)
    }
}

/// All works, in the order of the results.
pub(crate) const ALL: &[Work] = &[
    null("null"),
    paced("null 1ms", 1),
    paced("null 20ms", 20),
    placed("null one core", Placement::OneCore),
    placed("null two cores", Placement::TwoCores),
    placed("null competing", Placement::Competing),
    in_flight("null 16 in flight", 16),
    in_flight("null 256 in flight", 256),
    in_flight("null 1024 in flight", 1024),
    array("4KiB resident one", Group::Resident, Task::One(4 * KIB)),
    array("1MiB resident one", Group::Resident, Task::One(MIB)),
    array("64MiB resident one", Group::Resident, Task::One(64 * MIB)),
    array("4KiB in place", Group::Resident, Task::InPlace(4 * KIB)),
    array("1MiB in place", Group::Resident, Task::InPlace(MIB)),
    array("64MiB in place", Group::Resident, Task::InPlace(64 * MIB)),
    array("4KiB heap sum", Group::Heap, Task::Sum(4 * KIB)),
    array("1MiB heap sum", Group::Heap, Task::Sum(MIB)),
    array("64MiB heap sum", Group::Heap, Task::Sum(64 * MIB)),
    array("64MiB cold", Group::Heap, Task::Cold(64 * MIB)),
    array("4KiB heap returned", Group::Heap, Task::Returned(4 * KIB)),
    array("1MiB heap returned", Group::Heap, Task::Returned(MIB)),
    array("64MiB heap returned", Group::Heap, Task::Returned(64 * MIB)),
    array("spawn", Group::Null, Task::Spawn),
];

/// What `--quick` measures.
pub(crate) const QUICK: [&str; 3] = ["null", "64MiB resident one", "64MiB heap sum"];

/// The work of that name.
pub(crate) fn named(name: &str) -> Option<Work> {
    ALL.iter().copied().find(|work| work.name == name)
}

impl Task {
    /// The size of its array.
    pub(crate) fn n_bytes(self) -> usize {
        match self {
            Self::Null | Self::Spawn => 0,
            Self::One(n_bytes)
            | Self::Sum(n_bytes)
            | Self::Cold(n_bytes)
            | Self::Returned(n_bytes)
            | Self::InPlace(n_bytes) => n_bytes,
        }
    }
}
