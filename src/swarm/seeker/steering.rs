//! What time and the user bring about: deadlines, wishes, announces, searches in the DHT.

use std::time::Duration;

use super::{Seeker, Timer};
use crate::base::{Moment, Timers};
use crate::proto::announce::{Announce, AnnounceEvent, AnnounceReply, ScrapeReply};
use crate::proto::message::Message;
use crate::swarm::announcer::Due;
use crate::swarm::event::{Departure, Note, Output, Source, TrackerFailure, TrackerKey, Wish};
use crate::swarm::lookups::Lookups;

/// The time between two looks at silence.
const ROUND: Duration = Duration::from_secs(10);
/// We are silent for at most this long (BEP 3).
const KEEP_ALIVE: Duration = Duration::from_secs(100);
/// A peer that is silent for this long is left.
const IDLE: Duration = Duration::from_secs(130);
/// Fewer candidates than this make us ask the trackers again.
const FEW: usize = 10;

impl Seeker {
    /// Does what is due.
    pub(super) fn expire(&mut self, now: Moment, out: &mut Vec<Output>) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::Announce => self.announce_due(now, out),
                Timer::Dial => self.redial = true,
                Timer::Ask => self.ask(now, out),
                Timer::Lookup => self.look_up(now, out),
                Timer::Exchange => self.exchange(now, out),
                Timer::Round => self.round(now, out),
            }
        }
        if self.redial && !self.stopped {
            self.dial(now, out);
        }
    }

    /// Sets the deadlines anew.
    pub(super) fn plan(&mut self, now: Moment) {
        if self.stopped {
            return;
        }
        let announce = self.announcer.deadline();
        let lookup = self.lookups.as_ref().and_then(Lookups::deadline);
        for (timer, deadline) in [(Timer::Announce, announce), (Timer::Lookup, lookup)] {
            match deadline {
                Some(at) => self.timers.set(timer, at),
                None => self.timers.stop(timer),
            }
        }
        match self.hunt.deadline(now).filter(|_| !self.found && !self.paused) {
            // It is never put off by what happens meanwhile.
            Some(at) if self.timers.get(Timer::Ask).is_none_or(|set| at < set) => {
                self.timers.set(Timer::Ask, at);
            }
            Some(_) => {}
            None => self.timers.stop(Timer::Ask),
        }
        if self.contacts.is_empty() {
            self.timers.stop(Timer::Round);
        } else if self.timers.get(Timer::Round).is_none() {
            self.timers.set(Timer::Round, now + ROUND);
        }
    }

    fn round(&mut self, now: Moment, out: &mut Vec<Output>) {
        for key in self.keys() {
            let Some(contact) = self.contacts.get_mut(&key) else { continue };
            contact.forgive(ROUND.as_secs() as u32);
            if now.since(contact.heard_at) >= IDLE {
                self.close(now, key, Departure::Silent, out);
            } else if now.since(contact.said_at) >= KEEP_ALIVE {
                self.say(now, key, Message::KeepAlive, out);
            }
        }
        self.make_room(now, out);
        if !self.found && self.is_lonely() {
            self.announcer.hurry(now);
        }
        self.redial = true;
    }

    fn announce_due(&mut self, now: Moment, out: &mut Vec<Output>) {
        for due in self.announcer.due(now) {
            match due {
                Due::Announce(tracker, event) => self.announce(tracker, event, out),
                Due::Scrape(tracker) => out.push(Output::Scrape { tracker }),
            }
        }
    }

    fn announce(&self, tracker: TrackerKey, event: AnnounceEvent, out: &mut Vec<Output>) {
        let missing = self.config.max_peers.saturating_sub(self.contacts.len() + self.candidates.fresh());
        let announce = Announce {
            info_hash: self.config.info_hash,
            peer_id: self.config.id,
            port: self.config.port,
            uploaded: 0,
            downloaded: 0,
            left: u64::MAX,
            event,
            key: self.config.announce_key,
            numwant: Some(if event == AnnounceEvent::Stopped { 0 } else { missing.min(200) as u32 }),
            ip: None,
            tracker_id: self.announcer.trackers().get(tracker.0).and_then(|known| known.id.clone()),
        };
        out.push(Output::Announce { tracker, announce });
    }

    pub(super) fn announced(
        &mut self,
        now: Moment,
        tracker: TrackerKey,
        answer: Result<AnnounceReply, TrackerFailure>,
        out: &mut Vec<Output>,
    ) {
        self.announcer.announced(now, tracker, &answer, &mut self.rng);
        self.announce_due(now, out);
        let Ok(reply) = answer else { return };
        if let Some(warning) = reply.warning {
            out.push(Output::Note(Note::TrackerWarning(tracker, warning)));
        }
        if let Some(ip) = reply.external_ip.filter(|_| self.config.port != 0) {
            self.candidates.set_me((ip, self.config.port).into());
        }
        self.heard_of(now, Source::Tracker, &reply.peers);
    }

    pub(super) fn scraped(
        &mut self,
        now: Moment,
        tracker: TrackerKey,
        answer: &Result<ScrapeReply, TrackerFailure>,
    ) {
        self.announcer.scraped(now, tracker, self.config.info_hash, answer);
    }

    /// Whether there are too few peers, and too few addresses to try.
    fn is_lonely(&self) -> bool {
        self.contacts.len() < FEW && self.candidates.fresh() < FEW
    }

    /// Searches for peers in the DHT, if it is time.
    fn look_up(&mut self, now: Moment, out: &mut Vec<Output>) {
        let few = !self.found && self.is_lonely();
        if let Some(lookups) = &mut self.lookups
            && lookups.due(now, few)
        {
            out.push(Output::Lookup { announce: self.config.port != 0, seed: false });
        }
    }

    /// A search in the DHT has ended.
    pub(super) fn looked_up(&mut self, now: Moment, answered: u32, peers: u32, out: &mut Vec<Output>) {
        if let Some(lookups) = &mut self.lookups {
            lookups.ended(now, answered, peers, &mut self.rng);
        }
        self.look_up(now, out);
    }

    pub(super) fn wish(&mut self, now: Moment, wish: &Wish, out: &mut Vec<Output>) {
        match wish {
            Wish::Pause => self.leave_swarm(now, out),
            Wish::Resume => {
                self.paused = false;
                self.redial = true;
                self.announcer.resume(now);
                if let Some(lookups) = &mut self.lookups {
                    lookups.resume(now);
                }
                self.announce_due(now, out);
                self.look_up(now, out);
            }
            Wish::Announce => {
                self.announcer.hurry(now);
                if let Some(lookups) = &mut self.lookups {
                    lookups.hurry(now);
                }
                self.announce_due(now, out);
                self.look_up(now, out);
            }
            Wish::Stop => {
                self.leave_swarm(now, out);
                self.stopped = true;
                self.timers = Timers::new();
            }
            Wish::Priorities(_) | Wish::Order(_) | Wish::Ahead(_) | Wish::UploadLimit(_) => {}
        }
    }

    /// Ends every connection and tells the trackers.
    fn leave_swarm(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.paused = true;
        for key in self.keys() {
            self.close(now, key, Departure::Stopping, out);
        }
        if let Some(lookups) = &mut self.lookups {
            lookups.stop();
        }
        for (tracker, event) in self.announcer.stop() {
            self.announce(tracker, event, out);
        }
    }
}
