//! Node ids that match the node's address (BEP 42), so that nobody can choose ids and occupy a region of the
//! DHT.

use std::net::IpAddr;

use crate::base::{NodeId, is_near};
use crate::hash::crc32c;

/// Returns a node id that matches an external address. `chance` supplies the bits that the address leaves
/// free.
pub fn node_id(ip: IpAddr, chance: [u8; 20]) -> NodeId {
    let mut id = chance;
    let crc = checksum(ip, chance[19]);
    id[0] = (crc >> 24) as u8;
    id[1] = (crc >> 16) as u8;
    id[2] = ((crc >> 8) as u8 & 0xf8) | (chance[2] & 0x07);
    NodeId(id)
}

/// Whether the node id matches the address. On the local network every id does.
pub fn fits(id: &NodeId, ip: IpAddr) -> bool {
    if is_near(ip) {
        return true;
    }
    let crc = checksum(ip, id.0[19]);
    id.0[0] == (crc >> 24) as u8 && id.0[1] == (crc >> 16) as u8 && (id.0[2] ^ (crc >> 8) as u8) & 0xf8 == 0
}

fn checksum(ip: IpAddr, salt: u8) -> u32 {
    let salt = (salt & 7) << 5;
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let mut bytes = (u32::from(v4) & 0x030f_3fff).to_be_bytes();
            bytes[0] |= salt;
            crc32c(&bytes)
        }
        IpAddr::V6(v6) => {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&v6.octets()[..8]);
            let mut bytes = (u64::from_be_bytes(bytes) & 0x0103_070f_1f3f_7fff).to_be_bytes();
            bytes[0] |= salt;
            crc32c(&bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_ids_fit() {
        for (ip, salt, start) in [
            ("124.31.75.21", 1, [0x5f, 0xbf, 0xbf]),
            ("21.75.31.124", 86, [0x5a, 0x3c, 0xe9]),
            ("65.23.51.170", 22, [0xa5, 0xd4, 0x32]),
            ("84.124.73.14", 65, [0x1b, 0x03, 0x21]),
            ("43.213.53.83", 90, [0xe5, 0x6f, 0x6c]),
        ] {
            let ip: IpAddr = ip.parse().unwrap();
            let mut chance = [0xab; 20];
            chance[19] = salt;
            let id = node_id(ip, chance);
            assert_eq!(id.0[..2], start[..2], "{ip}");
            assert_eq!(id.0[2] & 0xf8, start[2] & 0xf8, "{ip}");
            assert!(fits(&id, ip));
            let mut other = id;
            other.0[1] ^= 1;
            assert!(!fits(&other, ip));
        }
    }

    #[test]
    fn free_bits_are_free_and_neighbours_may_have_any_id() {
        let ip = "2001:db8::1".parse().unwrap();
        let mut chance = [0x5a; 20];
        let one = node_id(ip, chance);
        assert!(fits(&one, ip) && fits(&one, "2001:db8::99".parse().unwrap()));
        chance[2] = 0;
        chance[10] = 1;
        let other = node_id(ip, chance);
        assert!(fits(&other, ip) && one != other);
        assert!(!fits(&NodeId([0; 20]), ip));
        assert!(fits(&NodeId([0; 20]), "192.168.1.7".parse().unwrap()));
    }
}
