//! Files beneath a root: opening them safely, keeping few of them open, and asking the file system.

mod beneath;
mod handles;
mod system;

pub use beneath::Found;
pub(super) use beneath::{Purpose, Root};
pub use handles::Handles;
pub(super) use handles::{FileKey, OpenFile};
pub(super) use system::{FileSystem, free_space, is_hole};
