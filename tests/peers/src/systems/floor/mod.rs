//! The floor: what the hardware and the kernel allow, for each work by hand.
//!
//! - *floor* pause-spins on the other's word. Where an array is gone through, it sleeps (on a futex)
//!   after 200 µs, so that a machine with other things to do gives the core to the other side.
//! - *floor futex* and *floor epoll* are what paced calls can take at best, the former of a blocking
//!   caller, the latter of an asynchronous one. They wait adaptively: the caller spins only if its
//!   call had no need to wake the worker, either side spins for 20 µs at most, then it sleeps. Both on
//!   one core, they never spin.
//! - Arrays of the heap are copied into memory that both have mapped and touched before; for a cold
//!   call, written into a new memfd, which costs half of what it costs through a fresh mapping.

mod bell;
mod ring;

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};

use super::System;
use crate::meter::Meter;
use crate::payload::{self, Heap, check};
use crate::server::{Server, say_ready};
use crate::work::{Placement, Read, Task, Work};
use crate::{Outcome, turn};
use bell::Bell;
use ring::{DEPTH, End, Map};

/// The three of them.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Floor {
    Spin,
    Futex,
    Epoll,
}

impl Floor {
    /// One end of the ring; `ring` and `hear` are eventfds.
    fn end(
        self,
        map: Map,
        side: usize,
        work: &Work,
        ring: &OwnedFd,
        hear: &OwnedFd,
    ) -> Outcome<End> {
        let is_short = matches!(
            work.task,
            Task::Null | Task::Resident(Read::One, _) | Task::Spawn
        );
        let bell = match self {
            Self::Spin if is_short => None,
            Self::Spin | Self::Futex => Some(Bell::Futex),
            Self::Epoll => Some(Bell::epoll(ring, hear)?),
        };
        let spin = match self {
            _ if work.placement == Placement::OneCore => Duration::ZERO,
            Self::Spin => Duration::from_micros(200),
            Self::Futex | Self::Epoll => Duration::from_micros(20),
        };
        Ok(End {
            map,
            side,
            spin,
            bell,
        })
    }
}

/// The caller's end with the number of the last call.
struct Caller {
    end: End,
    number: u64,
}

impl Caller {
    fn call(&mut self, word: u64) -> Outcome<u64> {
        self.number += 1;
        let has_woken = self.end.send(self.number, 0, word)?;
        Ok(self.end.receive(self.number, 0, has_woken)?)
    }
}

/// A new memfd with these numbers, that nobody has mapped.
fn unmapped(numbers: &[u64]) -> Outcome<File> {
    let mut memory = File::from(memfd_create("cold", MemfdFlags::empty())?);
    memory.write_all(bytemuck::cast_slice(numbers))?;
    Ok(memory)
}

/// An index that is another one in each call.
fn index(call: u64, heap: &Heap) -> u64 {
    (call * 8191) % heap.numbers.len() as u64
}

/// The slot of a call, where several are in flight.
fn slot(number: u64) -> usize {
    number as usize % DEPTH
}

impl System for Floor {
    fn lacks(&self, work: &Work) -> Option<&'static str> {
        match (self, work.task) {
            (Self::Spin, _) if work.placement == Placement::OneCore => {
                Some("spinning keeps the other side from running")
            }
            (Self::Spin, _) => None,
            (_, Task::Null) if work.n_in_flight == 1 => None,
            _ => Some("the floor is the one that spins"),
        }
    }

    fn call(&self, name: &str, work: &Work, meter: &mut Meter) -> Outcome {
        if work.task == Task::Spawn {
            // An empty program: this one, which returns from `main` at once.
            return meter.each(|| {
                let status = Command::new("/proc/self/exe").arg(turn::NOTHING).status()?;
                check(status.success().into(), 1)
            });
        }
        // The descriptors are inherited, under the same numbers.
        let memfd = memfd_create("floor", MemfdFlags::empty())?;
        let length = ring::length(work.task.n_bytes());
        ftruncate(&memfd, length as u64)?;
        let bell = || eventfd(0, EventfdFlags::empty());
        let (there, back) = (bell()?, bell()?);
        let numbers = [&memfd, &there, &back].map(|fd| fd.as_raw_fd().to_string());
        let end = self.end(Map::new(&memfd, length)?, 0, work, &there, &back)?;
        let heap = Heap::new(work.task.n_bytes());
        end.array(0).copy_from_slice(&heap.numbers);
        let _server = Server::start(name, work, &numbers)?;
        let mut caller = Caller { end, number: 0 };
        match work.task {
            Task::Null | Task::Spawn if work.n_in_flight > 1 => {
                let (end, number) = (&caller.end, &mut caller.number);
                let send = || {
                    *number += 1;
                    end.send(*number, slot(*number), 0)?;
                    Ok(*number)
                };
                let receive = |number| {
                    end.receive(number, slot(number), false)?;
                    Ok(())
                };
                meter.in_flight(send, receive)
            }
            Task::Null | Task::Spawn => meter.each(|| caller.call(0).map(drop)),
            Task::Resident(Read::One, _) => meter.each(|| {
                let index = index(caller.number, &heap);
                check(caller.call(index)?, payload::number(index))
            }),
            Task::Resident(Read::All, _) => meter.each(|| check(caller.call(0)?, heap.sum)),
            Task::ResidentCold(_) => {
                let prepare = || unmapped(&heap.numbers);
                meter.each_alone(prepare, |memory| {
                    check(caller.call(memory.as_raw_fd() as u64)?, heap.sum)?;
                    Ok(memory)
                })
            }
            Task::Heap(Read::One, _) => meter.each(|| {
                let index = index(caller.number, &heap);
                caller.end.array(0).copy_from_slice(&heap.numbers);
                check(caller.call(index)?, payload::number(index))
            }),
            Task::Heap(Read::All, _) => meter.each(|| {
                caller.end.array(0).copy_from_slice(&heap.numbers);
                check(caller.call(0)?, heap.sum)
            }),
            Task::HeapCold(_) => meter.each(|| {
                let memory = unmapped(&heap.numbers)?;
                check(caller.call(memory.as_raw_fd() as u64)?, heap.sum)
            }),
            Task::Returned(_) => meter.each(|| {
                caller.end.array(0).copy_from_slice(&heap.numbers);
                caller.call(0)?;
                check(payload::sum(caller.end.array(1)), heap.sum_incremented)
            }),
            Task::InPlace(_) => {
                meter.each(|| caller.call(0).map(drop))?;
                check(caller.end.array(0)[0], caller.number)
            }
        }
    }

    fn serve(&self, work: &Work, arguments: &[String]) -> Outcome {
        let [memfd, there, back] = arguments else {
            return Err("three descriptors are expected".into());
        };
        let (there, back) = (ring::inherited(there)?, ring::inherited(back)?);
        let map = Map::new(&ring::inherited(memfd)?, ring::length(work.task.n_bytes()))?;
        let end = self.end(map, 1, work, &back, &there)?;
        let caller = rustix::process::getppid().ok_or("there is no caller")?;
        say_ready()?;
        for number in 1.. {
            let slot = if work.n_in_flight > 1 {
                slot(number)
            } else {
                0
            };
            let word = end.receive(number, slot, false)?;
            let answer = match work.task {
                Task::Null | Task::Spawn => 0,
                Task::Resident(Read::One, _) | Task::Heap(Read::One, _) => {
                    end.array(0)[word as usize]
                }
                Task::Resident(Read::All, _) | Task::Heap(Read::All, _) => {
                    payload::sum(end.array(0))
                }
                Task::ResidentCold(n_bytes) | Task::HeapCold(n_bytes) => {
                    let path = format!("/proc/{}/fd/{word}", caller.as_raw_nonzero());
                    let memory = File::options().read(true).write(true).open(path)?;
                    payload::sum(Map::new(&memory.into(), n_bytes)?.numbers(0, n_bytes))
                }
                Task::Returned(_) => {
                    payload::increment_into(end.array(0), end.array(1));
                    0
                }
                Task::InPlace(_) => {
                    payload::increment(end.array(0));
                    0
                }
            };
            end.send(number, slot, answer)?;
        }
        Ok(())
    }
}
