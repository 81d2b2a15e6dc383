//! Progress. What to show is worked out by pure functions from a snapshot to lines of text; only
//! [`live`] touches the terminal.

pub mod amounts;
pub mod hashing;
pub mod layout;
pub mod live;
pub mod log_lines;
pub mod many;
mod one;
pub mod screen;
pub mod status;
