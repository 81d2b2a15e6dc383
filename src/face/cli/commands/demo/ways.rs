//! By which ways those who take part met the one that downloads.

use serde::Serialize;

use crate::app::door::PeerSource;
use crate::face::cli::progress::amounts::percent;

use super::cast::Member;
use super::helpers::NODES;

/// How many met by which way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Ways {
    /// The tracker named one to the other.
    pub tracker: u32,
    /// A node of the DHT did.
    pub dht: u32,
    /// Another peer did (BEP 11).
    pub pex: u32,
}

impl Ways {
    /// Counts those that met.
    pub fn of(members: &[Member]) -> Self {
        let count = |way| members.iter().filter(|member| member.met == Some(way)).count() as u32;
        Self { tracker: count(PeerSource::Tracker), dht: count(PeerSource::Dht), pex: count(PeerSource::Pex) }
    }

    /// Sentences, each a line of less than 80 columns.
    pub fn told(self, died: Option<f64>) -> String {
        let life = match died {
            Some(at) => format!("the tracker died at {}, and the swarm carried on:", percent(at)),
            // It may be over before anybody could look who met whom.
            None if self == Self::default() => {
                return "  all data arrived before the tracker could die\n".to_owned();
            }
            None => "all data arrived before the tracker could die:".to_owned(),
        };
        let Self { tracker, dht, pex } = self;
        format!(
            "  {life}\n  you met {tracker} through the tracker, {dht} through the DHT ({NODES} nodes), {pex} through PEX\n"
        )
    }
}

/// The word of a way, in events.
pub const fn word(way: PeerSource) -> &'static str {
    match way {
        PeerSource::Tracker => "tracker",
        PeerSource::Dht => "dht",
        PeerSource::Pex => "pex",
        PeerSource::User | PeerSource::Lsd | PeerSource::Resume | PeerSource::Incoming => "other",
    }
}

/// How a way is called in a sentence.
pub const fn told(way: PeerSource) -> &'static str {
    match way {
        PeerSource::Tracker => "through the tracker",
        PeerSource::Dht => "through the DHT",
        PeerSource::Pex => "through peer exchange (PEX)",
        PeerSource::User | PeerSource::Lsd | PeerSource::Resume | PeerSource::Incoming => "in another way",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::cli::commands::demo::cast;

    #[test]
    fn what_is_told_is_what_was_counted() {
        let mut members = cast::members(1 << 20);
        let ways = [PeerSource::Tracker, PeerSource::Tracker, PeerSource::Dht, PeerSource::Pex];
        for (member, way) in members.iter_mut().zip(ways) {
            member.met = Some(way);
        }
        let ways = Ways::of(&members);
        assert_eq!(ways, Ways { tracker: 2, dht: 1, pex: 1 });
        let text = ways.told(Some(0.21));
        assert_eq!(
            text,
            "  the tracker died at 21 %, and the swarm carried on:\n  you met 2 through the tracker, \
             1 through the DHT (20 nodes), 1 through PEX\n"
        );
        assert!(text.lines().chain(Ways::default().told(None).lines()).all(|line| line.len() < 80));
    }
}
