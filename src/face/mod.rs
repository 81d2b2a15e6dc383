//! How people meet torr. A face looks at snapshots of the engine and sends it wishes; it decides
//! nothing about peers or pieces. Commands that need no engine (create, show, verify) use `proto`
//! and `store` directly.

pub mod cli;
