//! What is called.

use reedbed::remote_module;

/// Functions on arrays, which come and go in both ways.
#[remote_module]
pub(crate) mod arrays {
    use reedbed::ndarray::{Array1, ArrayView1, Ix1};
    use reedbed::{ShmExhausted, Tensor};

    /// Does nothing.
    pub fn nothing() {}

    /// Adds all elements up.
    pub fn sum(#[ndarray] numbers: ArrayView1<'_, u64>) -> u64 {
        numbers.sum()
    }

    /// Makes an array of the heap, which travels in the frame if it is small.
    pub fn in_heap(len: usize) -> Array1<u64> {
        Array1::from_elem(len, 1)
    }

    /// Makes the same array and copies it to shared memory, from which it travels by handle.
    pub fn in_segment(len: usize) -> Result<Tensor<u64, Ix1>, String> {
        let message = |error: ShmExhausted| error.to_string();
        Tensor::copy_of(&Array1::from_elem(len, 1)).map_err(message)
    }
}

/// What computes.
#[remote_module]
pub(crate) mod computed {
    use std::fs;
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use rustix::process::Pid;
    use rustix::thread::{CpuSet, sched_setaffinity};

    /// Computes for so many steps, on a thread of its own.
    #[reedbed(blocking)]
    pub fn compute(n_steps: u64) -> u64 {
        steps(n_steps)
    }

    /// Has all threads of this process, and those they start, run on these cores alone.
    pub fn bind(cpus: &[usize]) -> Result<(), String> {
        let mut set = CpuSet::new();
        cpus.iter().for_each(|cpu| set.set(*cpu));
        let threads = fs::read_dir("/proc/self/task").map_err(|error| error.to_string())?;
        for thread in threads {
            let name = thread.map_err(|error| error.to_string())?.file_name();
            let number = name.to_string_lossy().parse().ok();
            let thread = number.and_then(Pid::from_raw);
            sched_setaffinity(thread, &set).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// How many steps take so long on a core that nobody else uses.
    pub(crate) fn steps_in(time: Duration) -> u64 {
        const STEPS: u32 = 1_000_000;

        let took = (0..20).map(|_| {
            let since = Instant::now();
            black_box(steps(STEPS.into()));
            since.elapsed()
        });
        let fastest = took.min().unwrap_or_default().as_nanos().max(1);
        u64::try_from(time.as_nanos() * u128::from(STEPS) / fastest).unwrap_or(u64::MAX)
    }

    fn steps(n: u64) -> u64 {
        // A linear congruential generator, each step of which needs the one before.
        (0..n).fold(1, |state: u64, _| {
            black_box(
                state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1),
            )
        })
    }
}
