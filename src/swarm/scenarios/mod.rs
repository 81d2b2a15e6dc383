//! Whole torrents under test: facts in, orders out, names as sentences.

mod announcing;
mod asking;
mod blaming;
mod invariants;
mod meeting;
mod serving;
mod stage;
mod town;
