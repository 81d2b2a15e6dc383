//! Peers known by host name. The system resolves a few names at a time, since each occupies a thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::JoinSet;

use crate::base::Untrusted;

/// Maximum number of names resolved at once.
const MAX_LOOKUPS: usize = 8;
/// Maximum number of addresses of one name.
const MAX_ADDRESSES: usize = 8;
/// Maximum number of unknown hosts listed one by one.
const MAX_LISTED: usize = 3;

/// A host name and a port.
pub type HostPort = (String, u16);

/// Counters of the host names of a torrent. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct PeerHosts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    pending: AtomicU32,
    unknown: AtomicU32,
}

impl PeerHosts {
    /// Number of names being resolved.
    pub fn pending(&self) -> u32 {
        self.0.pending.load(Ordering::Relaxed)
    }

    /// Number of hosts not found.
    pub fn unknown(&self) -> u32 {
        self.0.unknown.load(Ordering::Relaxed)
    }

    /// Resolves all names and reports their addresses; at the end, a notice lists the hosts not found.
    pub async fn resolve_all<F>(
        self,
        names: Vec<HostPort>,
        resolve: impl Fn(HostPort) -> F,
        found: impl Fn(Vec<SocketAddr>),
        note: impl Fn(String),
    ) where
        F: Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    {
        self.0.pending.fetch_add(names.len() as u32, Ordering::Relaxed);
        let mut names = names.into_iter();
        let mut running = JoinSet::new();
        let mut unknown = Vec::new();
        loop {
            while running.len() < MAX_LOOKUPS
                && let Some(name) = names.next()
            {
                let answer = resolve(name.clone());
                running.spawn(async move { (name, answer.await) });
            }
            let Some(ended) = running.join_next().await else { break };
            self.0.pending.fetch_sub(1, Ordering::Relaxed);
            match ended {
                Ok((_, Ok(mut addrs))) if !addrs.is_empty() => {
                    addrs.truncate(MAX_ADDRESSES);
                    found(addrs);
                }
                Ok(((host, _), answer)) => {
                    tracing::debug!(error = ?answer.err(), "the name of a peer is not known");
                    self.0.unknown.fetch_add(1, Ordering::Relaxed);
                    unknown.push(Untrusted::new(host).fit(100));
                }
                // The task panicked, which is logged elsewhere.
                Err(_) => {}
            }
        }
        match unknown.as_slice() {
            few if few.len() <= MAX_LISTED => {
                for host in few {
                    note(format!("host not found: {host}"));
                }
            }
            [first, others @ ..] => {
                note(format!("hosts not found: {first} and {} others", others.len()));
            }
            [] => {}
        }
    }
}

/// Resolves a host name by the system.
pub async fn resolve_host((host, port): HostPort) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Resolves names of which every third is known. Returns the numbers of hosts found and of concurrent
    /// lookups, and the notices.
    async fn resolve_names(count: usize) -> (usize, Vec<String>, usize) {
        let names: Vec<HostPort> = (0..count).map(|n| (format!("n{n}.invalid"), 1)).collect();
        let at_once = Arc::new(Mutex::new((0, 0)));
        let resolve = |(host, port): HostPort| {
            let at_once = at_once.clone();
            async move {
                {
                    let mut now = at_once.lock().unwrap();
                    now.0 += 1;
                    now.1 = now.1.max(now.0);
                }
                tokio::task::yield_now().await;
                at_once.lock().unwrap().0 -= 1;
                let known = host[1..].trim_end_matches(".invalid").parse::<u32>().unwrap() % 3 == 0;
                if known { Ok(vec![([127, 0, 0, 1], port).into(); 20]) } else { Err(io::Error::other("no")) }
            }
        };
        let (found, notes) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
        let counts = PeerHosts::default();
        let each = |addrs| found.lock().unwrap().push(addrs);
        counts.clone().resolve_all(names, resolve, each, |text| notes.lock().unwrap().push(text)).await;
        let found = found.into_inner().unwrap();
        assert!(found.iter().all(|addrs: &Vec<SocketAddr>| addrs.len() == MAX_ADDRESSES));
        assert_eq!((counts.pending(), counts.unknown() as usize), (0, count - found.len()));
        let most = at_once.lock().unwrap().1;
        (found.len(), notes.into_inner().unwrap(), most)
    }

    #[tokio::test]
    async fn many_names_take_few_threads_and_one_line() {
        let (found, notes, at_once) = resolve_names(200).await;
        assert_eq!((found, at_once), (67, MAX_LOOKUPS));
        assert_eq!(notes.len(), 1);
        assert!(notes[0].ends_with(" and 132 others"), "{notes:?}");
        let (found, notes, _) = resolve_names(3).await;
        assert_eq!((found, notes.len()), (1, 2));
        assert!(notes.contains(&"host not found: n1.invalid".to_owned()), "{notes:?}");
        assert_eq!(resolve_names(0).await, (0, vec![], 0));
    }
}
