//! The reserved bits of a handshake.

/// What a peer can do, by the reserved bytes of its handshake (BEP 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// The fast extension (BEP 6).
    pub const fn fast(self) -> bool {
        self.0[7] & 0x04 != 0
    }

    /// The extension protocol (BEP 10).
    pub const fn extended(self) -> bool {
        self.0[5] & 0x10 != 0
    }

    /// The distributed hash table (BEP 5).
    pub const fn dht(self) -> bool {
        self.0[7] & 0x01 != 0
    }
}
