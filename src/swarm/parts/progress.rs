//! Progress: the pieces we have and the pieces we want, and their bytes.

use crate::base::{Bitfield, Geometry, Piece};

use crate::swarm::event::Priority;

/// The pieces we have, want and lack.
#[derive(Clone, Debug)]
pub struct Progress {
    have: Bitfield,
    lacking: Bitfield,
    priorities: Vec<Priority>,
    wanted_bytes: u64,
    done_bytes: u64,
    have_bytes: u64,
}

impl Progress {
    /// Makes the progress of a torrent; `priorities` has one entry per piece, or none if all are normal.
    pub fn new(geometry: &Geometry, have: Bitfield, priorities: Vec<Priority>) -> Self {
        let pieces = geometry.piece_count();
        let have = if have.len() == pieces { have } else { Bitfield::none(pieces) };
        let mut progress = Self {
            have,
            lacking: Bitfield::none(pieces),
            priorities: Vec::new(),
            wanted_bytes: 0,
            done_bytes: 0,
            have_bytes: 0,
        };
        progress.have_bytes = progress.have.iter().map(|piece| payload(geometry, piece)).sum();
        progress.prioritise(geometry, priorities);
        progress
    }

    /// Changes the priorities.
    pub fn prioritise(&mut self, geometry: &Geometry, mut priorities: Vec<Priority>) {
        priorities.resize(geometry.piece_count() as usize, Priority::Normal);
        self.priorities = priorities;
        self.lacking = Bitfield::none(geometry.piece_count());
        (self.wanted_bytes, self.done_bytes) = (0, 0);
        for piece in
            geometry.pieces().filter(|&piece| self.priorities[piece.index() as usize] != Priority::Skip)
        {
            let bytes = payload(geometry, piece);
            self.wanted_bytes += bytes;
            if self.have.has(piece) {
                self.done_bytes += bytes;
            } else {
                self.lacking.insert(piece);
            }
        }
    }

    /// The pieces that we have.
    pub const fn have(&self) -> &Bitfield {
        &self.have
    }

    /// The pieces that we want and do not have.
    pub const fn lacking(&self) -> &Bitfield {
        &self.lacking
    }

    /// The priority of a piece.
    pub fn priority(&self, piece: Piece) -> Priority {
        self.priorities[piece.index() as usize]
    }

    /// The bytes wanted, the wanted bytes we have, and all bytes we have; padding does not count.
    pub const fn bytes(&self) -> (u64, u64, u64) {
        (self.wanted_bytes, self.done_bytes, self.have_bytes)
    }

    /// Adds a piece. Returns whether it is new.
    pub fn gain(&mut self, geometry: &Geometry, piece: Piece) -> bool {
        let new = self.have.insert(piece);
        if new {
            let bytes = payload(geometry, piece);
            self.have_bytes += bytes;
            if self.lacking.remove(piece) {
                self.done_bytes += bytes;
            }
        }
        new
    }

    /// Removes a piece. Returns whether we had it.
    pub fn lose(&mut self, geometry: &Geometry, piece: Piece) -> bool {
        let lost = self.have.remove(piece);
        if lost {
            let bytes = payload(geometry, piece);
            self.have_bytes -= bytes;
            if self.priority(piece) != Priority::Skip {
                self.lacking.insert(piece);
                self.done_bytes -= bytes;
            }
        }
        lost
    }

    /// The number of missing pieces in this set.
    pub fn interesting(&self, theirs: &Bitfield) -> u32 {
        let both = self.lacking.as_bytes().iter().zip(theirs.as_bytes());
        both.map(|(a, b)| (a & b).count_ones()).sum()
    }
}

/// The number of bytes of a piece without padding.
fn payload(geometry: &Geometry, piece: Piece) -> u64 {
    geometry.parts_of(piece).filter(|part| !part.pad).map(|part| part.len).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_and_skipped_pieces_do_not_count() {
        let geometry = Geometry::new(100, [(150, false), (50, true), (100, false)]).unwrap();
        let piece = |i| geometry.piece(i).unwrap();
        let skip_last = vec![Priority::Normal, Priority::High, Priority::Skip];
        let mut progress = Progress::new(&geometry, Bitfield::none(3), skip_last);
        assert_eq!(progress.bytes(), (150, 0, 0));
        assert!(progress.gain(&geometry, piece(1)) && !progress.gain(&geometry, piece(1)));
        assert!(progress.gain(&geometry, piece(2)));
        assert_eq!(progress.bytes(), (150, 50, 150));
        assert_eq!(progress.interesting(&Bitfield::all(3)), 1);
        assert!(progress.lose(&geometry, piece(1)));
        assert_eq!((progress.bytes(), progress.lacking().count()), ((150, 0, 100), 2));
        progress.prioritise(&geometry, vec![]);
        assert_eq!((progress.bytes(), progress.lacking().count()), ((250, 100, 100), 2));
    }
}
