//! What the search tells about itself.

use super::Seeker;
use crate::base::{Moment, Untrusted};
use crate::swarm::dials::Dials;
use crate::swarm::event::{PeerKey, TrackerFailure};
use crate::swarm::lookups::{Lookups, Searched};
use crate::swarm::summary::{PeerSummary, TrackerSummary};

/// A search at one moment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SeekerSummary {
    /// It was found, of use or not.
    pub found: bool,
    /// Paused by the user.
    pub paused: bool,
    /// Connected peers.
    pub peers: u32,
    /// Connected peers that offer the dictionary.
    pub offering: u32,
    /// Peers that claimed a longer dictionary than is taken from anybody.
    pub too_long: u32,
    /// Bytes of the dictionary that are there, of the draft that has most, and its length.
    pub progress: Option<(u64, u32)>,
    /// Addresses known.
    pub known: u32,
    /// Of those, how many have neither failed nor are connected.
    pub fresh: u32,
    /// Dials under way.
    pub dialling: u32,
    /// How dials ended.
    pub dials: Dials,
    /// Trackers asked.
    pub trackers: u32,
    /// Trackers that answered when last asked.
    pub trackers_working: u32,
    /// Trackers that refused us.
    pub trackers_refused: u32,
    /// What one of them said.
    pub refusal: Option<Untrusted>,
    /// Trackers that could not be asked, or whose answer could not be read.
    pub trackers_failed: u32,
    /// Why, of one of them.
    pub failure: Option<Untrusted>,
    /// Seeds in the swarm, as the tracker says that knows most.
    pub swarm_seeds: Option<u32>,
    /// Leechers in the swarm, as the tracker says that knows most.
    pub swarm_leechers: Option<u32>,
    /// What came of searches in the DHT, if it is used.
    pub dht: Option<Searched>,
}

impl Seeker {
    /// The search as it is now.
    pub fn summary(&self) -> SeekerSummary {
        let trackers = self.announcer.trackers();
        let refusing = || trackers.iter().filter(|t| t.working == Some(false) && t.refused);
        // Who says nothing fails in no other way than by its silence.
        let silent = |said: &Untrusted| said.raw() == TrackerFailure::NO_ANSWER;
        let failing = || {
            let failing = trackers.iter().filter(|t| t.working == Some(false) && !t.refused);
            failing.filter(|t| !t.said.as_ref().is_some_and(silent))
        };
        SeekerSummary {
            found: self.found,
            paused: self.paused,
            peers: self.contacts.len() as u32,
            offering: self.hunt.offers() as u32,
            too_long: self.too_long,
            progress: self.hunt.progress(),
            known: self.candidates.len() as u32,
            fresh: self.candidates.fresh() as u32,
            dialling: self.candidates.dialling() as u32,
            dials: self.candidates.dials(),
            trackers: trackers.len() as u32,
            trackers_working: trackers.iter().filter(|t| t.working == Some(true)).count() as u32,
            trackers_refused: refusing().count() as u32,
            refusal: refusing().find_map(|t| t.said.clone()),
            trackers_failed: failing().count() as u32,
            failure: failing().find_map(|t| t.said.clone()),
            swarm_seeds: trackers.iter().filter_map(|t| t.seeds).max(),
            swarm_leechers: trackers.iter().filter_map(|t| t.leechers).max(),
            dht: self.lookups.as_ref().map(Lookups::searched),
        }
    }

    /// Every connection as it is now. Nothing is known of pieces.
    pub fn peers(&self, now: Moment) -> impl Iterator<Item = PeerSummary> + '_ {
        self.contacts.iter().map(move |(&key, contact): (&PeerKey, _)| PeerSummary {
            key,
            addr: contact.addr,
            client: client(contact),
            incoming: contact.incoming,
            source: contact.listens.and_then(|addr| self.candidates.source_of(addr)),
            age: now.since(contact.came),
            progress: 0.0,
            down: 0.0,
            up: 0.0,
            received: 0,
            sent: 0,
            interested: false,
            unchoked_us: false,
            wants: contact.hearsay.is_interested(),
            unchoked_by_us: false,
            snubs_us: false,
            owes: 0,
            depth: 0,
        })
    }

    /// Every tracker as it is now, in the order of keys.
    pub fn trackers(&self, now: Moment) -> impl Iterator<Item = TrackerSummary> + '_ {
        super::super::summary::trackers(&self.announcer, now)
    }
}

fn client(contact: &super::Contact) -> Untrusted {
    contact.hearsay.hand().and_then(|hand| hand.client.clone()).unwrap_or_default()
}
