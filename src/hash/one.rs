//! One message in one stream.

use sha1::Digest;

use crate::base::{Sha1Digest, Sha256Digest};

/// SHA-1 (FIPS 180-4) of one message that comes in parts.
#[derive(Clone, Default, Debug)]
pub struct Sha1(sha1::Sha1);

impl Sha1 {
    /// Begins a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `bytes` to the message.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends the message.
    pub fn finish(self) -> Sha1Digest {
        self.0.finalize().into()
    }
}

/// SHA-256 (FIPS 180-4) of one message that comes in parts.
#[derive(Clone, Default, Debug)]
pub struct Sha256(sha2::Sha256);

impl Sha256 {
    /// Begins a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends `bytes` to the message.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends the message.
    pub fn finish(self) -> Sha256Digest {
        self.0.finalize().into()
    }
}

/// The SHA-1 digest of `bytes`.
pub fn sha1(bytes: &[u8]) -> Sha1Digest {
    sha1::Sha1::digest(bytes).into()
}

/// The SHA-256 digest of `bytes`.
pub fn sha256(bytes: &[u8]) -> Sha256Digest {
    sha2::Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::InfoHashes;

    #[test]
    fn the_vectors_of_fips_180_hold() {
        let v1 = |digest| InfoHashes::from_v1(digest).to_string();
        let v2 = |digest| InfoHashes::from_v2(digest).to_string();
        assert_eq!(v1(sha1(b"abc")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(v1(sha1(b"")), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(v2(sha256(b"abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(v2(sha256(b"")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn parts_make_the_same_digest_as_the_whole() {
        let text = [b'a'; 1000];
        let (mut one, mut two) = (Sha1::new(), Sha256::new());
        for part in text.chunks(77) {
            one.update(part);
            two.update(part);
        }
        assert_eq!(one.finish(), sha1(&text));
        assert_eq!(two.finish(), sha256(&text));
    }
}
