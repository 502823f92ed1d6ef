//! Arguments that are added once there is memory for copies of them.
//!
//! A call whose worker has a budget, or that would rather wait than fail, first finds out how much it
//! copies, and copies nothing until all of that is granted at once. Until then it holds nothing that
//! anyone else could wait for, neither a lease nor memory: it may be forgotten.

use ndarray::Dimension;

use super::error::SendError;
use super::outgoing::Outgoing;
use crate::segment::account::Wanted;
use crate::segment::mapping::Access;
use crate::segment::pool;
use crate::tensor::Element;
use crate::tensor::pointer::Located;

/// Arguments that are yet to be added.
#[derive(Default)]
pub(crate) struct Later<'a> {
    arguments: Vec<Argument<'a>>,
}

struct Argument<'a> {
    name: String,
    /// How much of the body comes before it.
    at: usize,
    /// What is copied for it.
    copied_bytes: usize,
    add: Box<Add<'a>>,
}

type Add<'a> = dyn FnOnce(&str, &mut Outgoing<'a>) -> Result<(), SendError> + Send + 'a;

impl<'a> Outgoing<'a> {
    /// What the copies for arguments that were put off take.
    pub(crate) fn wanted(&self) -> Wanted {
        let later = self.later.iter().flat_map(|later| &later.arguments);
        let lens = later.map(|argument| argument.copied_bytes);
        let lens: Vec<_> = lens.filter(|len| *len > 0).collect();
        let sum = lens
            .iter()
            .fold(0, |sum: u64, len| sum.saturating_add(*len as u64));
        let is_apart = self.channel.stranger().is_some();
        Wanted {
            bytes: sum,
            reserved_bytes: pool::most_reserved_bytes(lens.into_iter(), is_apart),
        }
    }

    /// The argument of which most is copied.
    pub(crate) fn largest(&self) -> &str {
        let later = self.later.iter().flat_map(|later| &later.arguments);
        let largest = later.max_by_key(|argument| argument.copied_bytes);
        largest.map_or("", |argument| &argument.name)
    }

    /// Puts arguments that travel by handle off until [`add_now`](Self::add_now).
    pub(crate) fn add_later(&mut self) {
        self.later = Some(Later::default());
    }

    /// What is copied of elements in a segment to lend them for `access` or (`ReadWrite`) give them away,
    /// if that matters.
    pub(crate) fn copied_bytes<A: Element, D: Dimension>(
        &self,
        located: &Located<A, D>,
        access: Access,
    ) -> usize {
        if self.later.is_none() || self.channel.takes(located.extent().backing(), access) {
            return 0;
        }
        located.raw().len().saturating_mul(size_of::<A>())
    }

    /// Adds an argument, of which `copied_bytes` are copied, or puts it off.
    pub(crate) fn now_or_later(
        &mut self,
        argument: &str,
        copied_bytes: usize,
        add: impl FnOnce(&str, &mut Self) -> Result<(), SendError> + Send + 'a,
    ) -> Result<(), SendError> {
        let at = self.body.len();
        let Some(later) = &mut self.later else {
            return add(argument, self);
        };
        later.arguments.push(Argument {
            name: argument.to_owned(),
            at,
            copied_bytes,
            add: Box::new(add),
        });
        Ok(())
    }

    /// Adds the arguments that were put off, each in its place.
    ///
    /// # Errors
    /// If one of them can't be sent. Those behind it are added all the same.
    pub(crate) fn add_now(&mut self) -> Result<(), SendError> {
        let Some(later) = self.later.take() else {
            return Ok(());
        };
        let body = std::mem::take(&mut self.body);
        let mut n_written = 0;
        for argument in later.arguments {
            self.body.extend_from_slice(&body[n_written..argument.at]);
            n_written = argument.at;
            let added = (argument.add)(&argument.name, self);
            self.note(added);
        }
        self.body.extend_from_slice(&body[n_written..]);
        self.finish()
    }

    /// As [`add_now`](Self::add_now), for a call that isn't sent: what was passed by value can be handed
    /// back then, and nothing is copied.
    pub(crate) fn add_in_vain(&mut self) {
        self.forbids_copies = true;
        let _ = self.add_now();
    }
}
