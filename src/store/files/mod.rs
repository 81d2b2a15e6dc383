//! Files beneath a root: safe opening, a bounded pool of open files, properties of the file system.

mod file_pool;
mod file_system;
mod root;

pub use file_pool::FilePool;
pub(super) use file_pool::{FileKey, OpenFile};
pub(super) use file_system::{FileSystem, free_space, is_hole};
pub use root::FileStatus;
pub(super) use root::{OpenMode, Root};
