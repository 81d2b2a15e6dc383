//! The Bloom filter of BEP 33: a set of addresses in 256 bytes, whose size can be estimated and which can be
//! merged with others.

use std::net::IpAddr;

use crate::hash::sha1;
use crate::proto::krpc::BLOOM_LEN;

/// A Bloom filter of 2048 bits, two of them for each address (BEP 33).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bloom(Box<[u8; BLOOM_LEN]>);

impl Default for Bloom {
    fn default() -> Self {
        Self(Box::new([0; BLOOM_LEN]))
    }
}

impl Bloom {
    const BITS: usize = BLOOM_LEN * 8;

    /// Adds an address.
    pub fn insert(&mut self, ip: IpAddr) {
        let digest = match ip.to_canonical() {
            IpAddr::V4(v4) => sha1(&v4.octets()),
            IpAddr::V6(v6) => sha1(&v6.octets()),
        };
        for pair in [[digest[0], digest[1]], [digest[2], digest[3]]] {
            let bit = usize::from(u16::from_le_bytes(pair)) % Self::BITS;
            self.0[bit / 8] |= 1 << (bit % 8);
        }
    }

    /// Adds all addresses of another filter.
    pub fn merge(&mut self, other: &[u8; BLOOM_LEN]) {
        for (ours, theirs) in self.0.iter_mut().zip(other) {
            *ours |= theirs;
        }
    }

    /// Estimates the number of addresses, to within a few per cent up to several thousand.
    pub fn estimate(&self) -> f64 {
        let bits = Self::BITS as f64;
        let zeros: u32 = self.0.iter().map(|byte| byte.count_zeros()).sum();
        let zeros = f64::from(zeros).clamp(1.0, bits - 1.0);
        if self.0.iter().all(|&byte| byte == 0) {
            return 0.0;
        }
        (zeros / bits).ln() / (2.0 * (1.0 - 1.0 / bits).ln())
    }

    /// Returns the filter's bytes.
    pub fn bytes(&self) -> &[u8; BLOOM_LEN] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    #[test]
    fn the_published_filter_comes_out() {
        let mut filter = Bloom::default();
        assert!(filter.estimate().abs() < 1e-9);
        for last in 0..=255 {
            filter.insert(Ipv4Addr::new(192, 0, 2, last).into());
        }
        for last in 0..0x3e8 {
            filter.insert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into());
        }
        let hex: Vec<String> = filter.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex.concat(),
            "f6c3f5eaa07ffd91bde89f777f26fb2bff37bdb8fb2bbaa2fd3ddde7bacfff75\
             ee7ccbaefe5eedb1fbfaff67f6abff5e43ddbca3fd9b9ffdf4ffd3e9dff12d1b\
             df59db53dbe9fa5b7ff3b8fdfcde1afb8bedd7be2f3ee71ebbbfe93bcdeefe14\
             8246c2bc5dbff7e7efdcf24fd8dc7adffd8fffdfddfff7a4bbeedf5cb95ce81f\
             c7fcff1ff4ffffdfe5f7fdcbb7fd79b3fa1fc77bfe07fff905b7b7ffc7fefeff\
             e0b8370bb0cd3f5b7f2bd93feb4386cfdd6f7fd5bfaf2e9ebffffeecd67adbf7\
             c67f17efd5d75eba6ffeba7fff47a91eb1bfbb53e8abfb5762abe8ff237279bf\
             efbfeef5ffc5febfdfe5adffadfee1fb737ffffbfd9f6aeffeee76b6fd8f72ef"
        );
        assert!((filter.estimate() - 1_224.930_8).abs() < 0.001, "{}", filter.estimate());
        let mut other = Bloom::default();
        other.merge(filter.bytes());
        assert_eq!(other, filter);
    }
}
