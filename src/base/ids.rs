//! Identifiers that cannot be confused with one another.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// A SHA-1 digest, 20 bytes.
pub type Sha1Digest = [u8; 20];
/// A SHA-256 digest, 32 bytes.
pub type Sha256Digest = [u8; 32];

/// The info-hashes of a torrent: the digest of its raw info dictionary by SHA-1 (v1, BEP 3), by
/// SHA-256 (v2, BEP 52), or both (hybrid).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InfoHashes(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Kind {
    V1(Sha1Digest),
    V2(Sha256Digest),
    Both(Sha1Digest, Sha256Digest),
}

impl InfoHashes {
    /// The identity of a v1 torrent.
    pub const fn from_v1(digest: Sha1Digest) -> Self {
        Self(Kind::V1(digest))
    }

    /// The identity of a v2 torrent.
    pub const fn from_v2(digest: Sha256Digest) -> Self {
        Self(Kind::V2(digest))
    }

    /// The identity of a torrent that is both.
    pub const fn hybrid(v1: Sha1Digest, v2: Sha256Digest) -> Self {
        Self(Kind::Both(v1, v2))
    }

    /// The v1 digest, where there is one.
    pub const fn v1(&self) -> Option<Sha1Digest> {
        match self.0 {
            Kind::V1(digest) | Kind::Both(digest, _) => Some(digest),
            Kind::V2(_) => None,
        }
    }

    /// The v2 digest, where there is one.
    pub const fn v2(&self) -> Option<Sha256Digest> {
        match self.0 {
            Kind::V2(digest) | Kind::Both(_, digest) => Some(digest),
            Kind::V1(_) => None,
        }
    }

    /// The first of the [`wire_names`](Self::wire_names).
    pub fn wire(&self) -> [u8; 20] {
        let (first, _) = self.wire_pair();
        first
    }

    /// The names of 20 bytes under which handshakes, trackers and the DHT know the torrent: the v1 digest,
    /// then the first 20 bytes of the v2 digest (BEP 52, "infohash"). A hybrid torrent has both, one for
    /// each of its swarms (BEP 52, "upgrade path").
    pub fn wire_names(&self) -> impl Iterator<Item = [u8; 20]> + use<> {
        let (first, second) = self.wire_pair();
        std::iter::once(first).chain(second)
    }

    /// The info-hashes one by one, in the order of the [`wire_names`](Self::wire_names): each names one swarm.
    pub fn swarms(&self) -> impl Iterator<Item = Self> + use<> {
        self.v1().map(Self::from_v1).into_iter().chain(self.v2().map(Self::from_v2))
    }

    /// Whether this is one of the [`wire_names`](Self::wire_names).
    pub fn contains(&self, wire: &[u8; 20]) -> bool {
        self.wire_names().any(|name| name == *wire)
    }

    /// Whether both have one of the [`wire_names`](Self::wire_names): to peers they are one torrent.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.wire_names().any(|name| other.contains(&name))
    }

    /// Adds the hashes that have become known of the same torrent; nothing where they contradict those that
    /// were known.
    #[must_use]
    pub fn merge(self, other: Self) -> Option<Self> {
        let v1 = agreed(self.v1(), other.v1())?;
        let v2 = agreed(self.v2(), other.v2())?;
        match (v1, v2) {
            (Some(v1), Some(v2)) => Some(Self::hybrid(v1, v2)),
            (Some(v1), None) => Some(Self::from_v1(v1)),
            (None, v2) => v2.map(Self::from_v2),
        }
    }

    fn wire_pair(&self) -> ([u8; 20], Option<[u8; 20]>) {
        let short = |digest: Sha256Digest| std::array::from_fn(|at| digest[at]);
        match self.0 {
            Kind::V1(v1) => (v1, None),
            Kind::V2(v2) => (short(v2), None),
            Kind::Both(v1, v2) => (v1, Some(short(v2))),
        }
    }

    /// The first six hexadecimal digits, by which people name a torrent.
    pub fn short(&self) -> String {
        HEXLOWER.encode(&self.wire()[..3])
    }
}

impl fmt::Display for InfoHashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::V1(digest) | Kind::Both(digest, _) => f.write_str(&HEXLOWER.encode(&digest)),
            Kind::V2(digest) => f.write_str(&HEXLOWER.encode(&digest)),
        }
    }
}

impl fmt::Debug for InfoHashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InfoHashes({self})")
    }
}

/// The digest that one or both name; nothing where they name two.
fn agreed<T: PartialEq>(one: Option<T>, other: Option<T>) -> Option<Option<T>> {
    match (one, other) {
        (Some(one), Some(other)) => (one == other).then_some(Some(one)),
        (one, other) => Some(one.or(other)),
    }
}

/// Why a text is no info-hash.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an info-hash has 40 or 64 hexadecimal digits")]
pub struct IdError;

impl FromStr for InfoHashes {
    type Err = IdError;

    /// Reads 40 (v1) or 64 (v2) hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, IdError> {
        fn digits<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
            let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| IdError)?;
            bytes.try_into().map_err(|_| IdError)
        }
        match text.len() {
            40 => digits(text).map(Self::from_v1),
            64 => digits(text).map(Self::from_v2),
            _ => Err(IdError),
        }
    }
}

/// The number of a torrent within a session, given out by the session when the torrent is added. It stays
/// the same while the torrent's info-hashes become known, so it is by this that tasks, commands and views
/// name a torrent. It is never given out again while the session lives; another session may give the same
/// torrent another number.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct TorrentId(u32);

impl TorrentId {
    /// The first id of a session.
    pub const FIRST: Self = Self(1);

    /// The id with this number, as it was read from outside; a torrent of it need not exist.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number itself.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The id to give out after this one.
    ///
    /// # Panics
    /// After 2^32 - 1 torrents.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("a session adds fewer than 2^32 torrents"))
    }
}

impl fmt::Display for TorrentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The 20 bytes by which a peer names itself (BEP 3, BEP 20). Chosen by the peer, so it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub [u8; 20]);

impl PeerId {
    /// The beginning of a torr id in the Azureus style of BEP 20: `-tR`, major and minor version, `00-`.
    pub const CLIENT: [u8; 8] = {
        let major = version_digit(env!("CARGO_PKG_VERSION_MAJOR"));
        let minor = version_digit(env!("CARGO_PKG_VERSION_MINOR"));
        [b'-', b't', b'R', major, minor, b'0', b'0', b'-']
    };

    /// A torr id: the client and twelve bytes of chance.
    pub fn new(chance: [u8; 12]) -> Self {
        let mut id = [0; 20];
        id[..8].copy_from_slice(&Self::CLIENT);
        id[8..].copy_from_slice(&chance);
        Self(id)
    }
}

/// A number of the version as one character: 0 to 9, then A to Z.
const fn version_digit(text: &str) -> u8 {
    let digits = text.as_bytes();
    let (mut number, mut at) = (0, 0);
    while at < digits.len() {
        number = number * 10 + (digits[at] - b'0');
        at += 1;
    }
    assert!(number < 36, "a number of the version fits one character");
    if number < 10 { b'0' + number } else { b'A' + number - 10 }
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
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_info_hash_reads_back_what_it_prints() {
        let v1 = InfoHashes::from_v1([0xab; 20]);
        assert_eq!(v1.to_string().parse(), Ok(v1));
        assert_eq!(v1.to_string().to_uppercase().parse(), Ok(v1));
        let v2 = InfoHashes::from_v2([0x12; 32]);
        assert_eq!(v2.to_string().parse(), Ok(v2));
        assert_eq!(v1.short(), "ababab");
    }

    #[test]
    fn a_peer_id_says_the_version() {
        let id = PeerId::new([b'x'; 12]);
        let (major, minor) = (env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
        assert_eq!(id.0.to_vec(), format!("-tR{major}{minor}00-xxxxxxxxxxxx").into_bytes());
        assert_eq!(["0", "9", "10", "35"].map(version_digit), *b"09AZ");
    }

    #[test]
    fn what_is_no_info_hash_is_refused() {
        for text in ["", "abc", &"g".repeat(40), &"+1".repeat(20), &"é".repeat(20)] {
            assert_eq!(text.parse::<InfoHashes>(), Err(IdError), "{text}");
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
    fn the_wire_names_are_the_v1_digest_and_the_beginning_of_the_v2_digest() {
        let (v1, v2) = (InfoHashes::from_v1([1; 20]), InfoHashes::from_v2([2; 32]));
        let both = InfoHashes::hybrid([1; 20], [2; 32]);
        for (hashes, names) in [(v1, vec![[1; 20]]), (v2, vec![[2; 20]]), (both, vec![[1; 20], [2; 20]])] {
            assert_eq!(hashes.wire_names().collect::<Vec<_>>(), names);
            assert_eq!(hashes.wire(), names[0]);
            assert!(hashes.swarms().map(|swarm| swarm.wire()).eq(hashes.wire_names()));
            assert!(names.iter().all(|name| hashes.contains(name)) && !hashes.contains(&[3; 20]));
            assert!(hashes.overlaps(&both) && both.overlaps(&hashes));
        }
        assert!(!v1.overlaps(&v2) && !both.overlaps(&InfoHashes::hybrid([3; 20], [4; 32])));
    }

    #[test]
    fn hashes_that_become_known_are_added_and_never_replaced() {
        let (v1, v2) = (InfoHashes::from_v1([1; 20]), InfoHashes::from_v2([2; 32]));
        let both = InfoHashes::hybrid([1; 20], [2; 32]);
        for (one, other, merged) in [
            (v1, v1, Some(v1)),
            (v2, v2, Some(v2)),
            (v1, v2, Some(both)),
            (v1, both, Some(both)),
            (both, both, Some(both)),
            (v1, InfoHashes::from_v1([9; 20]), None),
            (v2, InfoHashes::hybrid([1; 20], [9; 32]), None),
            (both, InfoHashes::hybrid([9; 20], [2; 32]), None),
        ] {
            assert_eq!(one.merge(other), merged);
            assert_eq!(other.merge(one), merged);
        }
    }

    #[test]
    fn torrent_ids_count_up() {
        let second = TorrentId::FIRST.next();
        assert_eq!((second.number(), second.to_string().as_str()), (2, "2"));
        assert!(second > TorrentId::FIRST && second == TorrentId::new(2));
    }
}
