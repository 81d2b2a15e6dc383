//! Liars: what nodes do to the bytes they send. Content is a number here: 0 is what the torrent says.

use torr::base::{Rng, Sha1Digest, Span};

/// The content of a block: 0 is right, everything else is some liar's.
pub type Content = u64;

/// How a node treats those who ask it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// Sends what was asked for.
    Honest,
    /// Every block is wrong.
    AlwaysLies,
    /// The first block of each piece is wrong.
    OneBlockPerPiece,
    /// A block is wrong once in so many.
    Sometimes(u64),
    /// Promises, and sends nothing at all.
    Mute,
}

impl Manner {
    /// Whether it may ever send wrong bytes.
    pub fn lies(self) -> bool {
        matches!(self, Self::AlwaysLies | Self::OneBlockPerPiece | Self::Sometimes(_))
    }

    /// The content that this node sends for a span.
    pub fn content(self, rng: &mut Rng, node: usize, span: Span) -> Content {
        let wrong = match self {
            Self::Honest | Self::Mute => false,
            Self::AlwaysLies => true,
            Self::OneBlockPerPiece => span.begin() == 0,
            Self::Sometimes(n) => rng.one_in(n),
        };
        if wrong { 1 + node as u64 } else { 0 }
    }
}

/// The digest of a block with this content.
pub fn digest(piece: u32, block: u32, content: Content) -> Sha1Digest {
    let mut digest = [0; 20];
    digest[..4].copy_from_slice(&piece.to_be_bytes());
    digest[4..8].copy_from_slice(&block.to_be_bytes());
    digest[8..16].copy_from_slice(&content.to_be_bytes());
    digest
}
