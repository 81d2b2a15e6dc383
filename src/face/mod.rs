//! Faces: what people and programs use torr through. A face shows snapshots of the engine and sends it commands; it
//! decides nothing about peers or pieces.

pub mod cli;
