//! How many callers may stand in the doorway: connected, but their handshake not heard yet.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most callers at once.
const MAX_HANDSHAKES: usize = 512;
/// The most of one address, or of one /64 network of IPv6.
const MAX_FROM_ONE: usize = 32;

/// The callers in the doorway.
#[derive(Debug, Default)]
pub(super) struct Doorway {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    total: usize,
    by_origin: BTreeMap<IpAddr, usize>,
}

/// A place in the doorway, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    doorway: Arc<Doorway>,
    origin: IpAddr,
}

impl Doorway {
    /// A place for a caller from this address, if there is one left. This machine has as many as there
    /// are: whoever can call from here needs no flood to do harm.
    pub(super) fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Place> {
        let origin = origin(ip);
        let most = if ip.is_loopback() { MAX_HANDSHAKES } else { MAX_FROM_ONE };
        let mut waiting = self.lock();
        let same = waiting.by_origin.get(&origin).copied().unwrap_or(0);
        if waiting.total >= MAX_HANDSHAKES || same >= most {
            return None;
        }
        waiting.total += 1;
        waiting.by_origin.insert(origin, same + 1);
        Some(Place { doorway: self.clone(), origin })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics between the two counts.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.doorway.lock();
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
        let doorway = Arc::new(Doorway::default());
        let mut places: Vec<Place> =
            (0..).map_while(|_| doorway.enter("203.0.113.7".parse().unwrap())).collect();
        assert_eq!(places.len(), MAX_FROM_ONE);
        places.pop();
        assert!(doorway.enter("203.0.113.7".parse().unwrap()).is_some());
        let v6: Vec<Place> =
            (0_u16..).map_while(|i| doorway.enter(IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, i]))).collect();
        assert_eq!(v6.len(), MAX_FROM_ONE);
        assert!(doorway.enter("2001:db8:0:2::1".parse().unwrap()).is_some());
        drop((places, v6));
        let waiting = doorway.lock();
        assert_eq!((waiting.total, waiting.by_origin.len()), (0, 0));
    }

    #[test]
    fn all_together_cannot_either() {
        let doorway = Arc::new(Doorway::default());
        let places: Vec<Place> =
            (0_u32..).map_while(|i| doorway.enter(IpAddr::from(i.to_be_bytes()))).collect();
        assert_eq!(places.len(), MAX_HANDSHAKES);
        drop(places);
        assert!(doorway.enter(IpAddr::from([127, 0, 0, 1])).is_some());
    }
}
