//! Ways in which a test worker's process ends.

use reedbed::remote_module;

/// Functions that don't return.
#[remote_module]
pub mod ends {
    use std::path::PathBuf;

    use ndarray::{ArrayView1, ArrayViewMut1, Ix1};
    use reedbed::Tensor;
    use rustix::process::{Resource, Rlimit, Signal, getpid, kill_process, setrlimit};

    /// Ends the process by a signal of its own.
    pub fn signal(number: i32) {
        let signal = Signal::from_named_raw(number).expect("a signal");
        loop {
            let _ = kill_process(getpid(), signal);
        }
    }

    /// Aborts.
    pub fn abort() {
        std::process::abort();
    }

    /// Panics where nothing can be unwound, so that the process aborts.
    pub fn panic_for_good(message: String) {
        super::cannot_unwind(&message);
    }

    /// Uses processor time until a limit of one second is reached.
    pub fn burn() {
        let limit = Rlimit {
            current: Some(1),
            maximum: None,
        };
        setrlimit(Resource::Cpu, limit).expect("a lower limit");
        loop {
            std::hint::spin_loop();
        }
    }

    /// Aborts if the file is there, which it isn't any more then.
    pub fn abort_once(path: PathBuf) -> u32 {
        if std::fs::remove_file(path).is_ok() {
            std::process::abort();
        }
        std::process::id()
    }

    /// Fills an array with what is lent and its label's length, and hands the other one back.
    pub fn weigh(
        #[ndarray] given: Tensor<i64, Ix1>,
        #[ndarray] lent: ArrayView1<'_, i64>,
        #[ndarray] mut filled: ArrayViewMut1<'_, i64>,
        label: String,
    ) -> Tensor<i64, Ix1> {
        let length = i64::try_from(label.len()).unwrap_or(i64::MAX);
        filled.fill(lent.sum() + length);
        given
    }

    /// Takes memory until there is none.
    pub fn hog() {
        let mut taken = Vec::new();
        loop {
            taken.push(vec![1u8; 1 << 20]);
        }
    }
}

extern "C" fn cannot_unwind(message: &String) {
    panic!("{message}");
}
