//! Identifiers that cannot be confused with one another.

use std::fmt;
use std::str::FromStr;

/// A SHA-1 digest, 20 bytes.
pub type Sha1Digest = [u8; 20];
/// A SHA-256 digest, 32 bytes.
pub type Sha256Digest = [u8; 32];

/// What identifies a torrent: the digest of its raw info dictionary, by SHA-1 (v1, BEP 3), by
/// SHA-256 (v2, BEP 52), or both (hybrid).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InfoHash(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    V1(Sha1Digest),
    V2(Sha256Digest),
    Both(Sha1Digest, Sha256Digest),
}

impl InfoHash {
    /// The identity of a v1 torrent.
    pub const fn v1(digest: Sha1Digest) -> Self {
        Self(Kind::V1(digest))
    }

    /// The identity of a v2 torrent.
    pub const fn v2(digest: Sha256Digest) -> Self {
        Self(Kind::V2(digest))
    }

    /// The identity of a torrent that is both.
    pub const fn hybrid(v1: Sha1Digest, v2: Sha256Digest) -> Self {
        Self(Kind::Both(v1, v2))
    }

    /// The v1 digest, where there is one.
    pub const fn sha1(&self) -> Option<Sha1Digest> {
        match self.0 {
            Kind::V1(digest) | Kind::Both(digest, _) => Some(digest),
            Kind::V2(_) => None,
        }
    }

    /// The v2 digest, where there is one.
    pub const fn sha256(&self) -> Option<Sha256Digest> {
        match self.0 {
            Kind::V2(digest) | Kind::Both(_, digest) => Some(digest),
            Kind::V1(_) => None,
        }
    }

    /// The 20 bytes that go into handshakes and announces: the v1 digest, or the first 20 bytes of
    /// the v2 digest (BEP 52, "upgrade path").
    pub fn wire(&self) -> Sha1Digest {
        match self.0 {
            Kind::V1(digest) | Kind::Both(digest, _) => digest,
            Kind::V2(digest) => {
                let mut short = [0; 20];
                short.copy_from_slice(&digest[..20]);
                short
            }
        }
    }

    /// The first six hexadecimal digits, by which people name a torrent.
    pub fn short(&self) -> String {
        hex(&self.wire()[..3])
    }
}

impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::V1(digest) | Kind::Both(digest, _) => f.write_str(&hex(&digest)),
            Kind::V2(digest) => f.write_str(&hex(&digest)),
        }
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InfoHash({self})")
    }
}

/// Why a text is no info-hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an info-hash has 40 or 64 hexadecimal digits")]
pub struct IdError;

impl FromStr for InfoHash {
    type Err = IdError;

    /// Reads 40 (v1) or 64 (v2) hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, IdError> {
        fn digits<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
            let mut out = [0; N];
            for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks(2)) {
                let pair = std::str::from_utf8(pair).map_err(|_| IdError)?;
                if !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                    return Err(IdError);
                }
                *byte = u8::from_str_radix(pair, 16).map_err(|_| IdError)?;
            }
            Ok(out)
        }
        match text.len() {
            40 => digits(text).map(Self::v1),
            64 => digits(text).map(Self::v2),
            _ => Err(IdError),
        }
    }
}

/// The 20 bytes by which a peer names itself (BEP 3, BEP 20). Chosen by the peer, so it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub [u8; 20]);

impl PeerId {
    /// A torr id in the Azureus style of BEP 20: `-tR0100-` and twelve bytes of chance.
    pub fn new(chance: [u8; 12]) -> Self {
        let mut id = *b"-tR0100-____________";
        id[8..].copy_from_slice(&chance);
        Self(id)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({})", self.0.escape_ascii())
    }
}

/// A place in the distributed hash table (BEP 5): of a node, or of what is looked for. How far two are
/// apart is their exclusive or, read as a number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub [u8; 20]);

impl NodeId {
    /// How far the other is away; the smaller, the nearer. Only to be compared with other distances.
    #[must_use]
    pub fn distance(&self, other: &Self) -> [u8; 20] {
        std::array::from_fn(|at| self.0[at] ^ other.0[at])
    }

    /// How many bits the two have in common before the first that differs: 0 to 160.
    pub fn common_bits(&self, other: &Self) -> u32 {
        let distance = self.distance(other);
        let zeros = distance.iter().take_while(|&&byte| byte == 0).count();
        let rest = distance.get(zeros).map_or(0, |byte| byte.leading_zeros());
        zeros as u32 * 8 + rest
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_info_hash_reads_back_what_it_prints() {
        let v1 = InfoHash::v1([0xab; 20]);
        assert_eq!(v1.to_string().parse(), Ok(v1));
        assert_eq!(v1.to_string().to_uppercase().parse(), Ok(v1));
        let v2 = InfoHash::v2([0x12; 32]);
        assert_eq!(v2.to_string().parse(), Ok(v2));
        assert_eq!(v1.short(), "ababab");
    }

    #[test]
    fn what_is_no_info_hash_is_refused() {
        for text in ["", "abc", &"g".repeat(40), &"+1".repeat(20), &"é".repeat(20)] {
            assert_eq!(text.parse::<InfoHash>(), Err(IdError), "{text}");
        }
    }

    #[test]
    fn nodes_are_as_far_apart_as_their_first_difference() {
        let (a, mut b) = (NodeId([0x80; 20]), NodeId([0x80; 20]));
        assert_eq!((a.common_bits(&b), a.distance(&b)), (160, [0; 20]));
        b.0[2] ^= 0x10;
        assert_eq!(a.common_bits(&b), 19);
        assert_eq!(a.common_bits(&NodeId([0; 20])), 0);
        assert!(a.distance(&b) < a.distance(&NodeId([0; 20])));
    }

    #[test]
    fn the_wire_form_of_v2_is_its_beginning() {
        assert_eq!(InfoHash::v2([7; 32]).wire(), [7; 20]);
        assert_eq!(InfoHash::hybrid([1; 20], [2; 32]).wire(), [1; 20]);
    }
}
