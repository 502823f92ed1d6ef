//! A host whose user has as many descriptors on their way as it may.

use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use futures::poll;
use ndarray::Ix1;
use reedbed::{Tensor, Worker};
use rustix::cmsg_space;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketFlags, SocketType,
};
use rustix::process::Resource;
use rustix::thread::CapabilitySet;

use crate::limits::limit;
use crate::modules::arrays;
use crate::system::{Activity, activity};

/// How many descriptors may be on their way.
const N_DESCRIPTORS: u64 = 64;
/// How often the driver shall have given the processor away: a few times for each attempt to send.
const N_NAPS: u64 = 40;
/// How long that takes at least, if it sleeps for 10 ms after each.
const LEAST: Duration = Duration::from_millis(40);
/// The ticks of a processor, of some 10 ms each, after which it plainly doesn't.
const N_TICKS: u64 = 10;

/// Calls with a tensor whose descriptor can't be sent yet.
pub(crate) async fn crowded_socket(path: &str) -> Result<(), Box<dyn Error>> {
    // With these, a process sends as many as it likes.
    let mut sets = rustix::thread::capabilities(None)?;
    let privileges = CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_RESOURCE;
    sets.effective.remove(privileges);
    sets.permitted.remove(privileges);
    sets.inheritable.remove(privileges);
    rustix::thread::set_capabilities(None, sets)?;
    limit(Resource::Nofile, N_DESCRIPTORS)?;

    let worker = Worker::builder(path).name("crowded").spawn().await?;
    let arrays = worker.import::<arrays::Client>().await?;
    let tensor = Tensor::<i64, Ix1>::from_elem(100_000, 1)?;
    let crowd = Crowd::new()?;
    let Some(n_sent) = crowd.gather()? else {
        println!("skipped: this kernel doesn't count descriptors on their way");
        return Ok(());
    };

    let mut call = std::pin::pin!(async { arrays.sum(&tensor).await });
    let is_pending = poll!(call.as_mut()).is_pending();
    let before = driver()?;
    let since = Instant::now();
    let [n_naps, n_ticks] = loop {
        let now = driver()?;
        let n_naps = now.n_switches[0] - before.n_switches[0];
        let n_ticks = now.n_ticks.iter().sum::<u64>() - before.n_ticks.iter().sum::<u64>();
        if n_naps >= N_NAPS || n_ticks > N_TICKS {
            break [n_naps, n_ticks];
        }
        std::thread::yield_now();
    };
    let took = since.elapsed();
    let is_pending = is_pending && poll!(call.as_mut()).is_pending();
    crowd.disperse(n_sent)?;
    println!("the call waits: {is_pending}");
    let sleeps = n_ticks <= N_TICKS && took >= LEAST;
    println!("the driver sleeps: {sleeps}");
    eprintln!("the driver: {n_naps} naps and {n_ticks} ticks in {took:?}");
    println!("the call is answered: {}", call.await?);
    Ok(())
}

/// What the worker's driver has done.
fn driver() -> Result<Activity, Box<dyn Error>> {
    let threads = activity(std::process::id());
    let driver = threads
        .into_values()
        .find(|thread| thread.name == "reedbed crowded");
    driver.ok_or_else(|| "the driver has ended".into())
}

/// Descriptors that nobody receives.
struct Crowd {
    ours: OwnedFd,
    theirs: OwnedFd,
}

impl Crowd {
    fn new() -> Result<Self, Errno> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::SEQPACKET);
        let (ours, theirs) = rustix::net::socketpair(family, kind, SocketFlags::CLOEXEC, None)?;
        Ok(Self { ours, theirs })
    }

    /// Sends as many as may be on their way; returns how many that were, if there is a limit.
    fn gather(&self) -> Result<Option<usize>, Errno> {
        let input = std::io::stdin();
        for n_sent in 0.. {
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
            let mut ancillary = SendAncillaryBuffer::new(&mut space);
            let descriptors = [input.as_fd()];
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
            let parts = [IoSlice::new(b"one")];
            let flags = SendFlags::DONTWAIT;
            match rustix::net::sendmsg(&self.ours, &parts, &mut ancillary, flags) {
                Ok(_) => {}
                Err(Errno::TOOMANYREFS) => return Ok(Some(n_sent)),
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Receives them, and closes them.
    fn disperse(&self, n: usize) -> Result<(), Errno> {
        for _ in 0..n {
            let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let mut bytes = [0; 3];
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let flags = RecvFlags::DONTWAIT;
            rustix::net::recvmsg(&self.theirs, &mut parts, &mut ancillary, flags)?;
        }
        Ok(())
    }
}
