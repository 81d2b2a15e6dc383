//! The torrents that are open to incoming connections, by every name under which peers know them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

use crate::base::{InfoHashes, PeerId};
use crate::net::{Caller, Lookup, Registration};
use crate::proto::handshake::Reserved;

/// The registrations of a session; clones are the same. A hybrid torrent has one for each of its
/// [`wire_names`](InfoHashes::wire_names), and all of them lead to the same torrent.
#[derive(Clone, Default)]
pub(super) struct Registrations(Arc<Mutex<BTreeMap<[u8; 20], Registration>>>);

impl Registrations {
    /// Finds the torrent that a handshake names.
    pub(super) fn lookup(&self) -> Lookup {
        let all = self.clone();
        Arc::new(move |name: &[u8; 20]| all.lock().get(name).cloned())
    }

    /// Opens a torrent to incoming connections. A registration of the same name that is still there is that of a
    /// torrent which is leaving, and is replaced.
    pub(super) fn register(
        &self,
        torrent: InfoHashes,
        id: PeerId,
        reserved: Reserved,
        callers: mpsc::Sender<Caller>,
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

/// Keeps a torrent open to incoming connections; dropping it turns them away.
pub(super) struct IncomingRegistration {
    names: Vec<[u8; 20]>,
    registration: Registration,
    all: Registrations,
}

impl IncomingRegistration {
    /// Registers the names that have become known since, too.
    pub(super) fn extend(&mut self, torrent: InfoHashes) {
        let new: Vec<_> = torrent.wire_names().filter(|name| !self.names.contains(name)).collect();
        let mut all = self.all.lock();
        for name in new {
            all.insert(name, self.registration.clone());
            self.names.push(name);
        }
    }

    /// Answers handshakes with these reserved bits from now on.
    pub(super) fn set_reserved(&mut self, reserved: Reserved) {
        self.registration.reserved = reserved;
        let mut all = self.all.lock();
        for name in &self.names {
            if let Some(entry) = all.get_mut(name).filter(|entry| self.is_ours(entry)) {
                entry.reserved = reserved;
            }
        }
    }

    /// Whether an entry is of this registration, and not of one that has replaced it.
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
    use crate::net::{Bind, Patience, dial};
    use crate::proto::handshake::Handshake;
    use crate::swarm::event::Hello;

    const HYBRID: InfoHashes = InfoHashes::hybrid([1; 20], [2; 32]);
    const OTHER: InfoHashes = InfoHashes::from_v1([3; 20]);
    const NAMES: [[u8; 20]; 2] = [[1; 20], [2; 20]];

    async fn shared() -> Arc<Shared> {
        let config = EngineConfig { bind: Some([127, 0, 0, 1].into()), ..EngineConfig::default() };
        let (events, _) = mpsc::unbounded_channel();
        Shared::start(config, events).await.expect("loopback is there")
    }

    /// What a peer hears that connects under this name; [`dial`] takes no answer with another name.
    async fn connect(shared: &Shared, name: [u8; 20]) -> Option<Hello> {
        let addr = SocketAddr::from(([127, 0, 0, 1], shared.port().expect("it listens")));
        let ours = Handshake { info_hash: name, id: PeerId([9; 20]), reserved: Reserved::NONE };
        dial(addr, Bind::LOOPBACK, &ours, Patience::default()).await.ok().map(|(_, hello)| hello)
    }

    async fn is_handed_over(callers: &mut mpsc::Receiver<Caller>) -> bool {
        timeout(Duration::from_secs(10), callers.recv()).await.is_ok_and(|caller| caller.is_some())
    }

    #[tokio::test]
    async fn callers_under_both_names_of_a_hybrid_reach_the_same_torrent() {
        let shared = shared().await;
        let (to_hybrid, mut hybrid) = mpsc::channel(4);
        let (to_other, mut other) = mpsc::channel(4);
        let registered = shared.register_incoming(HYBRID, false, to_hybrid);
        let _other = shared.register_incoming(OTHER, false, to_other);
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
        let mut registered = shared.register_incoming(InfoHashes::from_v1([1; 20]), false, to_torrent);
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
        let leads_to = |name: [u8; 20], callers: &mpsc::Sender<Caller>| {
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
