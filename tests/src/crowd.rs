//! A host whose user has as many descriptors on their way as it may.

use std::error::Error;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

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
/// How often it is tried, where others of the same user have descriptors on their way.
const N_ATTEMPTS: usize = 100;
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
    let worker = Worker::builder(path).name("crowded").spawn().await?;
    let arrays = worker.import::<arrays::Client>().await?;
    // Whoever else this user runs counts, too: only now, that the worker has what it needs.
    limit(Resource::Nofile, N_DESCRIPTORS)?;
    let crowd = Crowd::new()?;
    for _ in 0..N_ATTEMPTS {
        let Some(n_sent) = crowd.gather()? else {
            println!("skipped: this kernel doesn't count descriptors on their way");
            return Ok(());
        };
        // Each time one that the worker doesn't know yet.
        reedbed::trim_pool();
        let tensor = Tensor::<i64, Ix1>::from_elem(100_000, 1)?;
        let mut call = std::pin::pin!(async { arrays.sum(&tensor).await });
        match watch(call.as_mut())? {
            Watched::Waits(waits) => {
                crowd.disperse(n_sent)?;
                println!("the driver sleeps: {}", waits.sleeps());
                eprintln!("the driver: {waits:?}");
                println!("the call is answered: {}", call.await?);
                return Ok(());
            }
            // Somebody else's descriptors have arrived, and theirs had room.
            Watched::Answered(answer) => {
                crowd.disperse(n_sent)?;
                answer?;
            }
        }
    }
    Err("a call with a descriptor is answered where none can be sent".into())
}

/// What was seen of a call.
enum Watched<T> {
    Waits(Waits),
    Answered(T),
}

/// What a driver did while a call waited.
#[derive(Debug)]
struct Waits {
    n_naps: u64,
    n_ticks: u64,
    took: Duration,
}

impl Waits {
    fn sleeps(&self) -> bool {
        self.n_ticks <= N_TICKS && self.took >= LEAST
    }
}

/// Watches the driver until it has slept, or worked, for long enough, or the call is answered.
fn watch<T>(mut call: Pin<&mut impl Future<Output = T>>) -> Result<Watched<T>, Box<dyn Error>> {
    let mut context = Context::from_waker(Waker::noop());
    let before = driver()?;
    let since = Instant::now();
    loop {
        if let Poll::Ready(answer) = call.as_mut().poll(&mut context) {
            return Ok(Watched::Answered(answer));
        }
        let now = driver()?;
        let waits = Waits {
            n_naps: now.n_switches[0] - before.n_switches[0],
            n_ticks: now.n_ticks.iter().sum::<u64>() - before.n_ticks.iter().sum::<u64>(),
            took: since.elapsed(),
        };
        if waits.n_naps >= N_NAPS || waits.n_ticks > N_TICKS {
            return Ok(Watched::Waits(waits));
        }
        std::thread::yield_now();
    }
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
