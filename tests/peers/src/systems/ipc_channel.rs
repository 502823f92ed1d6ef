//! ipc-channel with `IpcSharedMemory`.
//!
//! - A pair of channels, made by the server and handed over through an `IpcOneShotServer`, as in the
//!   crate's documentation. There is no option to set; a large message would be split into datagrams,
//!   which arrays in `IpcSharedMemory` never are.
//! - A resident array is one `IpcSharedMemory`, sent with each call: the descriptor travels and is
//!   mapped anew.
//! - An array of the heap becomes one by `from_bytes`, which makes a new memfd; the crate has no pool.
//!   So a cold call and a warm one are the same.
//! - So many calls are in flight as its sockets hold: `send` blocks, on either side, so that a client
//!   that sends more before it receives waits for a server that waits for it, for ever.
//! - An array that is returned is made in a vector that is kept, and copied once: to write into an
//!   `IpcSharedMemory` directly takes unsafe code.

use ipc_channel::IpcError;
use ipc_channel::ipc::{self, IpcOneShotServer, IpcReceiver, IpcSender, IpcSharedMemory};
use serde::{Deserialize, Serialize};

use super::{System, nothing};
use crate::Outcome;
use crate::meter::Meter;
use crate::payload::{self, Heap, check};
use crate::server::{Server, say_ready};
use crate::work::{Read, Task, Work};

#[derive(Serialize, Deserialize)]
enum Request {
    Null,
    One(IpcSharedMemory, u64),
    Sum(IpcSharedMemory),
    Incremented(IpcSharedMemory),
}

#[derive(Serialize, Deserialize)]
enum Reply {
    Number(u64),
    Array(IpcSharedMemory),
}

impl Reply {
    fn number(self) -> Outcome<u64> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Array(_) => Err("an array came instead of a number".into()),
        }
    }

    fn array(self) -> Outcome<IpcSharedMemory> {
        match self {
            Self::Array(array) => Ok(array),
            Self::Number(_) => Err("a number came instead of an array".into()),
        }
    }
}

type Channels = (IpcSender<Request>, IpcReceiver<Reply>);

/// A socket with the kernel's default of 208 KiB holds 278 small messages (`SO_SNDBUF` counts each with
/// its bookkeeping), one each way 556.
const MOST_IN_FLIGHT: usize = 512;

pub(crate) struct IpcChannel;

impl System for IpcChannel {
    fn lacks(&self, work: &Work) -> Option<&'static str> {
        match work.task {
            Task::InPlace(_) => Some("`IpcSharedMemory` is written by unsafe code only"),
            Task::Null if work.n_in_flight > MOST_IN_FLIGHT => {
                Some("its sockets hold fewer: both sides would wait in `send`")
            }
            _ => None,
        }
    }

    fn call(&self, name: &str, work: &Work, meter: &mut Meter) -> Outcome {
        if work.task == Task::Spawn {
            return meter.each_alone(nothing, |()| {
                let (server, (sender, receiver)) = connect(name, work)?;
                sender.send(Request::Null)?;
                receiver.recv()?;
                Ok(server)
            });
        }
        let (_server, (sender, receiver)) = connect(name, work)?;
        let call = |request| -> Outcome<Reply> {
            sender.send(request)?;
            Ok(receiver.recv()?)
        };
        let heap = Heap::new(work.task.n_bytes());
        let bytes: &[u8] = bytemuck::cast_slice(&heap.numbers);
        match work.task {
            Task::Null if work.n_in_flight > 1 => {
                let send = || Ok(sender.send(Request::Null)?);
                meter.in_flight(send, |()| Ok(receiver.recv().map(drop)?))
            }
            Task::Resident(Read::One, _) => {
                let shared = IpcSharedMemory::from_bytes(bytes);
                let mut index = 0;
                meter.each(|| {
                    index = (index + 8191) % heap.numbers.len() as u64;
                    let element = call(Request::One(shared.clone(), index))?.number()?;
                    check(element, payload::number(index))
                })
            }
            Task::Resident(Read::All, _) => {
                let shared = IpcSharedMemory::from_bytes(bytes);
                meter.each(|| check(call(Request::Sum(shared.clone()))?.number()?, heap.sum))
            }
            Task::ResidentCold(_) => {
                let prepare = || Ok(IpcSharedMemory::from_bytes(bytes));
                meter.each_alone(prepare, |shared| {
                    check(call(Request::Sum(shared.clone()))?.number()?, heap.sum)?;
                    Ok(shared)
                })
            }
            Task::Heap(Read::One, _) => {
                let mut index = 0;
                meter.each(|| {
                    index = (index + 8191) % heap.numbers.len() as u64;
                    let shared = IpcSharedMemory::from_bytes(bytes);
                    let element = call(Request::One(shared, index))?.number()?;
                    check(element, payload::number(index))
                })
            }
            Task::Heap(Read::All, _) | Task::HeapCold(_) => meter.each(|| {
                let shared = IpcSharedMemory::from_bytes(bytes);
                check(call(Request::Sum(shared))?.number()?, heap.sum)
            }),
            Task::Returned(_) => meter.each(|| {
                let shared = IpcSharedMemory::from_bytes(bytes);
                let incremented = call(Request::Incremented(shared))?.array()?;
                check(payload::sum_bytes(&incremented), heap.sum_incremented)
            }),
            _ => meter.each(|| call(Request::Null).map(drop)),
        }
    }

    fn serve(&self, _: &Work, arguments: &[String]) -> Outcome {
        let name = arguments.first().ok_or("the server's name is missing")?;
        let (request_sender, requests) = ipc::channel()?;
        let (replies, reply_receiver) = ipc::channel()?;
        say_ready()?;
        let bootstrap: IpcSender<Channels> = IpcSender::connect(name.clone())?;
        bootstrap.send((request_sender, reply_receiver))?;
        let mut scratch = Vec::new();
        loop {
            let request = match requests.recv() {
                Err(IpcError::Disconnected) => return Ok(()),
                request => request?,
            };
            let reply = match request {
                Request::Null => Reply::Number(0),
                Request::One(shared, index) => {
                    let begin = usize::try_from(index)? * 8;
                    Reply::Number(payload::sum_bytes(&shared[begin..begin + 8]))
                }
                Request::Sum(shared) => Reply::Number(payload::sum_bytes(&shared)),
                Request::Incremented(shared) => {
                    payload::increment_bytes_into(&shared, &mut scratch);
                    Reply::Array(IpcSharedMemory::from_bytes(scratch.as_flattened()))
                }
            };
            replies.send(reply)?;
        }
    }
}

fn connect(name: &str, work: &Work) -> Outcome<(Server, Channels)> {
    let (one_shot, address) = IpcOneShotServer::<Channels>::new()?;
    let server = Server::start(name, work, &[address])?;
    let (_, channels) = one_shot.accept()?;
    Ok((server, channels))
}
