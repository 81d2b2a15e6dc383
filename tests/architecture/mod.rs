//! The plan of the house as a test: imports point down and in no circle, the quiet rooms stay quiet, `unsafe`
//! stays in its places, files stay small and no test is forgotten.

mod circles;
mod files;
mod imports;
mod modules;
mod rooms;
mod source;
