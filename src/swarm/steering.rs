//! What time and the user bring about: deadlines, wishes, announces.

use std::time::Duration;

use crate::base::Moment;
use crate::proto::announce::{Announce, AnnounceEvent, AnnounceReply, ScrapeReply};
use crate::proto::message::Message;

use super::announcer::Due;
use super::choker::ROUND;
use super::event::{Departure, Note, Output, Priority, Source, TrackerFailure, TrackerKey, Wish};
use super::lookups::Lookups;
use super::torrent::{Timer, Torrent};

/// The time between two looks at the pipelines.
const PULSE: Duration = Duration::from_secs(1);
/// We are silent for at most this long (BEP 3).
const KEEP_ALIVE: Duration = Duration::from_secs(100);
/// A peer that is silent for this long is left: two minutes, the usual time between keep-alives (BEP 3),
/// and some grace.
const IDLE: Duration = Duration::from_secs(130);
/// A connection in which neither side is interested is left after this long.
const INACTIVE: Duration = Duration::from_secs(600);
/// Fewer candidates than this make us ask the trackers again.
const FEW: usize = 10;

impl Torrent {
    /// Does what is due.
    pub(super) fn expire(&mut self, now: Moment, out: &mut Vec<Output>) {
        while let Some(timer) = self.timers.expire(now) {
            match timer {
                Timer::Announce => self.announce_due(now, out),
                Timer::Lookup => self.look_up(now, out),
                Timer::Dial => self.redial = true,
                Timer::Pulse => self.pulse(now, out),
                Timer::Round => self.round(now, out),
                Timer::Exchange => self.exchange(now, out),
            }
            if self.stopped {
                return;
            }
        }
        if self.redial {
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
        if self.peers.is_empty() {
            self.timers.stop(Timer::Round);
            self.timers.stop(Timer::Pulse);
            return;
        }
        if self.timers.get(Timer::Round).is_none() {
            self.timers.set(Timer::Round, now + ROUND);
        }
        let owing = || {
            self.peers
                .values()
                .any(|peer| peer.dry || peer.pipeline.is_snubbed() || !peer.pipeline.owed().is_empty())
        };
        if self.timers.get(Timer::Pulse).is_none() && !self.finished && owing() {
            self.timers.set(Timer::Pulse, now + PULSE);
        }
    }

    fn pulse(&mut self, now: Moment, out: &mut Vec<Output>) {
        for key in self.keys() {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            let rate = peer.down.rate(now);
            if peer.pipeline.pulse(now, rate) {
                self.snub(key, out);
            } else {
                self.hungry.insert(key);
            }
        }
        self.drop_stalled(now, out);
        self.freed |= self.in_end_game();
    }

    fn round(&mut self, now: Moment, out: &mut Vec<Output>) {
        for key in self.keys() {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            peer.forgive(ROUND.as_secs() as u32);
            let busy = peer.wants || peer.interested;
            if now.since(peer.heard_at) >= IDLE {
                self.close(now, key, Departure::Silent, out);
            } else if !busy && now.since(peer.interest_at) >= INACTIVE {
                self.close(now, key, Departure::Useless, out);
            } else if now.since(peer.said_at) >= KEEP_ALIVE {
                self.say(now, key, Message::KeepAlive, out);
            }
        }
        self.make_room(now, out);
        self.rechoke(now, out);
        if self.is_lonely() && !self.finished {
            self.announcer.hurry(now);
        }
        self.redial = true;
    }

    /// Whether there are too few peers, and too few addresses to try.
    fn is_lonely(&self) -> bool {
        self.peers.len() < FEW && self.candidates.fresh() < FEW
    }

    /// Searches for peers in the DHT, if it is time.
    pub(super) fn look_up(&mut self, now: Moment, out: &mut Vec<Output>) {
        let few = self.is_lonely();
        if let Some(lookups) = &mut self.lookups
            && lookups.due(now, few)
        {
            let (announce, seed) = (self.config.port != 0, self.progress.have().is_full());
            out.push(Output::Lookup { announce, seed });
        }
    }

    /// A search in the DHT has ended.
    pub(super) fn looked_up(&mut self, now: Moment, answered: u32, peers: u32, out: &mut Vec<Output>) {
        if let Some(lookups) = &mut self.lookups {
            lookups.ended(now, answered, peers, &mut self.rng);
        }
        self.look_up(now, out);
    }

    fn announce_due(&mut self, now: Moment, out: &mut Vec<Output>) {
        for due in self.announcer.due(now) {
            match due {
                Due::Announce(tracker, event) => self.announce(tracker, event, out),
                Due::Scrape(tracker) => out.push(Output::Scrape { tracker }),
            }
        }
    }

    pub(super) fn announce(&self, tracker: TrackerKey, event: AnnounceEvent, out: &mut Vec<Output>) {
        let missing = self.config.max_peers.saturating_sub(self.peers.len() + self.candidates.fresh());
        let (_, _, have) = self.progress.bytes();
        let all = self.progress.have().is_full();
        let announce = Announce {
            info_hash: self.config.info_hash,
            peer_id: self.config.id,
            port: self.config.port,
            uploaded: self.counters.up.total(),
            downloaded: self.counters.down.total(),
            left: if all { 0 } else { self.geometry.total().saturating_sub(have).max(1) },
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
        self.found(now, Source::Tracker, &reply.peers);
    }

    pub(super) fn scraped(
        &mut self,
        now: Moment,
        tracker: TrackerKey,
        answer: &Result<ScrapeReply, TrackerFailure>,
    ) {
        self.announcer.scraped(now, tracker, self.config.info_hash, answer);
    }

    pub(super) fn set_budget(&mut self, bytes: u64) {
        self.freed |= bytes > self.budget;
        self.budget = bytes;
    }

    pub(super) fn wish(&mut self, now: Moment, wish: Wish, out: &mut Vec<Output>) {
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
            Wish::Priorities(priorities) if !self.config.seed_only => self.prioritise(now, priorities, out),
            Wish::Priorities(_) => {}
            Wish::Order(order) => self.config.order = order,
            Wish::Ahead(pieces) => {
                self.ahead = pieces.start..pieces.end.min(self.geometry.piece_count());
                self.freed = true;
            }
            Wish::Announce => {
                self.announcer.hurry(now);
                if let Some(lookups) = &mut self.lookups {
                    lookups.hurry(now);
                }
                self.announce_due(now, out);
                self.look_up(now, out);
            }
            Wish::UploadLimit(limit) => {
                self.config.upload_limit = limit;
                self.rechoke(now, out);
            }
            Wish::Stop => {
                self.leave_swarm(now, out);
                self.stopped = true;
                self.timers = crate::base::Timers::new();
            }
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

    fn prioritise(&mut self, now: Moment, priorities: Vec<Priority>, out: &mut Vec<Output>) {
        let geometry = self.geometry.clone();
        self.progress.prioritise(&geometry, priorities);
        for piece in geometry.pieces() {
            let priority = self.progress.priority(piece);
            match self.started.get(piece) {
                Some(open) if priority == Priority::Skip && !open.is_whole() => self.abandon(piece, out),
                Some(_) => {}
                None if self.progress.lacking().has(piece) => {
                    self.rarity.put(piece, priority, &mut self.rng);
                }
                None => self.rarity.take(piece),
            }
        }
        for key in self.keys() {
            if let Some(peer) = self.peers.get_mut(&key) {
                peer.interesting = self.progress.interesting(&peer.has);
            }
            self.show_interest(now, key, out);
        }
        self.freed = true;
        self.finished = false;
        self.finish(now, out);
        self.reopen();
    }

    /// More may be wanted than was before.
    pub(super) fn reopen(&mut self) {
        if let Some(lookups) = self.lookups.as_mut().filter(|_| !self.finished) {
            lookups.reopened();
        }
    }
}
