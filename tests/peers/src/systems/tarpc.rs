//! tarpc over a Unix socket.
//!
//! - Length-delimited bincode over the socket, as in its example `custom_transport`.
//! - Frames up to 4 GiB: `LengthDelimitedCodec` stops at 8 MiB by default.
//! - The array is passed as `Bytes`, one run, so that serde copies it in one go instead of element
//!   by element, and a call clones a reference to it instead of the array.
//! - Both sides run in a current-thread runtime, and the server answers within the task that reads
//!   the socket. Measured beside the alternatives, a null call took 0.2 to 0.4 of its time in a
//!   multi-thread runtime, and a few percent less than with a task for each call; 64 MiB the same.
//! - A deadline of a minute, because that of `context::current()` is 10 seconds.

use std::time::{Duration, Instant};

use ::tarpc::client::Config;
use ::tarpc::context::{self, Context};
use ::tarpc::serde_transport::{self, Transport};
use ::tarpc::server::{BaseChannel, Channel};
use ::tarpc::tokio_serde::formats::Bincode;
use ::tarpc::tokio_util::codec::LengthDelimitedCodec;
use bytes::Bytes;
use futures::StreamExt;
use tokio::net::UnixStream;

use super::{System, nothing};
use crate::Outcome;
use crate::meter::Meter;
use crate::payload::{self, Heap, check};
use crate::server::{Server, inherited_socket, say_ready};
use crate::work::{Read, Task, Work};

const DEADLINE: Duration = Duration::from_secs(60);

#[::tarpc::service]
trait Service {
    async fn null();
    async fn one(numbers: Bytes, index: u64) -> u64;
    async fn sum(numbers: Bytes) -> u64;
    async fn incremented(numbers: Bytes) -> Bytes;
}

#[derive(Clone)]
struct Served;

impl Service for Served {
    async fn null(self, _: Context) {}

    async fn one(self, _: Context, numbers: Bytes, index: u64) -> u64 {
        payload::number_in(&numbers, index)
    }

    async fn sum(self, _: Context, numbers: Bytes) -> u64 {
        payload::sum_bytes(&numbers)
    }

    async fn incremented(self, _: Context, numbers: Bytes) -> Bytes {
        payload::incremented_bytes(&numbers).into()
    }
}

fn transport<Item, SinkItem>(
    socket: UnixStream,
) -> Transport<UnixStream, Item, SinkItem, Bincode<Item, SinkItem>>
where
    Item: for<'de> serde::Deserialize<'de>,
    SinkItem: serde::Serialize,
{
    let framed = LengthDelimitedCodec::builder()
        .max_frame_length(u32::MAX as usize)
        .new_framed(socket);
    serde_transport::new(framed, Bincode::default())
}

fn context() -> Context {
    let mut context = context::current();
    context.deadline = Instant::now() + DEADLINE;
    context
}

pub(crate) struct Tarpc {
    pub(crate) environment: &'static [(&'static str, &'static str)],
}

impl System for Tarpc {
    fn lacks(&self, work: &Work) -> Option<&'static str> {
        super::lacks_of_messages(work)
    }

    fn environment(&self) -> &'static [(&'static str, &'static str)] {
        self.environment
    }

    fn call(&self, name: &str, work: &Work, meter: &mut Meter) -> Outcome {
        super::current_thread()?.block_on(async {
            if work.task == Task::Spawn {
                let start = async |()| {
                    let (server, client) = connect(name, work)?;
                    client.null(context()).await?;
                    Ok(server)
                };
                return meter.each_alone_async(nothing, start).await;
            }
            let (_server, client) = connect(name, work)?;
            let heap = Heap::new(work.task.n_bytes());
            let numbers = heap.bytes();
            match work.task {
                Task::Heap(Read::One, _) => {
                    let mut index = 0;
                    let one = async || {
                        index = (index + 8191) % heap.numbers.len() as u64;
                        let element = client.one(context(), numbers.clone(), index).await?;
                        check(element, payload::number(index))
                    };
                    meter.each_async(one).await
                }
                Task::Heap(Read::All, _) => {
                    let sum =
                        async || check(client.sum(context(), numbers.clone()).await?, heap.sum);
                    meter.each_async(sum).await
                }
                Task::Returned(_) => {
                    let returned = async || {
                        let incremented = client.incremented(context(), numbers.clone()).await?;
                        check(payload::sum_bytes(&incremented), heap.sum_incremented)
                    };
                    meter.each_async(returned).await
                }
                _ => {
                    let null = async || Ok(client.null(context()).await?);
                    match work.n_in_flight {
                        1 => meter.each_async(null).await,
                        _ => meter.in_flight_async(null).await,
                    }
                }
            }
        })
    }

    fn serve(&self, _: &Work, _: &[String]) -> Outcome {
        super::current_thread()?.block_on(async {
            let socket = inherited_socket()?;
            socket.set_nonblocking(true)?;
            let channel = BaseChannel::with_defaults(transport(UnixStream::from_std(socket)?));
            say_ready()?;
            let answers = channel.execute(Served.serve());
            answers.for_each(|answer| answer).await;
            Ok(())
        })
    }
}

fn connect(name: &str, work: &Work) -> Outcome<(Server, ServiceClient)> {
    let server = Server::start(name, work, &[])?;
    let mut config = Config::default();
    config.pending_request_buffer = work.n_in_flight.max(100);
    let client = ServiceClient::new(config, transport(server.socket()?)).spawn();
    Ok((server, client))
}
