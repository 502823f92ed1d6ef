//! The works: what is done in one timed call, at which pace, and on which cores.

use std::time::Duration;

use Read::{All, One};

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
    pub(crate) sample: Sample,
    pub(crate) placement: Placement,
    pub(crate) group: Group,
}

/// What a call does. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Task {
    /// Nothing goes there, nothing comes back.
    Null,
    /// An array is read that lies in shared memory; the call names the array.
    Resident(Read, usize),
    /// The same, all of it, when the worker has never seen that memory.
    ResidentCold(usize),
    /// An ordinary array of the heap is handed over and read.
    Heap(Read, usize),
    /// The same, all of it, when neither side has memory from an earlier call.
    HeapCold(usize),
    /// An array of the heap is handed over, each element plus one comes back, and all of it is read.
    Returned(usize),
    /// One is added to each element of an array that lies in shared memory.
    InPlace(usize),
    /// The worker is started and does one null call.
    Spawn,
}

/// How much of an array the worker reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Read {
    /// One element, another one in each call.
    One,
    /// Every element, for the sum.
    All,
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sample {
    /// A call, from its beginning to its end.
    Call,
    /// [`N_CALLS_A_BATCH`] calls, of which others begin while some end: their time by their number,
    /// which is what a call takes of the time of all, and not how long anybody waits.
    Batch,
}

/// How many calls make one sample where the sample is a batch.
pub(crate) const N_CALLS_A_BATCH: u32 = 4096;

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
        sample: Sample::Call,
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

const fn in_flight(name: &'static str, n_in_flight: usize, sample: Sample) -> Work {
    Work {
        n_in_flight,
        sample,
        ..null(name)
    }
}

const fn array(name: &'static str, task: Task) -> Work {
    let group = match task {
        Task::Null | Task::Spawn => Group::Null,
        Task::Resident(..) | Task::ResidentCold(_) | Task::InPlace(_) => Group::Resident,
        Task::Heap(..) | Task::HeapCold(_) | Task::Returned(_) => Group::Heap,
    };
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
    in_flight("null 16 in flight", 16, Sample::Batch),
    in_flight("null 16 in flight latency", 16, Sample::Call),
    in_flight("null 256 in flight", 256, Sample::Batch),
    in_flight("null 256 in flight latency", 256, Sample::Call),
    in_flight("null 1024 in flight", 1024, Sample::Batch),
    in_flight("null 1024 in flight latency", 1024, Sample::Call),
    array("4KiB resident one", Task::Resident(One, 4 * KIB)),
    array("1MiB resident one", Task::Resident(One, MIB)),
    array("64MiB resident one", Task::Resident(One, 64 * MIB)),
    array("4KiB resident sum", Task::Resident(All, 4 * KIB)),
    array("1MiB resident sum", Task::Resident(All, MIB)),
    array("64MiB resident sum", Task::Resident(All, 64 * MIB)),
    array("4KiB resident cold", Task::ResidentCold(4 * KIB)),
    array("1MiB resident cold", Task::ResidentCold(MIB)),
    array("64MiB resident cold", Task::ResidentCold(64 * MIB)),
    array("4KiB in place", Task::InPlace(4 * KIB)),
    array("1MiB in place", Task::InPlace(MIB)),
    array("64MiB in place", Task::InPlace(64 * MIB)),
    array("4KiB heap one", Task::Heap(One, 4 * KIB)),
    array("1MiB heap one", Task::Heap(One, MIB)),
    array("64MiB heap one", Task::Heap(One, 64 * MIB)),
    array("4KiB heap sum", Task::Heap(All, 4 * KIB)),
    array("1MiB heap sum", Task::Heap(All, MIB)),
    array("64MiB heap sum", Task::Heap(All, 64 * MIB)),
    array("4KiB cold", Task::HeapCold(4 * KIB)),
    array("1MiB cold", Task::HeapCold(MIB)),
    array("64MiB cold", Task::HeapCold(64 * MIB)),
    array("4KiB heap returned", Task::Returned(4 * KIB)),
    array("1MiB heap returned", Task::Returned(MIB)),
    array("64MiB heap returned", Task::Returned(64 * MIB)),
    array("spawn", Task::Spawn),
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
            Self::Resident(_, n_bytes)
            | Self::ResidentCold(n_bytes)
            | Self::Heap(_, n_bytes)
            | Self::HeapCold(n_bytes)
            | Self::Returned(n_bytes)
            | Self::InPlace(n_bytes) => n_bytes,
        }
    }
}
