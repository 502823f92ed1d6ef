//! Sleeping until the other side has sent something, and waking the other side.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::atomic::AtomicU32;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::thread::futex::{self, Flags};

/// What wakes a side that sleeps.
pub(super) enum Bell {
    /// The word that says that it sleeps.
    Futex,
    /// Eventfds, one to be rung and one to be heard through epoll, as an event loop would.
    Epoll {
        ring: OwnedFd,
        hear: OwnedFd,
        epoll: OwnedFd,
    },
}

impl Bell {
    /// Of two eventfds, which it keeps a copy of.
    pub(super) fn epoll(ring: &OwnedFd, hear: &OwnedFd) -> io::Result<Self> {
        let (ring, hear) = (ring.try_clone()?, hear.try_clone()?);
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &hear, EventData::new_u64(0), EventFlags::IN)?;
        Ok(Self::Epoll { ring, hear, epoll })
    }

    /// Sleeps while `parked` is 1; or shorter.
    pub(super) fn sleep(&self, parked: &AtomicU32) -> io::Result<()> {
        match self {
            Self::Futex => match futex::wait(parked, Flags::empty(), 1, None) {
                Err(error) if error != Errno::AGAIN => Err(error.into()),
                _ => Ok(()),
            },
            Self::Epoll { hear, epoll, .. } => {
                epoll::wait(epoll, &mut [MaybeUninit::uninit(); 1], None)?;
                rustix::io::read(hear, &mut [0; 8])?;
                Ok(())
            }
        }
    }

    /// Wakes the side that had set `parked`, which is 0 again.
    pub(super) fn wake(&self, parked: &AtomicU32) -> io::Result<()> {
        match self {
            Self::Futex => futex::wake(parked, Flags::empty(), 1).map(drop)?,
            Self::Epoll { ring, .. } => {
                rustix::io::write(ring, &1u64.to_ne_bytes())?;
            }
        }
        Ok(())
    }
}
