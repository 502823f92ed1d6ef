//! A call, from the stub's method to the worker's function and back.
//!
//! The caller's side: [`argument`] says what may be passed, [`outgoing`] turns it into a frame,
//! [`copy_back`] is for what the function wrote into copies,
//! [`future`] is the call as its caller holds it, [`pending`] keeps what every call in flight holds
//! until its end, [`entrusted`] what it gives away until the worker has that, [`questions`] what a
//! worker was asked of its modules, [`exchange`] joins them with a channel and a [`dispatch`]er,
//! [`attend`] waits for answers, [`connection`] is the worker behind it, [`later`] has arguments that
//! wait for memory, [`instance`] is what a constructor's caller receives.
//!
//! The worker's side: [`server`] runs the functions, [`incoming`] turns frames into arguments, a
//! [`server_call`] has them, [`reply`] collects what is sent back,
//! [`returned`] turns what they return into replies, [`current`] tells a function about its call.
//!
//! [`trace`] has the spans of both sides.
//!
//! [`error`] says how a call can fail; [`any_error`] is for functions without an error of their own.
//!
//! [`module`] is what the macro's code names, [`tarpc`] lets tarpc's dispatchers stand in for ours.
//! A [`stub`] makes [`request`]s for tarpc's own stubs; [`repeat`] makes one again by itself.

pub(crate) mod any_error;
pub(crate) mod argument;
pub(crate) mod attend;
pub(crate) mod connection;
pub(crate) mod copy_back;
pub(crate) mod current;
pub(crate) mod dispatch;
pub(crate) mod entrusted;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod future;
pub(crate) mod incoming;
pub(crate) mod instance;
pub(crate) mod later;
pub(crate) mod module;
pub(crate) mod outgoing;
pub(crate) mod pending;
pub(crate) mod questions;
pub(crate) mod repeat;
pub(crate) mod reply;
pub(crate) mod report;
pub(crate) mod request;
pub(crate) mod returned;
pub(crate) mod server;
pub(crate) mod server_call;
mod slots;
pub(crate) mod stub;
pub(crate) mod tarpc;
pub(crate) mod trace;
