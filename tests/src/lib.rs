//! What the integration tests share: modules for workers to serve, a view of the system from
//! outside, and the wire spoken by hand.

#![forbid(unsafe_code)]

pub mod by_hand;

pub mod bundles;
pub mod commands;
pub mod containers;
pub mod deaths;
pub mod extremes;
pub mod gate;
pub mod limits;
pub mod modules;
pub mod named;
pub mod python;
pub mod serialized;
pub mod services;
pub mod setting;
pub mod shared;
pub mod system;
pub mod tensors;
pub mod watched;
