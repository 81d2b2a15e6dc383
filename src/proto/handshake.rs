//! The handshake, the first 68 bytes of a connection (BEP 3), and its reserved bits (BEP 4).

use std::fmt;

use crate::base::PeerId;

/// The length of a handshake in bytes.
pub const HANDSHAKE_LEN: usize = 68;

const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

/// The eight reserved bytes of a handshake: the extensions that a peer supports (BEP 4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// No extension at all.
    pub const NONE: Self = Self([0; 8]);

    const EXTENDED: (usize, u8) = (5, 0x10);
    const DHT: (usize, u8) = (7, 0x01);
    const FAST: (usize, u8) = (7, 0x04);

    /// Makes a value from the bytes of a handshake.
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes to send in a handshake.
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }

    /// Whether the fast extension (BEP 6) is supported. It takes effect only if both sides support it.
    pub const fn fast(self) -> bool {
        self.has(Self::FAST)
    }

    /// Whether the extension protocol (BEP 10) is supported.
    pub const fn extended(self) -> bool {
        self.has(Self::EXTENDED)
    }

    /// Whether the peer has a DHT node (BEP 5).
    pub const fn dht(self) -> bool {
        self.has(Self::DHT)
    }

    /// Adds support for the fast extension (BEP 6).
    pub const fn with_fast(self) -> Self {
        self.with(Self::FAST)
    }

    /// Adds support for the extension protocol (BEP 10).
    pub const fn with_extended(self) -> Self {
        self.with(Self::EXTENDED)
    }

    /// Adds support for the DHT (BEP 5).
    pub const fn with_dht(self) -> Self {
        self.with(Self::DHT)
    }

    /// Returns the extensions that both sides support.
    pub const fn and(self, other: Self) -> Self {
        Self((u64::from_ne_bytes(self.0) & u64::from_ne_bytes(other.0)).to_ne_bytes())
    }

    const fn has(self, (byte, bit): (usize, u8)) -> bool {
        self.0[byte] & bit != 0
    }

    const fn with(mut self, (byte, bit): (usize, u8)) -> Self {
        self.0[byte] |= bit;
        self
    }
}

impl fmt::Debug for Reserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reserved({:016x})", u64::from_be_bytes(self.0))
    }
}

/// A BitTorrent handshake (BEP 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Handshake {
    /// The info-hash, in the form of [`crate::base::InfoHashes::wire`].
    pub info_hash: [u8; 20],
    /// The sender's peer id.
    pub id: PeerId,
    /// The extensions that the sender supports.
    pub reserved: Reserved,
}

/// The error for bytes that do not begin with the name of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the first bytes are no BitTorrent handshake")]
pub struct HandshakeError;

impl Handshake {
    /// Returns the handshake's bytes.
    pub fn encode(&self) -> [u8; HANDSHAKE_LEN] {
        let mut bytes = [0; HANDSHAKE_LEN];
        bytes[..20].copy_from_slice(PROTOCOL);
        bytes[20..28].copy_from_slice(&self.reserved.0);
        bytes[28..48].copy_from_slice(&self.info_hash);
        bytes[48..].copy_from_slice(&self.id.0);
        bytes
    }

    /// Decodes a handshake.
    pub fn decode(bytes: &[u8; HANDSHAKE_LEN]) -> Result<Self, HandshakeError> {
        fn part<const N: usize>(bytes: &[u8; HANDSHAKE_LEN], at: usize) -> [u8; N] {
            std::array::from_fn(|i| bytes[at + i])
        }
        if bytes[..20] != *PROTOCOL {
            return Err(HandshakeError);
        }
        Ok(Self {
            reserved: Reserved(part(bytes, 20)),
            info_hash: part(bytes, 28),
            id: PeerId(part(bytes, 48)),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bits_are_where_the_beps_put_them() {
        let all = Reserved::NONE.with_fast().with_extended().with_dht();
        assert_eq!(all.bytes(), [0, 0, 0, 0, 0, 0x10, 0, 0x05]);
        assert!(all.fast() && all.extended() && all.dht());
        let fast = all.and(Reserved::NONE.with_fast());
        assert!(fast.fast() && !fast.extended() && !fast.dht());
    }

    #[test]
    fn another_protocol_is_refused() {
        let mut bytes =
            Handshake { info_hash: [1; 20], id: PeerId([2; 20]), reserved: Reserved::NONE }.encode();
        bytes[19] = b'k';
        assert_eq!(Handshake::decode(&bytes), Err(HandshakeError));
    }

    proptest! {
        #[test]
        fn a_handshake_reads_back_what_it_says(info_hash: [u8; 20], id: [u8; 20], reserved: [u8; 8]) {
            let hello = Handshake { info_hash, id: PeerId(id), reserved: Reserved::from_bytes(reserved) };
            prop_assert_eq!(Handshake::decode(&hello.encode()), Ok(hello));
        }
    }
}
