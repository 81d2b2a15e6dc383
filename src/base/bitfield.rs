//! A set of pieces, one bit each.

use super::Piece;

/// A set of piece numbers below a fixed length, laid out as BEP 3 sends it: the high bit of the
/// first byte is piece 0.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Bitfield {
    bytes: Vec<u8>,
    len: u32,
    ones: u32,
}

impl Bitfield {
    /// A set for no pieces at all.
    pub const EMPTY: Self = Self { bytes: Vec::new(), len: 0, ones: 0 };

    /// A set for this many pieces, holding none.
    pub fn none(len: u32) -> Self {
        Self { bytes: vec![0; len.div_ceil(8) as usize], len, ones: 0 }
    }

    /// A set for this many pieces, holding all.
    pub fn all(len: u32) -> Self {
        let mut set = Self { bytes: vec![0xff; len.div_ceil(8) as usize], len, ones: len };
        if let (Some(last), extra @ 1..) = (set.bytes.last_mut(), len % 8) {
            *last = 0xff << (8 - extra);
        }
        set
    }

    /// The set in the bytes of a bitfield message: `None` unless the length is exact and the spare
    /// bits at the end are clear (BEP 3).
    pub fn from_bytes(bytes: &[u8], len: u32) -> Option<Self> {
        if bytes.len() != len.div_ceil(8) as usize {
            return None;
        }
        if let (Some(last), extra @ 1..) = (bytes.last(), len % 8)
            && last & (0xff >> extra) != 0
        {
            return None;
        }
        let ones = bytes.iter().map(|b| b.count_ones()).sum();
        Some(Self { bytes: bytes.to_vec(), len, ones })
    }

    /// The bytes of a bitfield message.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many pieces there are, held or not.
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// How many pieces are held.
    pub const fn count(&self) -> u32 {
        self.ones
    }

    /// Whether every piece is held.
    pub const fn is_full(&self) -> bool {
        self.ones == self.len
    }

    /// Whether no piece is held.
    pub const fn is_empty(&self) -> bool {
        self.ones == 0
    }

    /// Whether this piece is held; no piece beyond the end is.
    pub fn has(&self, piece: Piece) -> bool {
        let at = piece.index();
        at < self.len && self.bytes[(at / 8) as usize] & (0x80 >> (at % 8)) != 0
    }

    /// Adds a piece; says whether it is new. A piece beyond the end is not added.
    pub fn insert(&mut self, piece: Piece) -> bool {
        let at = piece.index();
        if at >= self.len || self.has(piece) {
            return false;
        }
        self.bytes[(at / 8) as usize] |= 0x80 >> (at % 8);
        self.ones += 1;
        true
    }

    /// Takes a piece out; says whether it was there.
    pub fn remove(&mut self, piece: Piece) -> bool {
        if !self.has(piece) {
            return false;
        }
        let at = piece.index();
        self.bytes[(at / 8) as usize] &= !(0x80 >> (at % 8));
        self.ones -= 1;
        true
    }

    /// Takes out every piece that `other` does not hold.
    pub fn retain(&mut self, other: &Self) {
        self.ones = 0;
        for (at, mine) in self.bytes.iter_mut().enumerate() {
            *mine &= other.bytes.get(at).copied().unwrap_or(0);
            self.ones += mine.count_ones();
        }
    }

    /// The pieces that are held, in order.
    pub fn iter(&self) -> impl Iterator<Item = Piece> + '_ {
        self.bytes.iter().enumerate().flat_map(|(i, &byte)| {
            (0..8).filter(move |bit| byte & (0x80 >> bit) != 0).map(move |bit| Piece::raw(i as u32 * 8 + bit))
        })
    }

    /// Whether `other` holds a piece that this set lacks.
    pub fn lacks_some_of(&self, other: &Self) -> bool {
        self.bytes.iter().zip(&other.bytes).any(|(mine, theirs)| theirs & !mine != 0)
    }
}

impl std::fmt::Debug for Bitfield {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bitfield({} of {})", self.ones, self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spare_bits_and_wrong_lengths_are_refused() {
        assert!(Bitfield::from_bytes(&[0xff, 0x80], 9).is_some_and(|b| b.is_full()));
        assert!(Bitfield::from_bytes(&[0xff, 0xc0], 9).is_none());
        assert!(Bitfield::from_bytes(&[0xff], 9).is_none());
        assert!(Bitfield::from_bytes(&[0xff, 0, 0], 9).is_none());
        assert!(Bitfield::from_bytes(&[], 0).is_some());
    }

    #[test]
    fn a_set_counts_what_it_holds() {
        let mut set = Bitfield::none(10);
        assert!(set.insert(Piece::raw(9)));
        assert!(!set.insert(Piece::raw(9)));
        assert!(!set.insert(Piece::raw(10)));
        assert_eq!(set.count(), 1);
        assert_eq!(set.iter().map(Piece::index).collect::<Vec<_>>(), [9]);
        assert!(set.remove(Piece::raw(9)));
        assert!(set.is_empty());
        assert_eq!(Bitfield::all(10).as_bytes(), [0xff, 0xc0]);
        assert_eq!(Bitfield::all(16).count(), 16);
        assert!(set.lacks_some_of(&Bitfield::all(10)));
        assert!(!Bitfield::all(10).lacks_some_of(&set));
        set.insert(Piece::raw(3));
        let mut all = Bitfield::all(10);
        all.retain(&set);
        assert_eq!(all, set);
        set.retain(&Bitfield::none(10));
        assert!(set.is_empty());
    }
}
