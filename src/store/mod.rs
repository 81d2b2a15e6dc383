//! Bytes at rest: buffers, files, maps, whole pieces hashed and written by disk threads, and what is
//! remembered from one run to the next.
//!
//! This room acts and does not decide. It knows neither peers nor sockets nor an async runtime: work is
//! handed to [`Disk`], whose plain threads end each job by calling the closure that came with it.

mod assembly;
mod error;
mod layout;
mod pool;

pub use assembly::Assembly;
pub use error::{DiskError, DiskErrorKind};
pub use layout::{Alloc, DiskIo, FileSpec, Layout, VolumeOptions};
pub use pool::{BUF_LEN, Buf, Pool, PoolCounters};
