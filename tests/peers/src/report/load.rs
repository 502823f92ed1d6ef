//! How much of the machine other programs used during a run: on a busy one the figures say little,
//! and those of systems that spin nothing.

use std::fs;

use crate::Outcome;

/// Ticks of the clock since the start: of this machine, and of this program's processes.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    total: u64,
    busy: u64,
    own: u64,
}

impl Load {
    pub(crate) fn now() -> Outcome<Self> {
        let machine = fs::read_to_string("/proc/stat")?;
        let own = fs::read_to_string("/proc/self/stat")?;
        Self::parse(&machine, &own).ok_or_else(|| "/proc/stat can't be read".into())
    }

    fn parse(machine: &str, own: &str) -> Option<Self> {
        // user, nice, system, idle, waiting for input, interrupts (2), stolen by the hypervisor
        let line = machine.lines().next()?.strip_prefix("cpu ")?;
        let ticks: Vec<u64> = numbers(line).take(8).collect();
        let idle = ticks.get(3)? + ticks.get(4)?;
        let total = ticks.iter().sum();
        // After the name in parentheses, the 12th to 15th: of this process, and of those that it,
        // or one of them, has waited for.
        let (_, fields) = own.rsplit_once(')')?;
        let fields = fields.split_ascii_whitespace().skip(11).take(4);
        Some(Self {
            total,
            busy: total - idle,
            own: fields.filter_map(|field| field.parse::<u64>().ok()).sum(),
        })
    }

    /// The share of the machine's time that others have used since then.
    pub(crate) fn of_others_since(&self, then: &Self) -> f64 {
        let busy = self.busy.saturating_sub(then.busy);
        let others = busy.saturating_sub(self.own.saturating_sub(then.own));
        others as f64 / (self.total.saturating_sub(then.total)).max(1) as f64
    }
}

fn numbers(line: &str) -> impl Iterator<Item = u64> {
    line.split_ascii_whitespace()
        .filter_map(|number| number.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_those_that_are_not_waited_for() {
        let own = |user: u32| format!("7 (a (b) c) S {} {user} 1 2 3 20 0", "0 ".repeat(10).trim());
        let then = Load::parse("cpu  100 0 50 800 50 0 0 0 9 9\ncpu0 1", &own(4)).unwrap();
        let now = Load::parse("cpu  160 0 70 900 60 0 0 10 9 9\ncpu0 1", &own(64)).unwrap();
        // Of 200 ticks, 90 were busy, 60 of which were our own.
        assert_eq!(now.of_others_since(&then), 0.15);
        assert_eq!(then.of_others_since(&then), 0.0);
    }
}
