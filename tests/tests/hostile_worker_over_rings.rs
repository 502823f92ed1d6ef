//! The worker of `hostile_worker.rs` once more, through rings.

#[path = "hostile_worker.rs"]
mod hostile_worker;
