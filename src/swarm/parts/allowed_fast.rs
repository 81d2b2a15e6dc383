//! The pieces that a choked peer may request (BEP 6, "Allowed Fast Set Generation").

use std::net::{IpAddr, Ipv4Addr};

use sha1::{Digest, Sha1};

use crate::base::{Geometry, Piece};

/// The number of allowed-fast pieces per peer.
pub const ALLOWED: usize = 5;

/// Returns the first `count` allowed-fast pieces of a peer. They depend only on address and info-hash, so
/// reconnecting gains a peer nothing. Empty for IPv6, which BEP 6 does not cover.
pub fn allowed_fast(addr: IpAddr, info_hash: [u8; 20], geometry: &Geometry, count: usize) -> Vec<Piece> {
    let v4 = match addr {
        IpAddr::V4(v4) => v4,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4,
            None => return Vec::new(),
        },
    };
    let count = count.min(geometry.piece_count() as usize);
    let network = u32::from(v4) & 0xffff_ff00;
    let mut set: Vec<Piece> = Vec::with_capacity(count);
    let mut state = [&Ipv4Addr::from(network).octets()[..], &info_hash[..]].concat();
    // Each round yields five numbers, so even a small torrent is covered after far fewer rounds.
    for _ in 0..1000 {
        state = Sha1::digest(&state).to_vec();
        for word in state.as_chunks::<4>().0 {
            if set.len() == count {
                return set;
            }
            let index = u32::from_be_bytes(*word) % geometry.piece_count();
            set.extend(geometry.piece(index).filter(|piece| !set.contains(piece)));
        }
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sets_published_in_bep_6_come_out() {
        let geometry = Geometry::single(1, 1313).unwrap();
        let set = |n| -> Vec<u32> {
            let addr = Ipv4Addr::new(80, 4, 4, 200).into();
            allowed_fast(addr, [0xaa; 20], &geometry, n).into_iter().map(Piece::index).collect()
        };
        assert_eq!(set(7), [1059, 431, 808, 1217, 287, 376, 1188]);
        assert_eq!(set(9), [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
    }

    #[test]
    fn a_small_torrent_is_allowed_as_a_whole() {
        let geometry = Geometry::single(1, 3).unwrap();
        assert_eq!(allowed_fast(Ipv4Addr::LOCALHOST.into(), [1; 20], &geometry, ALLOWED).len(), 3);
        assert!(allowed_fast("::1".parse().unwrap(), [1; 20], &geometry, ALLOWED).is_empty());
    }
}
