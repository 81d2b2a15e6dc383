//! Torrents that accept incoming connections, by the info-hash in the handshake.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::base::{InfoHashes, PeerId};
use crate::net::{IncomingPeer, Lookup, Registration};
use crate::proto::handshake::Reserved;

/// The registrations of a session. Clones share them. A hybrid torrent is registered under each of its
/// [`wire_names`](InfoHashes::wire_names).
#[derive(Clone, Default)]
pub(super) struct Registrations(Arc<Mutex<BTreeMap<[u8; 20], Registration>>>);

impl Registrations {
    /// The lookup of a torrent by the info-hash of a handshake.
    pub(super) fn lookup(&self) -> Lookup {
        let all = self.clone();
        Arc::new(move |name: &[u8; 20]| all.lock().get(name).cloned())
    }

    /// Registers a torrent. An older registration of the same info-hash belongs to a torrent that is leaving,
    /// and is replaced.
    pub(super) fn register(
        &self,
        torrent: InfoHashes,
        id: PeerId,
        reserved: Reserved,
        callers: mpsc::Sender<IncomingPeer>,
    ) -> IncomingRegistration {
        let registration = Registration { id, reserved, callers };
        let mut registered = IncomingRegistration { names: Vec::new(), registration, all: self.clone() };
        registered.extend(torrent);
        registered
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<[u8; 20], Registration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registration of a torrent for incoming connections; dropping it ends that.
pub(super) struct IncomingRegistration {
    names: Vec<[u8; 20]>,
    registration: Registration,
    all: Registrations,
}

impl IncomingRegistration {
    /// Registers the info-hashes that became known since, too.
    pub(super) fn extend(&mut self, torrent: InfoHashes) {
        let new: Vec<_> = torrent.wire_names().filter(|name| !self.names.contains(name)).collect();
        let mut all = self.all.lock();
        for name in new {
            all.insert(name, self.registration.clone());
            self.names.push(name);
        }
    }

    /// Sets the reserved bits for further handshakes.
    pub(super) fn set_reserved(&mut self, reserved: Reserved) {
        self.registration.reserved = reserved;
        let mut all = self.all.lock();
        for name in &self.names {
            if let Some(entry) = all.get_mut(name).filter(|entry| self.is_ours(entry)) {
                entry.reserved = reserved;
            }
        }
    }

    /// Whether an entry belongs to this registration and was not replaced.
    fn is_ours(&self, entry: &Registration) -> bool {
        entry.callers.same_channel(&self.registration.callers)
    }
}

impl Drop for IncomingRegistration {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        for name in &self.names {
            if all.get(name).is_some_and(|entry| self.is_ours(entry)) {
                all.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::engine::config::EngineConfig;
    use crate::engine::shared::Shared;
    use crate::net::{Bind, Timeouts, dial};
    use crate::proto::handshake::Handshake;
    use crate::swarm::event::PeerHandshake;

    const HYBRID: InfoHashes = InfoHashes::hybrid([1; 20], [2; 32]);
    const OTHER: InfoHashes = InfoHashes::from_v1([3; 20]);
    const NAMES: [[u8; 20]; 2] = [[1; 20], [2; 20]];

    async fn shared() -> Arc<Shared> {
        let config = EngineConfig { bind: Some([127, 0, 0, 1].into()), ..EngineConfig::default() };
        let (events, _) = mpsc::unbounded_channel();
        Shared::start(config, events).await.expect("loopback is there")
    }

    /// The handshake of a peer that is dialled under this info-hash; [`dial`] refuses a reply with another.
    async fn connect(shared: &Shared, name: [u8; 20]) -> Option<PeerHandshake> {
        let addr = SocketAddr::from(([127, 0, 0, 1], shared.network.port().expect("it listens")));
        let ours = Handshake { info_hash: name, id: PeerId([9; 20]), reserved: Reserved::NONE };
        dial(addr, Bind::LOOPBACK, &ours, Timeouts::default()).await.ok().map(|(_, hello)| hello)
    }

    async fn is_handed_over(callers: &mut mpsc::Receiver<IncomingPeer>) -> bool {
        timeout(Duration::from_secs(10), callers.recv()).await.is_ok_and(|caller| caller.is_some())
    }

    #[tokio::test]
    async fn callers_under_both_names_of_a_hybrid_reach_the_same_torrent() {
        let shared = shared().await;
        let (to_hybrid, mut hybrid) = mpsc::channel(4);
        let (to_other, mut other) = mpsc::channel(4);
        let registered = shared.network.register_incoming(HYBRID, false, to_hybrid);
        let _other = shared.network.register_incoming(OTHER, false, to_other);
        for name in NAMES {
            assert!(connect(&shared, name).await.is_some());
            assert!(is_handed_over(&mut hybrid).await && other.try_recv().is_err());
        }
        assert!(connect(&shared, [3; 20]).await.is_some());
        assert!(is_handed_over(&mut other).await && hybrid.try_recv().is_err());
        drop(registered);
        for name in NAMES {
            assert!(connect(&shared, name).await.is_none(), "its name is free");
        }
        assert!(connect(&shared, [3; 20]).await.is_some());
        shared.stop().await;
    }

    #[tokio::test]
    async fn a_name_that_becomes_known_later_is_registered_and_told_what_the_others_are() {
        let shared = shared().await;
        let (to_torrent, mut torrent) = mpsc::channel(4);
        let mut registered =
            shared.network.register_incoming(InfoHashes::from_v1([1; 20]), false, to_torrent);
        assert!(connect(&shared, NAMES[1]).await.is_none());
        registered.extend(HYBRID);
        for name in NAMES {
            assert!(connect(&shared, name).await.is_some());
            assert!(is_handed_over(&mut torrent).await);
        }
        registered.set_reserved(Reserved::NONE);
        for name in NAMES {
            assert_eq!(connect(&shared, name).await.map(|hello| hello.reserved), Some(Reserved::NONE));
        }
        drop(registered);
        for name in NAMES {
            assert!(connect(&shared, name).await.is_none());
        }
        shared.stop().await;
    }

    #[test]
    fn a_name_leads_to_one_torrent_and_is_freed_by_nobody_else() {
        let all = Registrations::default();
        let lookup = all.lookup();
        let register = |torrent| {
            let (callers, kept) = mpsc::channel(1);
            (all.register(torrent, PeerId([9; 20]), Reserved::NONE, callers.clone()), callers, kept)
        };
        let leads_to = |name: [u8; 20], callers: &mpsc::Sender<IncomingPeer>| {
            lookup(&name).is_some_and(|found| found.callers.same_channel(callers))
        };
        let (leaving, before, _kept) = register(HYBRID);
        let (staying, after, _kept) = register(InfoHashes::from_v2([2; 32]));
        assert!(leads_to(NAMES[0], &before) && leads_to(NAMES[1], &after));
        drop(leaving);
        assert!(lookup(&NAMES[0]).is_none() && leads_to(NAMES[1], &after));
        drop(staying);
        assert!(lookup(&NAMES[1]).is_none());
    }
}
