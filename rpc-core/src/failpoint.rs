//! Points in the life of a call at which a test has something happen: a process ends there, say.
//!
//! For tests alone, behind the feature `failpoints`. Without it, nothing of this is compiled; with it, a
//! point costs one relaxed load while nothing is armed.
//!
//! ```text
//!  host                                    worker
//!  Sending   leases held, nothing sent
//!  Sent      sent, nothing awaited yet ──► Received   read, nothing of it looked at
//!                                          Decoding   arrays bound, arguments not read
//!                                          Beginning  arguments read, function not begun
//!                                          Running    wherever a function says so itself
//!                                          Returned   result there, arguments let go of
//!                                          Replying   result's arrays handed over, nothing said
//!  Settling  reply read, caller not told ◄─ Replied    said, not noted yet
//!                                          Releasing  cancelled, let go of, not said
//! ```
//!
//! A worker, whose `main` a test may not know, is armed through its environment:
//!
//! ```no_run
//! # async fn start() -> Result<(), reedbed::SpawnError> {
//! use reedbed::failpoint::VARIABLE;
//!
//! // Dies by SIGKILL when a result is about to be sent for the third time.
//! let worker = reedbed::Worker::builder("worker").env(VARIABLE, "replying:3:kill");
//! # worker.spawn().await?; Ok(()) }
//! ```
//!
//! Code, such as a function that the worker serves, or a test in the host, calls [`arm`]:
//!
//! ```
//! use reedbed::failpoint::{Action, Point, arm, disarm, reach};
//!
//! let (sender, receiver) = std::sync::mpsc::channel();
//! arm(Point::Sending, 2, Action::Call(Box::new(move || drop(sender.send("there")))));
//! reach(Point::Sending);
//! assert!(receiver.try_recv().is_err(), "the second time counts");
//! reach(Point::Sending);
//! assert_eq!(receiver.try_recv(), Ok("there"));
//! disarm();
//! ```

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustix::process::{Signal, getpid, kill_process};

/// The variable by which a worker is armed before it serves: `point`, `point:nth` or
/// `point:nth:action`, where the action is `kill` (the default), `abort` or `stop`, and `nth` is 1 by
/// default.
pub const VARIABLE: &str = "REEDBED_FAILPOINT";

/// Whether there is a hook. Relaxed: whoever arms a point orders that by other means, or doesn't
/// care which call is the first to notice.
static IS_ARMED: AtomicBool = AtomicBool::new(false);
static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

type Hook = Arc<dyn Fn(Point) + Send + Sync>;

macro_rules! points {
    ($($point:ident = $name:literal, $docs:literal;)+) => {
        /// A point in the life of a call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Point {
            $(#[doc = $docs] $point,)+
        }

        impl Point {
            /// All of them, in the order in which a call gets there.
            pub const ALL: &[Self] = &[$(Self::$point),+];

            /// Its name, as in [`VARIABLE`].
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

points! {
    Sending = "sending", "The host is about to send a call, whose leases are held.";
    Sent = "sent", "The host has sent a call and has not looked for the answer.";
    Received = "received", "The worker has read a call and not looked at any of it.";
    Decoding = "decoding", "The worker has found the arrays of a call and not read its arguments.";
    Beginning = "beginning", "The worker has read the arguments of a call and is about to run it.";
    Running = "running", "A function of the worker's says that it runs. (It calls [`reach`] itself.)";
    Returned = "returned", "A function has returned and let go of its arguments; nothing was sent.";
    Replying = "replying", "The arrays of a result are the host's, and the reply is about to be sent.";
    Replied = "replied", "A reply was sent, and the worker has not noted that.";
    Releasing = "releasing", "The worker has let go of a cancelled call and is about to say so.";
    Settling = "settling", "The host has read a reply and not told the caller.";
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no point of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no point `{0}` in the life of a call")]
pub struct UnknownPoint(String);

impl FromStr for Point {
    type Err = UnknownPoint;

    fn from_str(name: &str) -> Result<Self, UnknownPoint> {
        let mut all = Self::ALL.iter().copied();
        all.find(|point| point.name() == name)
            .ok_or_else(|| UnknownPoint(name.to_owned()))
    }
}

/// What happens at a point.
pub enum Action {
    /// The process is ended by SIGKILL.
    Kill,
    /// The process aborts.
    Abort,
    /// The process stops until somebody has it continue.
    Stop,
    /// This is called, once, on the thread that got there.
    Call(Box<dyn FnOnce() + Send>),
}

impl Action {
    fn take_place(self) {
        match self {
            Self::Kill => signal_self(Signal::KILL),
            Self::Abort => std::process::abort(),
            Self::Stop => signal_self(Signal::STOP),
            Self::Call(call) => call(),
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "Kill",
            Self::Abort => "Abort",
            Self::Stop => "Stop",
            Self::Call(_) => "Call",
        })
    }
}

fn signal_self(signal: Signal) {
    // It can't fail: a process may always signal itself.
    let _ = kill_process(getpid(), signal);
}

/// Has `action` happen, once, when this process gets to `point` for the `nth` time from now, counted
/// from 1. It takes the place of what was armed or hooked before.
pub fn arm(point: Point, nth: u64, action: Action) {
    let armed = Mutex::new((nth.max(1), Some(action)));
    hook(move |reached| {
        if reached != point {
            return;
        }
        let action = {
            let mut armed = armed.lock().unwrap_or_else(PoisonError::into_inner);
            let (left, action) = &mut *armed;
            *left = left.saturating_sub(1);
            if *left == 0 { action.take() } else { None }
        };
        if let Some(action) = action {
            action.take_place();
        }
    });
}

/// Has `hook` called at every point, on the thread that gets there, in the place of what was armed or
/// hooked before. It must neither panic nor call a worker.
pub fn hook(hook: impl Fn(Point) + Send + Sync + 'static) {
    *HOOK.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(hook));
    IS_ARMED.store(true, Ordering::Relaxed);
}

/// Has nothing happen any more.
pub fn disarm() {
    IS_ARMED.store(false, Ordering::Relaxed);
    *HOOK.write().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Says that this thread has got to a point. Functions of workers may do that for
/// [`Point::Running`].
pub fn reach(point: Point) {
    if IS_ARMED.load(Ordering::Relaxed) {
        reached(point);
    }
}

#[cold]
fn reached(point: Point) {
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(hook) = hook {
        hook(point);
    }
}

/// Arms what [`VARIABLE`] says.
///
/// # Panics
/// If it can't be understood, because a test would otherwise wait for what never happens.
pub(crate) fn arm_from_environment() {
    let Ok(text) = std::env::var(VARIABLE) else {
        return;
    };
    match parse(&text) {
        Ok((point, nth, action)) => arm(point, nth, action),
        Err(reason) => panic!("{VARIABLE} is `{text}`: {reason}"),
    }
}

fn parse(text: &str) -> Result<(Point, u64, Action), String> {
    let mut parts = text.split(':');
    let point = parts.next().unwrap_or_default();
    let point = point
        .parse()
        .map_err(|error: UnknownPoint| error.to_string())?;
    let nth = match parts.next() {
        None => 1,
        Some(nth) => nth.parse().map_err(|_| format!("`{nth}` is no number"))?,
    };
    let action = match parts.next() {
        None | Some("kill") => Action::Kill,
        Some("abort") => Action::Abort,
        Some("stop") => Action::Stop,
        Some(other) => return Err(format!("`{other}` is none of `kill`, `abort` and `stop`")),
    };
    match parts.next() {
        None => Ok((point, nth, action)),
        Some(rest) => Err(format!("`{rest}` is one part too many")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_variable_says_is_understood_or_refused() {
        let parsed =
            |text| parse(text).map(|(point, nth, action)| (point, nth, format!("{action:?}")));
        assert_eq!(
            parsed("received"),
            Ok((Point::Received, 1, "Kill".to_owned()))
        );
        assert_eq!(
            parsed("replying:3:stop"),
            Ok((Point::Replying, 3, "Stop".to_owned()))
        );
        for (text, reason) in [
            ("", "there is no point ``"),
            ("replying:x", "`x` is no number"),
            ("replying:1:explode", "`explode` is none of"),
            ("replying:1:kill:now", "`now` is one part too many"),
        ] {
            let error = parsed(text).expect_err("it means nothing");
            assert!(error.starts_with(reason), "{text}: {error}");
        }
    }

    #[test]
    fn every_point_is_found_by_its_name() {
        for point in Point::ALL {
            assert_eq!(point.name().parse(), Ok(*point));
        }
    }
}
