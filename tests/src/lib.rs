//! What the integration tests share: modules for workers to serve, a view of the system from
//! outside, and the wire spoken by hand.

#![deny(unsafe_code)]

pub mod by_hand;

#[expect(
    unsafe_code,
    reason = "system calls that no crate offers safely, for harm"
)]
pub mod breakout;
pub mod bundles;
pub mod commands;
pub mod containers;
mod crowd;
pub mod deaths;
pub mod extremes;
pub mod families;
pub mod gate;
pub mod limits;
pub mod long_frames;
pub mod modules;
pub mod named;
pub mod pages;
pub mod program;
pub mod python;
pub mod serialized;
pub mod services;
pub mod setting;
pub mod shared;
pub mod system;
pub mod tensors;
pub mod watched;
