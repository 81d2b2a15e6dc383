//! The plan of the house as a test: imports point down and in no circle, the quiet rooms stay quiet, `unsafe`
//! stays in its places, files stay small, no test is forgotten, and documentation begins with its subject.

mod circles;
mod files;
mod imports;
mod modules;
mod rooms;
mod source;
mod words;
