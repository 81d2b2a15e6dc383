//! Trackers and the DHT: who hears of us, and when. `left` is what is missing, see [`Phase::left`].
//!
//! [`Phase::left`]: super::phase::Phase::left

use super::swarm::Swarm;
use crate::base::Moment;
use crate::proto::announce::{Announce, AnnounceEvent, AnnounceReply, ScrapeReply};
use crate::swarm::event::{Note, Output, Source, TrackerFailure, TrackerKey};
use crate::swarm::parts::announcer::Due;

impl Swarm {
    /// Announces and scrapes what is due.
    pub fn announce_due(&mut self, now: Moment, left: u64, out: &mut Vec<Output>) {
        for due in self.announcer.due(now) {
            match due {
                Due::Announce(tracker, event) => self.announce(tracker, event, left, out),
                Due::Scrape(tracker) => out.push(Output::Scrape { tracker }),
            }
        }
    }

    /// Announces to one tracker.
    pub fn announce(&self, tracker: TrackerKey, event: AnnounceEvent, left: u64, out: &mut Vec<Output>) {
        let missing = self.config.max_peers.saturating_sub(self.peers.len() + self.candidates.fresh());
        let announce = Announce {
            info_hash: self.config.info_hash,
            peer_id: self.config.id,
            port: self.config.port,
            uploaded: self.counters.up.total(),
            downloaded: self.counters.down.total(),
            left,
            event,
            key: self.config.announce_key,
            numwant: Some(if event == AnnounceEvent::Stopped { 0 } else { missing.min(200) as u32 }),
            ip: None,
            tracker_id: self.announcer.trackers().get(tracker.0).and_then(|known| known.id.clone()),
        };
        out.push(Output::Announce { tracker, announce });
    }

    /// A tracker answered an announce, or did not.
    pub fn announced(
        &mut self,
        now: Moment,
        tracker: TrackerKey,
        answer: Result<AnnounceReply, TrackerFailure>,
        left: u64,
        out: &mut Vec<Output>,
    ) {
        self.announcer.announced(now, tracker, &answer, &mut self.rng);
        self.announce_due(now, left, out);
        let Ok(reply) = answer else { return };
        if let Some(warning) = reply.warning {
            out.push(Output::Note(Note::TrackerWarning(tracker, warning)));
        }
        if let Some(ip) = reply.external_ip.filter(|_| self.config.port != 0) {
            self.candidates.set_me((ip, self.config.port).into());
        }
        self.found(now, Source::Tracker, &reply.peers);
    }

    /// A tracker answered a scrape, or did not.
    pub fn scraped(
        &mut self,
        now: Moment,
        tracker: TrackerKey,
        answer: &Result<ScrapeReply, TrackerFailure>,
    ) {
        self.announcer.scraped(now, tracker, self.config.info_hash, answer);
    }

    /// Searches for peers in the DHT, if it is time.
    pub fn look_up(&mut self, now: Moment, left: u64, out: &mut Vec<Output>) {
        let few = self.is_lonely();
        if let Some(lookups) = &mut self.lookups
            && lookups.due(now, few)
        {
            out.push(Output::Lookup { announce: self.config.port != 0, seed: left == 0 });
        }
    }

    /// A search in the DHT has ended.
    pub fn looked_up(&mut self, now: Moment, answered: u32, peers: u32, left: u64, out: &mut Vec<Output>) {
        if let Some(lookups) = &mut self.lookups {
            lookups.ended(now, answered, peers, &mut self.rng);
        }
        self.look_up(now, left, out);
    }

    /// Nothing lacks any more: whoever looks for seeds is to find us.
    pub fn look_up_complete(&mut self, now: Moment) {
        if let Some(lookups) = &mut self.lookups {
            lookups.completed(now);
        }
    }

    /// Asks trackers and the DHT now, as far as they allow.
    pub fn hurry(&mut self, now: Moment, left: u64, out: &mut Vec<Output>) {
        self.announcer.hurry(now);
        if let Some(lookups) = &mut self.lookups {
            lookups.hurry(now);
        }
        self.announce_due(now, left, out);
        self.look_up(now, left, out);
    }

    /// Comes back after a pause.
    pub fn resume(&mut self, now: Moment, left: u64, out: &mut Vec<Output>) {
        self.paused = false;
        self.redial = true;
        self.announcer.resume(now);
        if let Some(lookups) = &mut self.lookups {
            lookups.resume(now);
        }
        self.announce_due(now, left, out);
        self.look_up(now, left, out);
    }

    /// Tells trackers that we leave, and stops searching.
    pub fn say_goodbye(&mut self, left: u64, out: &mut Vec<Output>) {
        if let Some(lookups) = &mut self.lookups {
            lookups.stop();
        }
        for (tracker, event) in self.announcer.stop() {
            self.announce(tracker, event, left, out);
        }
    }
}
