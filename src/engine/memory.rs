//! The memory of a session for payload being received: one pool of buffers, shared out among the torrents.

use std::sync::{Arc, Mutex, PoisonError};

use crate::base::BLOCK_LEN;
use crate::store::Pool;

/// Memory for incomplete pieces of all downloads, in bytes.
const PIECE_MEMORY: u64 = 32 << 20;

/// The buffer pool of a session, and the memory that torrents have reserved in it.
pub(super) struct PieceMemory {
    pub pool: Pool,
    /// Memory for blocks being received, in bytes, besides incomplete pieces.
    receiving: usize,
    /// Memory reserved by torrents for incomplete pieces, in bytes.
    reserved: Mutex<u64>,
}

/// The memory reserved for the incomplete pieces of a torrent; dropping it releases the memory.
pub(super) struct MemoryReservation {
    memory: Arc<PieceMemory>,
    bytes: u64,
}

impl MemoryReservation {
    /// A reservation of no memory.
    pub(super) fn new(memory: &Arc<PieceMemory>) -> Self {
        Self { memory: memory.clone(), bytes: 0 }
    }

    /// Sets the reservation, in bytes.
    pub(super) fn set(&mut self, bytes: u64) {
        if bytes != self.bytes {
            self.memory.reserve(self.bytes, bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl PieceMemory {
    /// The memory of a session with this many connections.
    pub(super) fn new(max_peers: usize) -> Self {
        let receiving = max_peers.saturating_mul(BLOCK_LEN as usize);
        Self { pool: Pool::new(PIECE_MEMORY as usize + receiving), receiving, reserved: Mutex::default() }
    }

    /// Memory for the incomplete pieces of each of this many downloads, in bytes.
    pub(super) fn budget_for(downloads: usize) -> u64 {
        PIECE_MEMORY / downloads.max(1) as u64
    }

    /// Changes the reserved memory of a torrent from `before` to `after` bytes.
    ///
    /// The shares of all torrents add up to the pool's size. Reservations can exceed it while a torrent has
    /// not yet come down to a smaller share, or when a share is less than the segment or piece that each
    /// torrent may hold in any case. The pool grows with them then: two torrents that waited for each other's
    /// buffers would wait forever.
    fn reserve(&self, before: u64, after: u64) {
        // The lock is held until the pool is resized, or an older sum could overtake a newer one.
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        let most = *reserved;
        *reserved = reserved.saturating_sub(before).saturating_add(after);
        if most.max(*reserved) > PIECE_MEMORY {
            let bytes = usize::try_from(PIECE_MEMORY.max(*reserved)).unwrap_or(usize::MAX);
            self.pool.set_cap(bytes.saturating_add(self.receiving));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_follows_claims_beyond_what_there_is_usually() {
        let memory = Arc::new(PieceMemory::new(400));
        let usual = memory.pool.cap();
        let blocks = |bytes: u64| (bytes / u64::from(BLOCK_LEN)) as usize;
        let (mut one, mut two) = (MemoryReservation::new(&memory), MemoryReservation::new(&memory));
        one.set(PIECE_MEMORY);
        assert_eq!(memory.pool.cap(), usual, "that is what there is");
        two.set(5 << 20);
        assert_eq!(memory.pool.cap(), usual + blocks(5 << 20));
        one.set(PIECE_MEMORY - (3 << 20));
        assert_eq!(memory.pool.cap(), usual + blocks(2 << 20));
        drop(two);
        assert_eq!(memory.pool.cap(), usual);
        let sums: Vec<_> = (0..8)
            .map(|_| {
                let mut reserve = MemoryReservation::new(&memory);
                std::thread::spawn(move || (0..500).for_each(|at| reserve.set(at << 20)))
            })
            .collect();
        for sum in sums {
            sum.join().expect("claims do not panic");
        }
        assert_eq!(memory.pool.cap(), usual, "all is given up");
    }
}
