//! Items stored in the DHT (BEP 44).

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::base::NodeId;
use crate::hash::{Sha1, sha1};
use crate::proto::bencode::{Limits, scan};

/// The longest value, in bytes of bencode.
pub const MAX_VALUE: usize = 1000;
/// The longest salt, in bytes.
pub const MAX_SALT: usize = 64;

/// An item stored in the DHT: immutable, with the SHA-1 of its value as its target, or mutable, signed by its
/// owner and replaceable by a later version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Item {
    /// A bencoded value.
    Immutable(Vec<u8>),
    /// A bencoded value with its owner's signature.
    Mutable {
        /// The owner's public key (ed25519).
        key: [u8; 32],
        /// The salt, which distinguishes the items of one owner.
        salt: Vec<u8>,
        /// The sequence number; a higher one replaces a lower one.
        seq: i64,
        /// The owner's signature of salt, sequence number and value.
        signature: [u8; 64],
        /// The bencoded value.
        value: Vec<u8>,
    },
}

/// Reasons why an item is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ItemError {
    /// The value has more than [`MAX_VALUE`] bytes.
    #[error("the value is longer than {MAX_VALUE} bytes")]
    TooLong,
    /// The salt has more than [`MAX_SALT`] bytes.
    #[error("the salt is longer than {MAX_SALT} bytes")]
    SaltTooLong,
    /// The value is not bencode, or its dictionary keys are not sorted.
    #[error("the value is not canonical bencode")]
    NotCanonical,
    /// The signature does not match the public key.
    #[error("the signature is wrong")]
    BadSignature,
}

impl Item {
    /// Makes a signed mutable item. `secret` is the owner's ed25519 seed.
    pub fn signed(secret: &[u8; 32], salt: &[u8], seq: i64, value: Vec<u8>) -> Self {
        let owner = SigningKey::from_bytes(secret);
        let signature = owner.sign(&signed(salt, seq, &value)).to_bytes();
        Self::Mutable { key: owner.verifying_key().to_bytes(), salt: salt.to_vec(), seq, signature, value }
    }

    /// Returns the public key that belongs to an ed25519 seed.
    pub fn key_of(secret: &[u8; 32]) -> [u8; 32] {
        SigningKey::from_bytes(secret).verifying_key().to_bytes()
    }

    /// Returns the item's target: the SHA-1 of the value, or of public key and salt.
    pub fn target(&self) -> NodeId {
        match self {
            Self::Immutable(value) => NodeId(sha1(value)),
            Self::Mutable { key, salt, .. } => Self::target_of(key, salt),
        }
    }

    /// Returns the target of a mutable item: the SHA-1 of public key and salt.
    pub fn target_of(key: &[u8; 32], salt: &[u8]) -> NodeId {
        let mut digest = Sha1::new();
        digest.update(key);
        digest.update(salt);
        NodeId(digest.finish())
    }

    /// Returns the bencoded value.
    pub fn value(&self) -> &[u8] {
        match self {
            Self::Immutable(value) | Self::Mutable { value, .. } => value,
        }
    }

    /// Returns the sequence number of a mutable item.
    pub const fn seq(&self) -> Option<i64> {
        match self {
            Self::Immutable(_) => None,
            Self::Mutable { seq, .. } => Some(*seq),
        }
    }

    /// Checks length, form and signature. Only an item that passes may be stored or passed on.
    pub fn check(&self) -> Result<(), ItemError> {
        let value = self.value();
        if value.len() > MAX_VALUE {
            return Err(ItemError::TooLong);
        }
        let scan = scan(value, Limits::KRPC, b"").map_err(|_| ItemError::NotCanonical)?;
        if scan.len != value.len() || scan.unsorted.is_some() {
            return Err(ItemError::NotCanonical);
        }
        let Self::Mutable { key, salt, seq, signature, .. } = self else { return Ok(()) };
        if salt.len() > MAX_SALT {
            return Err(ItemError::SaltTooLong);
        }
        let key = VerifyingKey::from_bytes(key).map_err(|_| ItemError::BadSignature)?;
        key.verify_strict(&signed(salt, *seq, value), &Signature::from_bytes(signature))
            .map_err(|_| ItemError::BadSignature)
    }
}

/// Returns the bytes that the owner of a mutable item signs (BEP 44, "signature").
pub(super) fn signed(salt: &[u8], seq: i64, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(value.len() + salt.len() + 48);
    if !salt.is_empty() {
        bytes.extend(format!("4:salt{}:", salt.len()).into_bytes());
        bytes.extend(salt);
    }
    bytes.extend(format!("3:seqi{seq}e1:v").into_bytes());
    bytes.extend(value);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
    }

    fn mutable(salt: &str, signature: &str) -> Item {
        Item::Mutable {
            key: bytes("77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548"),
            salt: salt.into(),
            seq: 1,
            signature: bytes(signature),
            value: b"12:Hello World!".to_vec(),
        }
    }

    #[test]
    fn the_published_vectors_hold() {
        let plain = mutable(
            "",
            "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01",
        );
        assert_eq!(plain.check(), Ok(()));
        assert_eq!(plain.target().to_string(), "4a533d47ec9c7d95b1ad75f576cffc641853b750");
        let salted = mutable(
            "foobar",
            "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17ddf9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08",
        );
        assert_eq!(salted.check(), Ok(()));
        assert_eq!(salted.target().to_string(), "411eba73b6f087ca51a3795d9c8c938d365e32c1");
        let immutable = Item::Immutable(b"12:Hello World!".to_vec());
        assert_eq!(immutable.check(), Ok(()));
        assert_eq!(immutable.target().to_string(), "e5f96f6f38320f0f33959cb4d3d656452117aadb");
    }

    #[test]
    fn what_an_owner_signs_may_be_kept() {
        let item = Item::signed(&[7; 32], b"salt", 3, b"i5e".to_vec());
        assert_eq!((item.check(), item.seq()), (Ok(()), Some(3)));
        assert_eq!(item.target(), Item::target_of(&Item::key_of(&[7; 32]), b"salt"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let signed = "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01";
        assert_eq!(mutable("x", signed).check(), Err(ItemError::BadSignature));
        assert_eq!(mutable(&"x".repeat(65), signed).check(), Err(ItemError::SaltTooLong));
        let immutable = |value: &[u8]| Item::Immutable(value.to_vec()).check();
        assert_eq!(immutable(b"i1ei2e"), Err(ItemError::NotCanonical));
        assert_eq!(immutable(b"hello"), Err(ItemError::NotCanonical));
        assert_eq!(immutable(b"d1:bi1e1:ai1ee"), Err(ItemError::NotCanonical));
        assert_eq!(immutable(&[b"996:".to_vec(), vec![0; 996]].concat()), Ok(()));
        assert_eq!(immutable(&[b"997:".to_vec(), vec![0; 997]].concat()), Err(ItemError::TooLong));
    }
}
