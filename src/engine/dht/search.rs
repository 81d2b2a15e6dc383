//! A search that a torrent has ordered: what the node tells of it, in the words of torrents.

use tokio::task::JoinHandle;

use super::node::{News, Node};
use crate::base::{InfoHash, NodeId};
use crate::dht::{Announce, Goal};
use crate::swarm::event::{Input, Source};

/// A search under way; dropping it ends it, and nothing is told any more.
#[derive(Debug)]
pub(in crate::engine) struct Search(JoinHandle<()>);

impl Search {
    /// Searches for the peers of a torrent and tells what is found: `Found` as it comes, `LookedUp` at the end.
    /// `port` is where peers reach us, if it is to be announced, and `seed` whether we have all of it.
    pub(in crate::engine) fn begin(
        node: &Node,
        torrent: InfoHash,
        port: Option<u16>,
        seed: bool,
        tell: impl Fn(Input) + Send + 'static,
    ) -> Self {
        let announce = port.map(|port| Announce { port: Some(port), seed });
        let goal = Goal::Peers { info_hash: NodeId(torrent.wire()), no_seeds: seed, announce };
        let mut news = node.begin(goal);
        Self(tokio::spawn(async move {
            let (mut answered, mut peers) = (0, 0);
            while let Some(news) = news.recv().await {
                match news {
                    News::Peers(addrs) => tell(Input::Found { source: Source::Dht, addrs }),
                    News::Ended(outcome) => (answered, peers) = (outcome.answered, outcome.peers),
                    News::Samples(_) | News::Item(_) | News::Steps(_) => {}
                }
            }
            tell(Input::LookedUp { answered, peers });
        }))
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        self.0.abort();
    }
}
