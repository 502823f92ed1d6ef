//! The worker of `hostile_worker` once more, through rings.

#[path = "hostile_worker/main.rs"]
mod hostile_worker;
