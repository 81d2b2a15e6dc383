//! Whole torrents under test: facts in, orders out, names as sentences.

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
mod searching;
mod serving;
mod stage;
