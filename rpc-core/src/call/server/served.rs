//! The functions of a worker's modules, by number.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::call::module::{Function, Module};
use crate::numbered::Numbered;
use crate::wire::handshake::ServedModule;
use crate::wire::schema::ModuleSchema;

/// A function, and how long it takes.
#[derive(Debug)]
struct Entry {
    function: Function,
    pace: Pace,
}

/// How long a function runs, by what was measured of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// In nanoseconds, and 0 if nothing is known.
    time: AtomicU32,
    n_calls: AtomicU32,
}

/// A function that takes no longer than this is *short*: others wait for it rather than for a thread
/// to be woken.
const SHORT: Duration = Duration::from_micros(20);
/// A function that is known to be short is measured in one of so many calls.
const ONE_IN: u32 = 16;

impl Pace {
    /// Tells whether the function is known to be short.
    pub(super) fn is_short(&self) -> bool {
        let time = self.time.load(Ordering::Relaxed);
        time > 0 && Duration::from_nanos(time.into()) < SHORT
    }

    /// Runs the function, or a part of it, and now and then measures how long that takes.
    pub(super) fn measure<T>(&self, run: impl FnOnce() -> T) -> T {
        let n_calls = self.n_calls.load(Ordering::Relaxed).wrapping_add(1);
        self.n_calls.store(n_calls, Ordering::Relaxed);
        if self.is_short() && !n_calls.is_multiple_of(ONE_IN) {
            return run();
        }
        let began = Instant::now();
        let value = run();
        self.note(began.elapsed());
        value
    }

    fn note(&self, time: Duration) {
        let time = u32::try_from(time.as_nanos()).unwrap_or(u32::MAX).max(1);
        let before = self.time.load(Ordering::Relaxed);
        let time = match before {
            0 => time,
            before => before - before / 4 + time / 4,
        };
        self.time.store(time.max(1), Ordering::Relaxed);
    }

    /// Notes that the function keeps a thread for longer than was thought.
    pub(super) fn note_stuck(&self) {
        self.time.store(u32::MAX, Ordering::Relaxed);
    }
}

/// What a worker serves.
#[derive(Debug)]
pub(crate) struct Served {
    functions: Numbered<Entry>,
    pub(super) schemas: Vec<ModuleSchema>,
}

impl Served {
    /// Lists the functions of all modules.
    ///
    /// # Errors
    /// Two modules of one name, or two functions of one number.
    pub(crate) fn new(modules: &[Module]) -> Result<Self, String> {
        let mut served = Self {
            functions: Numbered::default(),
            schemas: Vec::new(),
        };
        for module in modules {
            if served
                .schemas
                .iter()
                .any(|schema| schema.name == module.name)
            {
                return Err(format!(
                    "two modules are called `{}`; rename one",
                    module.name
                ));
            }
            served.schemas.push((module.schema)());
            for function in (module.functions)() {
                let method = function.method;
                let pace = Pace::default();
                let entry = Entry { function, pace };
                if let Some(Entry {
                    function: other, ..
                }) = served.functions.insert(method.id, entry)
                {
                    return Err(format!(
                        "functions `{}::{}` and `{}::{}` have the same number; rename one",
                        method.module, method.function, other.method.module, other.method.function
                    ));
                }
            }
        }
        Ok(served)
    }

    /// Finds a function by its number.
    pub(super) fn function(&self, number: u64) -> Option<&Function> {
        self.functions.get(&number).map(|entry| &entry.function)
    }

    /// How long a function takes.
    pub(super) fn pace(&self, number: u64) -> Option<&Pace> {
        self.functions.get(&number).map(|entry| &entry.pace)
    }

    /// Tells whether a function is known to be short.
    pub(super) fn is_short(&self, number: u64) -> bool {
        self.pace(number).is_some_and(Pace::is_short)
    }

    /// Runs a function, or a part of it, and now and then measures how long that takes.
    pub(super) fn measure<T>(&self, number: u64, run: impl FnOnce() -> T) -> T {
        match self.pace(number) {
            Some(pace) => pace.measure(run),
            None => run(),
        }
    }

    /// The modules, for the handshake.
    pub(crate) fn list(&self) -> Vec<ServedModule> {
        let entry = |schema: &ModuleSchema| ServedModule {
            name: schema.name.clone(),
            schema: schema.hash(),
        };
        self.schemas.iter().map(entry).collect()
    }
}
