//! Unpredictable bytes for ids, transaction ids and tokens.

use crate::hash::Sha256;

/// A stream of bytes derived from one secret of the system's randomness. The same secret gives the same
/// stream.
#[derive(Clone)]
pub(super) struct Secrets {
    key: [u8; 32],
    count: u64,
}

impl Secrets {
    pub(super) const fn new(key: [u8; 32]) -> Self {
        Self { key, count: 0 }
    }

    /// Returns the next 32 bytes.
    pub(super) fn draw(&mut self) -> [u8; 32] {
        self.count += 1;
        let mut digest = Sha256::new();
        digest.update(&self.key);
        digest.update(&self.count.to_be_bytes());
        digest.finish()
    }

    /// Returns the next 20 bytes.
    pub(super) fn draw_id(&mut self) -> [u8; 20] {
        let drawn = self.draw();
        std::array::from_fn(|at| drawn[at])
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secrets({} drawn)", self.count)
    }
}
