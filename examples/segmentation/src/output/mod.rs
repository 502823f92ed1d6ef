//! Writing what was found: label maps, a table, a picture.
//!
//! Every writer takes one row or strip at a time, so it needs little memory for large images too.

mod error;
mod labels;
mod overlay;
mod table;

pub use error::OutputError;
pub use labels::{bin_path, write_label_bin, write_label_tiff};
pub use overlay::write_overlay;
pub use table::write_objects;
