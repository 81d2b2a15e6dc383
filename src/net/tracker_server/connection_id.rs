//! Connection ids of the UDP tracker that need no memory (BEP 15, "connection_id").
//!
//! The id is a keyed digest of the asker's address and of the time. Who sends one back has received
//! our answer at that address, so the source is proven, and a flood of forged requests fills no table.

use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::base::Moment;

/// An id is accepted for one to two of these (BEP 15 asks for two minutes).
const WINDOW: Duration = Duration::from_secs(120);

/// The key of one server run.
pub struct ConnectionIds([u8; 32]);

impl ConnectionIds {
    /// Ids under this key, which must come from the system's randomness.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The id for who asks from this address now.
    pub fn issue(&self, now: Moment, source: IpAddr) -> u64 {
        self.digest(window(now), source)
    }

    /// Whether this id was given to this address lately.
    pub fn accepts(&self, now: Moment, source: IpAddr, id: u64) -> bool {
        let current = window(now);
        id == self.digest(current, source)
            || current.checked_sub(1).is_some_and(|last| id == self.digest(last, source))
    }

    fn digest(&self, window: u64, source: IpAddr) -> u64 {
        let octets = match source.to_canonical() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        hasher.update(window.to_be_bytes());
        hasher.update(octets);
        let digest = hasher.finalize();
        u64::from_be_bytes(std::array::from_fn(|n| digest[n]))
    }
}

fn window(now: Moment) -> u64 {
    now.since_start().as_secs() / WINDOW.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_holds_for_its_address_and_for_a_while() {
        let ids = ConnectionIds::new([7; 32]);
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let at = |seconds| Moment::after(Duration::from_secs(seconds));
        let id = ids.issue(at(119), here);
        for (seconds, source, accepted) in
            [(119, here, true), (239, here, true), (240, here, false), (119, there, false), (0, here, true)]
        {
            assert_eq!(ids.accepts(at(seconds), source, id), accepted, "{seconds} {source}");
        }
        assert!(!ids.accepts(at(119), here, id ^ 1));
        assert!(!ConnectionIds::new([8; 32]).accepts(at(119), here, id));
        assert!(ids.accepts(at(119), "::ffff:10.0.0.1".parse().expect("an address"), id));
    }
}
