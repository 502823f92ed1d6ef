//! Models of what two processes, and the threads of one, do to each other over rings: loom runs each
//! of them in all orders that matter, with memory as weak as the language allows.
//!
//! A lost wake-up shows as a deadlock, or as a thread that goes round for ever.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use loom::model::Builder;
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use loom::sync::{Condvar, Mutex};
use loom::thread;
use rustix::event::{PollFd, PollFlags};

use super::bell::Wake;
use super::ring::{Consumer, Count, Direction, Lane, Producer, PushError, RINGS_BYTES};
use super::socket::{self, Socket};
use super::{Arrival, Channel, Lead, Look, Rings, Terms, handshake};
use crate::segment::backing::SegmentIdentity;
use crate::segment::words::Words;
use crate::wire::frame::Frame;
use crate::wire::handshake::MESSAGE_BYTES;

/// Explores a model, with so many threads being interrupted in the middle of what they do.
pub(super) fn explore(n_preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(n_preemptions);
    builder.max_branches = 20_000;
    builder.check(model);
}

fn lanes() -> [Lane; 2] {
    let pages = Arc::new(Words::new(RINGS_BYTES));
    [Direction::ToWorker, Direction::ToHost].map(|direction| Lane::new(&pages, direction))
}

fn pop(consumer: &mut Consumer) -> Option<Vec<u8>> {
    let head = consumer.peek()?;
    let mut buffer = vec![0; MESSAGE_BYTES];
    let len = consumer.pop(head, &mut buffer).unwrap();
    buffer.truncate(len);
    Some(buffer)
}

/// A host's channel and its worker's.
fn channels() -> [Arc<Channel>; 2] {
    let [to_worker, to_host] = lanes();
    let (host, worker) = socket::pair().unwrap();
    let end = |socket, incoming: &Lane, outgoing: &Lane| {
        let rings = Rings {
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
            // They lie in no segment.
            identity: SegmentIdentity {
                device: 0,
                inode: 0,
            },
        };
        let terms = Terms {
            rings: Some(rings),
            ..Terms::of_a_test()
        };
        Channel::new(Socket::new(socket), terms).unwrap()
    };
    [
        end(host, &to_host, &to_worker),
        end(worker, &to_worker, &to_host),
    ]
}

fn frame(call: u64) -> Frame {
    Frame::Cancel { call }
}

/// Reads what is there, as a caller does, and passes it on before it leaves.
fn read(mut lead: Lead<'_>, mut accept: impl FnMut(u64)) {
    loop {
        while let Arrival::Frame(Frame::Cancel { call }) = lead.receive(Look::Ring).unwrap() {
            accept(call);
        }
        match lead.leave() {
            Some(still) => lead = still,
            None => return,
        }
    }
}

/// Waits in `poll`, as a driver does, until all of `n` frames were read, and reads its share of them.
fn drive(channel: &Channel, n: usize, n_read: &AtomicUsize) -> Vec<u64> {
    let mut calls = Vec::new();
    // Read and written at once, so that it is what others have left there.
    while n_read.fetch_add(0, Ordering::AcqRel) < n {
        let mut fds = [channel.as_fd(), channel.wake_fd()]
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        handshake::poll(&mut fds, Some(Duration::ZERO)).unwrap();
        if fds.iter().all(|fd| fd.revents().is_empty()) {
            thread::yield_now();
            continue;
        }
        channel.clear_wake();
        let mut lead = channel.lead();
        loop {
            match lead.receive(Look::Both).unwrap() {
                Arrival::Frame(Frame::Cancel { call }) => {
                    calls.push(call);
                    n_read.fetch_add(1, Ordering::AcqRel);
                }
                Arrival::Nothing => match lead.leave() {
                    Some(still) => lead = still,
                    None => break,
                },
                other => panic!("{other:?}"),
            }
        }
    }
    calls
}

/// Frames of one slot and of two go round in a ring of four: each is read whole, once, in order.
#[test]
fn loom_frames_come_out_as_they_went_in() {
    explore(3, || {
        let [lane, _] = lanes();
        let (mut producer, mut consumer) = (Producer::new(lane.clone()), Consumer::new(lane));
        let frames = [vec![1; 8], vec![2; 57], vec![3; 57], vec![4; 9]];
        let sent = frames.clone();
        let sending = thread::spawn(move || {
            for frame in sent {
                while producer.push(&frame, Count::default()) == Err(PushError::Full) {
                    thread::yield_now();
                }
            }
        });
        for frame in frames {
            let found = loop {
                match pop(&mut consumer) {
                    Some(found) => break found,
                    None => thread::yield_now(),
                }
            };
            assert_eq!(found, frame);
        }
        sending.join().unwrap();
        assert_eq!(pop(&mut consumer), None);
    });
}

/// A consumer that sleeps on the word is woken for each frame.
#[test]
fn loom_who_sleeps_on_the_futex_is_woken() {
    explore(3, || {
        let [lane, _] = lanes();
        let mut consumer = Consumer::new(lane.clone());
        let sending = thread::spawn({
            let lane = lane.clone();
            move || {
                let mut producer = Producer::new(lane.clone());
                for n in 0..2 {
                    producer.push(&[n], Count::default()).unwrap();
                    assert_ne!(lane.bell().ring(), Wake::Message);
                }
            }
        });
        for n in 0..2 {
            let found = loop {
                if let Some(found) = pop(&mut consumer) {
                    break found;
                }
                lane.bell().set(Wake::Futex);
                if consumer.peek().is_none() {
                    lane.bell().sleep(None);
                }
                lane.bell().set(Wake::Nothing);
            };
            assert_eq!(found, [n]);
        }
        sending.join().unwrap();
    });
}

/// A consumer that sleeps in `poll` is sent a message for each frame that it may have missed.
#[test]
fn loom_who_sleeps_in_poll_is_sent_a_message() {
    explore(3, || {
        let [lane, _] = lanes();
        let mut consumer = Consumer::new(lane.clone());
        let socket = Arc::new((Mutex::new(0), Condvar::new()));
        let sending = thread::spawn({
            let (lane, socket) = (lane.clone(), Arc::clone(&socket));
            move || {
                let mut producer = Producer::new(lane.clone());
                for n in 0..2 {
                    producer.push(&[n], Count::default()).unwrap();
                    if lane.bell().ring() == Wake::Message {
                        *socket.0.lock().unwrap() += 1;
                        socket.1.notify_one();
                    }
                }
            }
        });
        for n in 0..2 {
            let found = loop {
                if let Some(found) = pop(&mut consumer) {
                    break found;
                }
                lane.bell().set(Wake::Message);
                if consumer.peek().is_some() {
                    continue;
                }
                let mut messages = socket.0.lock().unwrap();
                while *messages == 0 {
                    messages = socket.1.wait(messages).unwrap();
                }
                *messages -= 1;
            };
            assert_eq!(found, [n]);
        }
        sending.join().unwrap();
    });
}

/// A caller takes the lead, reads what is there, and leaves; the driver is woken for the rest. Each
/// frame is read by one of them.
#[test]
fn loom_what_a_leader_leaves_is_the_drivers() {
    explore(2, || {
        let [host, worker] = channels();
        let n_read = Arc::new(AtomicUsize::new(0));
        let caller = thread::spawn({
            let (host, n_read) = (Arc::clone(&host), Arc::clone(&n_read));
            move || {
                let mut calls = Vec::new();
                if let Some(lead) = host.try_lead() {
                    read(lead, |call| {
                        calls.push(call);
                        n_read.fetch_add(1, Ordering::AcqRel);
                    });
                }
                calls
            }
        });
        let sending = thread::spawn(move || {
            for call in 1..=2 {
                worker.send(&frame(call)).unwrap();
            }
            worker
        });
        // The bell says nothing at first: the driver has read once before there were callers.
        host.wake_driver();
        let mut calls = drive(&host, 2, &n_read);
        let callers = caller.join().unwrap();
        assert!(calls.is_sorted() && callers.is_sorted());
        calls.extend(callers);
        calls.sort_unstable();
        assert_eq!(calls, [1, 2]);
        sending.join().unwrap();
    });
}

/// Reads what is there; if that is the answer, tells the thread that sleeps.
fn read_for_all(host: &Channel, is_done: &AtomicBool, lead: Lead<'_>) {
    read(lead, |_| {
        is_done.store(true, Ordering::Release);
        // As strong as the accesses that it stands for.
        fence(Ordering::SeqCst);
        host.wake_sleeper();
    });
}

/// A thread sleeps on the bell until its call is done; another one takes the lead meanwhile, and may
/// be the one that reads the answer.
#[test]
fn loom_who_sleeps_learns_what_another_leader_reads() {
    explore(3, || {
        let [host, worker] = channels();
        let is_done = Arc::new(AtomicBool::new(false));
        let other = thread::spawn({
            let (host, is_done) = (Arc::clone(&host), Arc::clone(&is_done));
            move || {
                if let Some(lead) = host.try_lead() {
                    read_for_all(&host, &is_done, lead);
                }
            }
        });
        let sending = thread::spawn(move || {
            worker.send(&frame(1)).unwrap();
            worker
        });
        let done = || is_done.load(Ordering::Acquire);
        while !done() {
            match host.try_lead() {
                Some(lead) => {
                    let lead = lead.sleep(None, done).unwrap();
                    read_for_all(&host, &is_done, lead);
                }
                None => thread::yield_now(),
            }
        }
        other.join().unwrap();
        sending.join().unwrap();
    });
}

/// A thread that sleeps on the bell hears that the channel was closed, while another one leads.
#[test]
fn loom_who_sleeps_learns_of_the_end() {
    explore(3, || {
        let [host, _worker] = channels();
        let other = thread::spawn({
            let host = Arc::clone(&host);
            move || drop(host.try_lead())
        });
        let closing = thread::spawn({
            let host = Arc::clone(&host);
            move || host.close()
        });
        while !host.is_closed() {
            match host.try_lead() {
                Some(lead) => drop(lead.sleep(None, || host.is_closed()).unwrap()),
                None => thread::yield_now(),
            }
        }
        other.join().unwrap();
        closing.join().unwrap();
    });
}

/// A worker that is woken before there is anything to read, goes to sleep again, and is woken again.
#[test]
fn loom_who_is_woken_early_is_woken_again() {
    explore(3, || {
        let [host, worker] = channels();
        let sending = thread::spawn(move || {
            host.outbox.wake_peer();
            host.send(&frame(1)).unwrap();
            host
        });
        let mut lead = worker.lead();
        loop {
            match lead.receive(Look::Ring).unwrap() {
                Arrival::Frame(frame) => break assert!(matches!(frame, Frame::Cancel { call: 1 })),
                Arrival::Nothing => lead = lead.sleep(None, || false).unwrap(),
                Arrival::Pause | Arrival::EndOfFile => panic!("the host is there"),
            }
        }
        drop(lead);
        sending.join().unwrap();
    });
}
