//! iceoryx2's request-response, spinning and with its event service.
//!
//! - Slices are loaned uninitialised, written in place and sent without a copy, as in its example
//!   `request_response_dynamic_data`; `initial_max_slice_len` is the array's length, so that nothing
//!   is allocated again.
//! - An array that is returned is written in place, in one pass.
//! - A null call sends a slice of one number; measured beside a service of a plain `u64`, with each
//!   process on a core of its own, it took the same.
//! - As few loans and buffers as the work needs (`max_active_requests_per_client` and the rest),
//!   so that all of them are touched while warming up.
//! - *spin*: both sides call `receive` in a loop. *event*: each side has a listener of the event
//!   service and blocks in `blocking_wait`, without a `WaitSet`, which is for several sources.
//! - A resident array is a loan whose content is left as it was. The request gives the memory away,
//!   so a standing array would have to be written anew; without that this is the least it can take.
#![expect(
    unsafe_code,
    reason = "loans that are not written through its own copying functions"
)]

use std::hint;

use ::iceoryx2::pending_response::PendingResponse;
use ::iceoryx2::port::client::Client;
use ::iceoryx2::port::listener::Listener;
use ::iceoryx2::port::notifier::Notifier;
use ::iceoryx2::prelude::*;
use ::iceoryx2::response::Response;
use ::iceoryx2::service::port_factory::event;
use ::iceoryx2::service::port_factory::request_response::PortFactory as RequestResponse;

use super::{System, nothing};
use crate::Outcome;
use crate::meter::Meter;
use crate::payload::{self, Heap, check};
use crate::server::{Server, say_ready};
use crate::work::{Read, Task, Work};

/// Ends the server.
const STOP: u64 = u64::MAX;

type Ipc = ipc::Service;
/// The header of a request is the index that is asked for, or `STOP`.
type Arrays = RequestResponse<Ipc, [u64], u64, [u64], ()>;
type Pending = PendingResponse<Ipc, [u64], u64, [u64], ()>;
type Reply = Response<Ipc, [u64], ()>;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Iceoryx2 {
    Spin,
    Event,
}

/// What one side waits with: the other's notifications, if it doesn't spin.
struct Bell {
    ring: Notifier<Ipc>,
    hear: Listener<Ipc>,
}

impl Iceoryx2 {
    /// Opens the services of this name, or makes them.
    fn services(self, name: &str, work: &Work) -> Outcome<(Node<Ipc>, Arrays)> {
        set_log_level(LogLevel::Error);
        let node = NodeBuilder::new()
            .signal_handling_mode(SignalHandlingMode::Disabled)
            .create::<Ipc>()?;
        let arrays = node
            .service_builder(&name.try_into()?)
            .request_response::<[u64], [u64]>()
            .request_user_header::<u64>()
            .max_clients(1)
            .max_servers(1)
            .max_active_requests_per_client(work.n_in_flight)
            .max_loaned_requests(1)
            .max_response_buffer_size(1)
            .max_borrowed_responses_per_pending_response(1)
            .open_or_create()?;
        Ok((node, arrays))
    }

    fn bell(self, node: &Node<Ipc>, name: &str, ring: &str, hear: &str) -> Outcome<Option<Bell>> {
        if self == Self::Spin {
            return Ok(None);
        }
        let event = |end: &str| -> Outcome<event::PortFactory<Ipc>> {
            let name = format!("{name}/{end}");
            Ok(node
                .service_builder(&name.as_str().try_into()?)
                .event()
                .open_or_create()?)
        };
        Ok(Some(Bell {
            ring: event(ring)?.notifier_builder().create()?,
            hear: event(hear)?.listener_builder().create()?,
        }))
    }
}

impl Bell {
    fn ring(bell: &Option<Self>) -> Outcome {
        if let Some(bell) = bell {
            bell.ring.notify()?;
        }
        Ok(())
    }

    /// Waits until the other side has rung; or for a moment, where it never does.
    fn wait(bell: &Option<Self>) -> Outcome {
        match bell {
            Some(bell) => drop(bell.hear.blocking_wait(|_| ())?),
            None => hint::spin_loop(),
        }
        Ok(())
    }
}

/// The client's side.
struct Caller {
    client: Client<Ipc, [u64], u64, [u64], ()>,
    bell: Option<Bell>,
    /// The loans that were written, by address.
    written: Vec<*const u64>,
    server: Option<Server>,
    _services: (Node<Ipc>, Arrays),
}

impl Caller {
    fn start(system: Iceoryx2, name: &str, work: &Work) -> Outcome<Self> {
        let service = format!("reedbed-peers/{}", std::process::id());
        let server = Server::start(name, work, std::slice::from_ref(&service))?;
        let services = system.services(&service, work)?;
        let client = services
            .1
            .client_builder()
            .initial_max_slice_len(n_elements(work))
            .create()?;
        Ok(Self {
            client,
            bell: system.bell(&services.0, &service, "request", "reply")?,
            written: Vec::new(),
            server: Some(server),
            _services: services,
        })
    }

    /// Copies `numbers` into a loan and sends it, with the index of one of them.
    fn send(&self, numbers: &[u64], index: u64) -> Outcome<Pending> {
        let mut request = self.client.loan_slice_uninit(numbers.len())?;
        *request.user_header_mut() = index;
        let pending = request.write_from_slice(numbers).send()?;
        Bell::ring(&self.bell)?;
        Ok(pending)
    }

    /// Sends a loan with the numbers that are in it already, and the index of one of them.
    fn send_resident(&mut self, numbers: &[u64], index: u64) -> Outcome<Pending> {
        let mut request = self.client.loan_slice_uninit(numbers.len())?;
        *request.user_header_mut() = index;
        let address = request.payload().as_ptr().cast();
        let request = if self.written.contains(&address) {
            // SAFETY: all of it was written when this piece of memory was first loaned, to the same
            // length, and nobody has written it since.
            unsafe { request.assume_init() }
        } else {
            self.written.push(address);
            request.write_from_slice(numbers)
        };
        let pending = request.send()?;
        Bell::ring(&self.bell)?;
        Ok(pending)
    }

    fn reply(&self, pending: &Pending) -> Outcome<Reply> {
        loop {
            if let Some(reply) = pending.receive()? {
                return Ok(reply);
            }
            Bell::wait(&self.bell)?;
        }
    }

    /// Tells the server to stop, so that it takes its files with it.
    fn stop(&mut self) -> Outcome {
        let mut request = self.client.loan_slice_uninit(1)?;
        *request.user_header_mut() = STOP;
        let _pending = request.write_from_slice(&[0]).send()?;
        Bell::ring(&self.bell)?;
        self.server.take().map_or(Ok(()), Server::wait)
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("the server wasn't stopped: {error}");
        }
    }
}

impl System for Iceoryx2 {
    fn lacks(&self, work: &Work) -> Option<&'static str> {
        match work.task {
            Task::InPlace(_) => Some("a request is read-only for the server"),
            Task::ResidentCold(_) | Task::HeapCold(_) => {
                Some("a client's memory is made with the client")
            }
            _ => None,
        }
    }

    fn call(&self, name: &str, work: &Work, meter: &mut Meter) -> Outcome {
        if work.task == Task::Spawn {
            return meter.each_alone(nothing, |()| {
                let caller = Caller::start(*self, name, work)?;
                caller.reply(&caller.send(&[0], 0)?)?;
                Ok(caller)
            });
        }
        let mut caller = Caller::start(*self, name, work)?;
        let heap = Heap::new(work.task.n_bytes());
        let first = |caller: &Caller, pending| Outcome::Ok(caller.reply(&pending)?.payload()[0]);
        match work.task {
            Task::Null if work.n_in_flight > 1 => {
                let receive = |pending| caller.reply(&pending).map(drop);
                meter.in_flight(|| caller.send(&[0], 0), receive)
            }
            Task::Resident(Read::One, _) => {
                let mut index = 0;
                meter.each(|| {
                    index = (index + 8191) % heap.numbers.len() as u64;
                    let pending = caller.send_resident(&heap.numbers, index)?;
                    check(first(&caller, pending)?, payload::number(index))
                })
            }
            Task::Resident(Read::All, _) => meter.each(|| {
                let pending = caller.send_resident(&heap.numbers, 0)?;
                check(first(&caller, pending)?, heap.sum)
            }),
            Task::Heap(Read::One, _) => {
                let mut index = 0;
                meter.each(|| {
                    index = (index + 8191) % heap.numbers.len() as u64;
                    let pending = caller.send(&heap.numbers, index)?;
                    check(first(&caller, pending)?, payload::number(index))
                })
            }
            Task::Heap(Read::All, _) => meter.each(|| {
                let pending = caller.send(&heap.numbers, 0)?;
                check(first(&caller, pending)?, heap.sum)
            }),
            Task::Returned(_) => meter.each(|| {
                let reply = caller.reply(&caller.send(&heap.numbers, 0)?)?;
                check(payload::sum(reply.payload()), heap.sum_incremented)
            }),
            _ => meter.each(|| caller.reply(&caller.send(&[0], 0)?).map(drop)),
        }
    }

    fn serve(&self, work: &Work, arguments: &[String]) -> Outcome {
        let name = arguments.first().ok_or("the service's name is missing")?;
        let (node, arrays) = self.services(name, work)?;
        let bell = self.bell(&node, name, "reply", "request")?;
        let server = arrays
            .server_builder()
            .initial_max_slice_len(n_elements(work))
            .create()?;
        say_ready()?;
        loop {
            let Some(request) = server.receive()? else {
                Bell::wait(&bell)?;
                continue;
            };
            let numbers = request.payload();
            let answer = match work.task {
                _ if *request.user_header() == STOP => return Ok(()),
                Task::Returned(_) => {
                    let mut reply = request.loan_slice_uninit(numbers.len())?;
                    for (incremented, number) in reply.payload_mut().iter_mut().zip(numbers) {
                        incremented.write(number.wrapping_add(1));
                    }
                    // SAFETY: both have the same length, so that each element was written.
                    let reply = unsafe { reply.assume_init() };
                    reply.send()?;
                    Bell::ring(&bell)?;
                    continue;
                }
                Task::Resident(Read::One, _) | Task::Heap(Read::One, _) => {
                    numbers[usize::try_from(*request.user_header())?]
                }
                Task::Resident(Read::All, _) | Task::Heap(Read::All, _) => payload::sum(numbers),
                _ => 0,
            };
            let reply = request.loan_slice_uninit(1)?;
            reply.write_from_slice(&[answer]).send()?;
            Bell::ring(&bell)?;
        }
    }
}

/// The longest slice of a work.
fn n_elements(work: &Work) -> usize {
    (work.task.n_bytes() / 8).max(1)
}
