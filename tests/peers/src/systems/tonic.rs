//! tonic over a Unix socket.
//!
//! - Protocol buffers with `bytes` fields as `bytes::Bytes` (prost's `bytes = "bytes"`), which are
//!   decoded without a copy.
//! - The connector hands out the one socket, as in tonic's example `uds`
//!   (`examples/src/uds/client_with_connector.rs`); `TCP_NODELAY` doesn't concern Unix sockets.
//! - No limit on messages (4 MiB otherwise: `max_decoding_message_size`).
//! - HTTP/2 windows of 2 GiB and frames of 16 MiB, the most the protocol allows
//!   (`initial_stream_window_size`, `initial_connection_window_size`, `max_frame_size`): with the
//!   defaults (64 KiB, 16 KiB) a large message waits for window updates.
//! - Both sides run in a current-thread runtime. Measured beside a multi-thread one, a null call took
//!   0.3 to 0.6 of its time, 64 MiB the same.

use std::sync::Mutex;

use ::tonic::transport::{Channel, Endpoint};
use ::tonic::{Request, Response, Status};
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tower::service_fn;

use super::{System, nothing};
use crate::Outcome;
use crate::meter::Meter;
use crate::payload::{self, Heap, check};
use crate::server::{Server, inherited_socket, say_ready};
use crate::work::{Read, Task, Work};

#[expect(
    unreachable_pub,
    clippy::allow_attributes_without_reason,
    reason = "generated"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/peers.Peer.rs"));
}

use generated::peer_client::PeerClient;
use generated::peer_server::{Peer, PeerServer};

const MAX_WINDOW: u32 = i32::MAX as u32;
const MAX_FRAME: u32 = (1 << 24) - 1;

/// Requests and replies: an array, or a number, or the index of one.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Message {
    #[prost(bytes = "bytes", tag = "1")]
    numbers: Bytes,
    #[prost(uint64, tag = "2")]
    number: u64,
}

impl Message {
    fn array(numbers: Bytes) -> Self {
        Self { numbers, number: 0 }
    }
}

struct Served;

#[::tonic::async_trait]
impl Peer for Served {
    async fn null(&self, _: Request<Message>) -> Result<Response<Message>, Status> {
        Ok(Response::new(Message::default()))
    }

    async fn one(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        let request = request.into_inner();
        let number = payload::number_in(&request.numbers, request.number);
        Ok(Response::new(Message {
            number,
            ..Message::default()
        }))
    }

    async fn sum(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        let number = payload::sum_bytes(&request.into_inner().numbers);
        Ok(Response::new(Message {
            number,
            ..Message::default()
        }))
    }

    async fn incremented(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        let incremented = payload::incremented_bytes(&request.into_inner().numbers);
        Ok(Response::new(Message::array(incremented.into())))
    }
}

pub(crate) struct Tonic {
    pub(crate) environment: &'static [(&'static str, &'static str)],
}

impl System for Tonic {
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
                    let (server, mut client) = connect(name, work).await?;
                    client.null(Message::default()).await?;
                    Ok(server)
                };
                return meter.each_alone_async(nothing, start).await;
            }
            let (_server, client) = connect(name, work).await?;
            let heap = Heap::new(work.task.n_bytes());
            let numbers = heap.bytes();
            match work.task {
                Task::Heap(Read::One, _) => {
                    let mut index = 0;
                    let one = async || {
                        index = (index + 8191) % heap.numbers.len() as u64;
                        let numbers = numbers.clone();
                        let request = Message {
                            numbers,
                            number: index,
                        };
                        let reply = client.clone().one(request).await?;
                        check(reply.into_inner().number, payload::number(index))
                    };
                    meter.each_async(one).await
                }
                Task::Heap(Read::All, _) => {
                    let sum = async || {
                        let request = Message::array(numbers.clone());
                        let reply = client.clone().sum(request).await?;
                        check(reply.into_inner().number, heap.sum)
                    };
                    meter.each_async(sum).await
                }
                Task::Returned(_) => {
                    let returned = async || {
                        let request = Message::array(numbers.clone());
                        let reply = client.clone().incremented(request).await?;
                        let sum = payload::sum_bytes(&reply.into_inner().numbers);
                        check(sum, heap.sum_incremented)
                    };
                    meter.each_async(returned).await
                }
                _ => {
                    let null = async || {
                        client.clone().null(Message::default()).await?;
                        Ok(())
                    };
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
            let socket = UnixStream::from_std(socket)?;
            let service = PeerServer::new(Served)
                .max_decoding_message_size(usize::MAX)
                .max_encoding_message_size(usize::MAX);
            say_ready()?;
            // One connection, and none after it.
            let connections = futures::stream::iter([Ok::<_, std::io::Error>(socket)]);
            let connections = futures::StreamExt::chain(connections, futures::stream::pending());
            ::tonic::transport::Server::builder()
                .initial_stream_window_size(MAX_WINDOW)
                .initial_connection_window_size(MAX_WINDOW)
                .max_frame_size(MAX_FRAME)
                .add_service(service)
                .serve_with_incoming(connections)
                .await?;
            Ok(())
        })
    }
}

async fn connect(name: &str, work: &Work) -> Outcome<(Server, PeerClient<Channel>)> {
    let server = Server::start(name, work, &[])?;
    let socket = Mutex::new(Some(server.socket()?));
    // The address is asked for, and not used.
    let channel = Endpoint::from_static("http://peer")
        .initial_stream_window_size(MAX_WINDOW)
        .initial_connection_window_size(MAX_WINDOW)
        .max_frame_size(MAX_FRAME)
        .connect_with_connector(service_fn(move |_| {
            let socket = socket.lock().ok().and_then(|mut socket| socket.take());
            let lost = || std::io::Error::other("the connection was lost");
            std::future::ready(socket.map(TokioIo::new).ok_or_else(lost))
        }))
        .await?;
    let client = PeerClient::new(channel)
        .max_decoding_message_size(usize::MAX)
        .max_encoding_message_size(usize::MAX);
    Ok((server, client))
}
