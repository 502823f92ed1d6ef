//! The host of `hostile_host` once more, through rings.

#[path = "hostile_host/main.rs"]
mod hostile_host;
