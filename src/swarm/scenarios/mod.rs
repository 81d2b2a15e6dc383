//! Tests of a whole torrent: inputs in, outputs out. Their names are sentences.

mod ahead;
mod announcing;
mod asking;
mod blaming;
mod chaos;
mod exchanging;
mod invariants;
mod long_pieces;
mod meeting;
mod metadata;
mod restoring;
mod searching;
mod serving;
mod stage;
