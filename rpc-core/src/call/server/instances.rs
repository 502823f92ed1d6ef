//! What constructors have made for a host, by number, until the host needs it no more.
//!
//! # Invariants
//! 1. A number is given once on a connection.
//! 2. An instance is in the table from before its constructor's reply is sent until the host drops
//!    it, the reply turns out not to be sent ([`Unsent`]), or the connection ends.
//! 3. A call holds its instance, so that one which is dropped meanwhile lives until the call's end.
//! 4. An instance is dropped on a thread where that may take its time, whoever lets go of it last:
//!    its `Drop` is the user's code, and may block or panic.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle as Runtime;

use crate::channel::Channel;
use crate::guarded::guarded;
use crate::wire::frame::Failure;

/// The most instances that a worker keeps for one host.
pub(crate) const MAX_INSTANCES: usize = 65_536;

/// What the user's constructor returned.
type Value = Box<dyn Any + Send + Sync>;

/// The instances of one connection.
pub(crate) struct Instances {
    table: Mutex<Table>,
    burials: Arc<Burials>,
}

#[derive(Default)]
struct Table {
    n_made: u64,
    alive: HashMap<u64, Arc<Instance>>,
}

/// An instance, as the table and the calls of its methods share it.
pub(crate) struct Instance {
    /// Always there, until it is dropped.
    value: Option<Value>,
    burials: Arc<Burials>,
}

impl Instance {
    /// The user's value, if it is a `T`.
    pub(crate) fn value<T: Any>(&self) -> Option<&T> {
        self.value.as_ref()?.downcast_ref()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(value) = self.value.take() {
            Burials::bury(&self.burials, value);
        }
    }
}

impl Instances {
    pub(crate) fn new(runtime: Runtime, channel: Arc<Channel>) -> Arc<Self> {
        let burials = Burials {
            runtime,
            channel,
            queue: Mutex::default(),
            idle: Condvar::new(),
        };
        Arc::new(Self {
            table: Mutex::default(),
            burials: Arc::new(burials),
        })
    }

    /// Keeps what a constructor made, if its reply is sent.
    pub(crate) fn keep(self: &Arc<Self>, value: Value) -> Result<Unsent, Failure> {
        let instance = Arc::new(Instance {
            value: Some(value),
            burials: Arc::clone(&self.burials),
        });
        let mut table = self.lock();
        if table.alive.len() >= MAX_INSTANCES {
            return Err(Failure::NotReturned {
                reason: format!(
                    "the worker keeps {MAX_INSTANCES} instances for this host, its limit; drop \
                     some of them"
                ),
            });
        }
        table.n_made += 1;
        let number = table.n_made;
        table.alive.insert(number, instance);
        Ok(Unsent {
            instances: Arc::clone(self),
            number,
            is_sent: false,
        })
    }

    /// Finds an instance.
    pub(crate) fn find(&self, number: u64) -> Option<Arc<Instance>> {
        self.lock().alive.get(&number).cloned()
    }

    /// Lets go of an instance; `false` if there is none of that number.
    pub(crate) fn remove(&self, number: u64) -> bool {
        let instance = self.lock().alive.remove(&number);
        instance.is_some()
    }

    /// Lets go of all instances; tells whether the last of them has been dropped.
    pub(crate) fn end(&self) -> bool {
        let alive = std::mem::take(&mut self.lock().alive);
        drop(alive);
        !self.burials.lock().is_under_way
    }

    /// Lets go of all instances, and waits until the last of them has been dropped.
    pub(crate) fn wait_for_end(&self) {
        self.end();
        let mut queue = self.burials.lock();
        while queue.is_under_way {
            let woken = self.burials.idle.wait(queue);
            queue = woken.unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // No critical section can panic half way.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instances")
            .field("n_alive", &self.lock().alive.len())
            .finish_non_exhaustive()
    }
}

/// An instance whose number the host doesn't know yet. Dropped unsent, it takes the instance out
/// of the table, because nobody else ever would.
#[derive(Debug)]
pub(crate) struct Unsent {
    instances: Arc<Instances>,
    number: u64,
    is_sent: bool,
}

impl Unsent {
    /// The number.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Notes that the host has the number: from now on the instance is the host's to drop.
    pub(crate) fn sent(&mut self) {
        self.is_sent = true;
    }
}

impl Drop for Unsent {
    fn drop(&mut self) {
        if !self.is_sent {
            self.instances.remove(self.number);
        }
    }
}

/// Drops values one after another, beside everything else.
struct Burials {
    runtime: Runtime,
    channel: Arc<Channel>,
    queue: Mutex<Queue>,
    /// Signalled when nothing is under way any more.
    idle: Condvar,
}

#[derive(Default)]
struct Queue {
    values: Vec<Value>,
    is_under_way: bool,
}

impl Burials {
    fn bury(this: &Arc<Self>, value: Value) {
        let mut queue = this.lock();
        queue.values.push(value);
        if std::mem::replace(&mut queue.is_under_way, true) {
            return;
        }
        drop(queue);
        let this = Arc::clone(this);
        this.runtime.clone().spawn_blocking(move || this.run());
    }

    fn run(&self) {
        loop {
            let mut queue = self.lock();
            if queue.values.is_empty() {
                queue.is_under_way = false;
                drop(queue);
                self.idle.notify_all();
                // A shutdown may be waiting for it.
                self.channel.wake_driver();
                return;
            }
            let values = std::mem::take(&mut queue.values);
            drop(queue);
            for value in values {
                if guarded(|| drop(value)).is_none() {
                    guarded(|| tracing::error!("the `Drop` of an instance panicked"));
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No critical section can panic half way.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Terms;
    use crate::channel::socket::{self, Socket};

    /// Says through a channel that it is dropped.
    struct Watched(std::sync::mpsc::Sender<&'static str>, &'static str);

    impl Drop for Watched {
        fn drop(&mut self) {
            let _ = self.0.send(self.1);
        }
    }

    fn instances(runtime: &tokio::runtime::Runtime) -> Arc<Instances> {
        let (ours, _theirs) = socket::pair().unwrap();
        let channel = Channel::new(Socket::new(ours), Terms::of_a_test()).unwrap();
        Instances::new(runtime.handle().clone(), channel)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
    }

    #[test]
    fn an_instance_stays_if_its_number_was_sent() {
        let runtime = runtime();
        let instances = instances(&runtime);
        let (sender, dropped) = std::sync::mpsc::channel();
        let watched = |name| Box::new(Watched(sender.clone(), name));

        let mut sent = instances.keep(watched("sent")).unwrap();
        let unsent = instances.keep(watched("unsent")).unwrap();
        let (first, second) = (sent.number(), unsent.number());
        sent.sent();
        drop((sent, unsent));
        assert_eq!(dropped.recv(), Ok("unsent"));
        assert!(instances.find(second).is_none());

        let called = instances.find(first).unwrap();
        assert!(called.value::<Watched>().is_some());
        assert!(called.value::<u8>().is_none());
        assert!(instances.remove(first));
        assert!(!instances.remove(first));
        assert!(dropped.try_recv().is_err(), "a call still has it");
        drop(called);
        assert_eq!(dropped.recv(), Ok("sent"));
    }

    #[test]
    fn there_is_a_limit_and_no_number_is_used_twice() {
        let runtime = runtime();
        let instances = instances(&runtime);
        let mut made: Vec<_> = (0..MAX_INSTANCES)
            .map(|_| instances.keep(Box::new(())).unwrap())
            .collect();
        let Err(Failure::NotReturned { reason }) = instances.keep(Box::new(())) else {
            panic!("there is room for one more");
        };
        assert_eq!(
            reason,
            "the worker keeps 65536 instances for this host, its limit; drop some of them"
        );
        let last = made.pop().unwrap().number();
        let next = instances.keep(Box::new(())).unwrap();
        assert!(next.number() > last);
        instances.wait_for_end();
        assert!(instances.find(next.number()).is_none());
    }
}
