//! Peers that a link knows by name: their addresses are asked of the system, a few names at a time, since each
//! takes a thread for as long as the system tries.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::task::JoinSet;

use crate::base::Untrusted;

/// So many names are looked up at once.
const MAX_LOOKUPS: usize = 8;
/// The most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;
/// So many unknown names are told of one by one.
const MAX_LISTED: usize = 3;

/// A host and a port.
pub type HostPort = (String, u16);

/// How the names of one link fare. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct PeerHosts(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    pending: AtomicU32,
    unknown: AtomicU32,
}

impl PeerHosts {
    /// How many are still looked up.
    pub fn pending(&self) -> u32 {
        self.0.pending.load(Ordering::Relaxed)
    }

    /// How many nobody knows.
    pub fn unknown(&self) -> u32 {
        self.0.unknown.load(Ordering::Relaxed)
    }

    /// Looks all of these up and tells what they lead to; at the end, which of them lead nowhere.
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
                // It broke, and has told of itself.
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

/// Asks the system.
pub async fn resolve_host((host, port): HostPort) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((host.as_str(), port)).await?.collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// What is told where every third name is known: addresses, notes, and how many names were asked at once.
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
