//! Announces to trackers and searches in the DHT. The argument `left` is the number of missing bytes, see
//! [`Phase::left`].
//!
//! [`Phase::left`]: super::phase::Phase::left

use super::swarm::Swarm;
use crate::base::Moment;
use crate::proto::announce::{Announce, AnnounceEvent, AnnounceReply, ScrapeReply};
use crate::swarm::event::{Note, Output, Source, TrackerFailure, TrackerKey};
use crate::swarm::parts::announcer::Due;

impl Swarm {
    /// Sends the announces and scrapes that are due.
    pub fn announce_due(&mut self, now: Moment, left: u64, out: &mut Vec<Output>) {
        for due in self.announcer.due(now) {
            match due {
                Due::Announce(tracker, event) => self.announce(tracker, event, left, out),
                Due::Scrape(tracker) => out.push(Output::Scrape { tracker }),
            }
        }
    }

    /// Sends an announce to one tracker.
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

    /// Handles the answer to an announce, or its failure.
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

    /// Handles the answer to a scrape, or its failure.
    pub fn scraped(
        &mut self,
        now: Moment,
        tracker: TrackerKey,
        answer: &Result<ScrapeReply, TrackerFailure>,
    ) {
        self.announcer.scraped(now, tracker, self.config.info_hash, answer);
    }

    /// Searches for peers in the DHT, if a search is due.
    pub fn look_up(&mut self, now: Moment, left: u64, out: &mut Vec<Output>) {
        let few = self.is_lonely();
        if let Some(dht_schedule) = &mut self.dht_schedule
            && dht_schedule.due(now, few)
        {
            out.push(Output::Lookup { announce: self.config.port != 0, seed: left == 0 });
        }
    }

    /// Handles the end of a DHT search.
    pub fn looked_up(&mut self, now: Moment, answered: u32, peers: u32, left: u64, out: &mut Vec<Output>) {
        if let Some(dht_schedule) = &mut self.dht_schedule {
            dht_schedule.ended(now, answered, peers, &mut self.rng);
        }
        self.look_up(now, left, out);
    }

    /// Makes a DHT search due as the download is complete: leechers are to find the new seed.
    pub fn look_up_complete(&mut self, now: Moment) {
        if let Some(dht_schedule) = &mut self.dht_schedule {
            dht_schedule.completed(now);
        }
    }

    /// Announces and searches now, as far as intervals and pauses allow.
    pub fn hurry(&mut self, now: Moment, left: u64, out: &mut Vec<Output>) {
        self.announcer.hurry(now);
        if let Some(dht_schedule) = &mut self.dht_schedule {
            dht_schedule.hurry(now);
        }
        self.announce_due(now, left, out);
        self.look_up(now, left, out);
    }

    /// Resumes after a pause.
    pub fn resume(&mut self, now: Moment, left: u64, out: &mut Vec<Output>) {
        self.paused = false;
        self.redial = true;
        self.announcer.resume(now);
        if let Some(dht_schedule) = &mut self.dht_schedule {
            dht_schedule.resume(now);
        }
        self.announce_due(now, left, out);
        self.look_up(now, left, out);
    }

    /// Announces `stopped` to the trackers, and suspends the searches.
    pub fn announce_stopped(&mut self, left: u64, out: &mut Vec<Output>) {
        if let Some(dht_schedule) = &mut self.dht_schedule {
            dht_schedule.stop();
        }
        for (tracker, event) in self.announcer.stop() {
            self.announce(tracker, event, left, out);
        }
    }
}
