//! A call that copies its argument, to compare with: the pixels travel inside the request.
//!
//! tarpc over a Unix socket, set up as well as it can be: the bytes are passed as one run, so that
//! the codec copies them in one go.

use std::time::Duration;

use bytes::Bytes;
use tarpc::serde_transport::{self, Transport};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::tokio_util::codec::LengthDelimitedCodec;
use tokio::net::UnixStream;

/// The longest argument: a frame's length has 32 bits, and 4 KiB are left for what is around it.
pub const MAX_BYTES: u64 = u32::MAX as u64 - 4096;
/// How long a call may take; copying gigabytes needs more than tarpc's 10 seconds.
pub const DEADLINE: Duration = Duration::from_secs(600);

/// What the copying worker serves.
#[tarpc::service]
pub trait Copying {
    /// Adds all pixels up: 16 bits each, little-endian.
    async fn sum(pixels: Bytes) -> u64;
}

/// Adds all pixels up.
#[must_use]
pub fn sum(pixels: &[u8]) -> u64 {
    let (pixels, _) = pixels.as_chunks();
    pixels
        .iter()
        .fold(0, |sum, &pixel| sum + u64::from(u16::from_le_bytes(pixel)))
}

/// Sends and receives length-delimited bincode over a socket.
#[must_use]
pub fn transport<Item, SinkItem>(
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
