//! How the torrents of a command ended, and what the process then ends with.

use crate::app::Error;
use crate::face::cli::exit::Exit;

/// How many ended well, and what the others ended with.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcomes {
    /// How many ended well.
    pub done: usize,
    failed: Vec<Exit>,
    flawed: bool,
}

impl Outcomes {
    /// One more ended well.
    pub fn done(&mut self) {
        self.done += 1;
    }

    /// One more did not.
    pub fn failed(&mut self, failure: &Error) {
        self.failed.push(Exit::of(failure));
    }

    /// One ended well, but what was to follow did not.
    pub fn flawed(&mut self) {
        self.flawed = true;
    }

    /// How many did not end well.
    pub fn failures(&self) -> usize {
        self.failed.len()
    }

    /// All well: 0. Some of several: 1. None: the most serious one.
    pub fn exit(&self) -> Exit {
        match (self.done, self.failed.as_slice()) {
            (_, []) if self.flawed => Exit::No,
            (_, []) => Exit::Done,
            (0, failed) => failed.iter().copied().fold(Exit::Done, Exit::worse),
            _ => Exit::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ErrorKind;

    #[test]
    fn the_code_tells_all_some_or_none() {
        let failure = |exit| Error::new(exit, "x", "x");
        let mut outcomes = Outcomes::default();
        assert_eq!(outcomes.exit(), Exit::Done);
        outcomes.flawed();
        assert_eq!(outcomes.exit(), Exit::No);
        let mut outcomes = Outcomes::default();
        outcomes.failed(&failure(ErrorKind::Disk));
        outcomes.failed(&failure(ErrorKind::Network));
        assert_eq!(outcomes.exit(), Exit::Disk);
        outcomes.done();
        assert_eq!(outcomes.exit(), Exit::No);
    }
}
