//! A limit on incoming connections whose handshake is not complete.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most incomplete handshakes at once.
const MAX_HANDSHAKES: usize = 512;
/// The most from one address, or from one /64 network of IPv6.
const MAX_FROM_ONE: usize = 32;

/// The incomplete handshakes of all sockets.
#[derive(Debug, Default)]
pub(super) struct HandshakeLimiter {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    total: usize,
    by_origin: BTreeMap<IpAddr, usize>,
}

/// The right to one incomplete handshake, until it is dropped.
#[derive(Debug)]
pub(super) struct HandshakeSlot {
    limiter: Arc<HandshakeLimiter>,
    origin: IpAddr,
}

impl HandshakeLimiter {
    /// Takes a slot for a connection from this address, if one is left. Loopback addresses have no limit of their
    /// own: a local attacker needs no flood to do harm.
    pub(super) fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<HandshakeSlot> {
        let origin = origin(ip);
        let most = if ip.is_loopback() { MAX_HANDSHAKES } else { MAX_FROM_ONE };
        let mut waiting = self.lock();
        let same = waiting.by_origin.get(&origin).copied().unwrap_or(0);
        if waiting.total >= MAX_HANDSHAKES || same >= most {
            return None;
        }
        waiting.total += 1;
        waiting.by_origin.insert(origin, same + 1);
        Some(HandshakeSlot { limiter: self.clone(), origin })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics between the two counts.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        let mut waiting = self.limiter.lock();
        waiting.total -= 1;
        if let Some(same) = waiting.by_origin.get_mut(&self.origin) {
            *same -= 1;
            if *same == 0 {
                waiting.by_origin.remove(&self.origin);
            }
        }
    }
}

/// The network of an address: whoever has one address of an IPv6 network has all 2^64 of them.
fn origin(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_none() => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        _ => ip.to_canonical(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_fill_the_doorway() {
        let limiter = Arc::new(HandshakeLimiter::default());
        let mut places: Vec<HandshakeSlot> =
            (0..).map_while(|_| limiter.enter("203.0.113.7".parse().unwrap())).collect();
        assert_eq!(places.len(), MAX_FROM_ONE);
        places.pop();
        assert!(limiter.enter("203.0.113.7".parse().unwrap()).is_some());
        let v6: Vec<HandshakeSlot> =
            (0_u16..).map_while(|i| limiter.enter(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, i]))).collect();
        assert_eq!(v6.len(), MAX_FROM_ONE);
        assert!(limiter.enter("2001:db8:0:2::1".parse().unwrap()).is_some());
        drop((places, v6));
        let waiting = limiter.lock();
        assert_eq!((waiting.total, waiting.by_origin.len()), (0, 0));
    }

    #[test]
    fn all_together_cannot_either() {
        let limiter = Arc::new(HandshakeLimiter::default());
        let places: Vec<HandshakeSlot> =
            (0_u32..).map_while(|i| limiter.enter(IpAddr::from(i.to_be_bytes()))).collect();
        assert_eq!(places.len(), MAX_HANDSHAKES);
        drop(places);
        assert!(limiter.enter(IpAddr::from([127, 0, 0, 1])).is_some());
    }
}
