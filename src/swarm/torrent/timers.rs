//! Deadlines, and what is done when they are reached.

use std::time::Duration;

use super::Torrent;
use super::connections::Connections;
use super::content::Content;
use super::phase::Phase;
use super::swarm::{Swarm, Timer};
use crate::base::Moment;
use crate::proto::message::Message;
use crate::swarm::event::{DisconnectReason, Output};
use crate::swarm::parts::choker::ROUND;
use crate::swarm::parts::dht_schedule::DhtSchedule;

/// The time between two adjustments of the pipelines.
const PULSE: Duration = Duration::from_secs(1);
/// The longest time without a message to a peer (BEP 3, keep-alive).
const KEEP_ALIVE: Duration = Duration::from_secs(100);
/// The time without a message after which a peer is closed: the usual two minutes between keep-alives (BEP
/// 3), and some grace.
const IDLE: Duration = Duration::from_secs(130);
/// The time after which a connection is closed in which neither side is interested.
const INACTIVE: Duration = Duration::from_secs(600);

impl Torrent {
    /// Runs all timers that are due.
    pub(super) fn expire(&mut self, now: Moment, out: &mut Vec<Output>) {
        let left = self.phase.left();
        while let Some(timer) = self.swarm.timers.expire(now) {
            match timer {
                Timer::Announce => self.swarm.announce_due(now, left, out),
                Timer::Lookup => self.swarm.look_up(now, left, out),
                Timer::Dial => self.swarm.redial = true,
                Timer::Metadata => {
                    if let Phase::Metadata(download) = &mut self.phase {
                        download.request(&mut self.swarm, now, out);
                    }
                }
                Timer::Pulse => {
                    if let Phase::Content(content) = &mut self.phase {
                        content.pulse(&mut self.swarm, now, out);
                    }
                }
                Timer::Round => self.round(now, out),
                Timer::Exchange => self.swarm.exchange(now, out),
            }
        }
        if self.swarm.redial {
            self.swarm.dial(now, out);
        }
    }

    /// Sets the deadlines anew.
    pub(super) fn plan_timers(&mut self, now: Moment) {
        let swarm = &mut self.swarm;
        if swarm.stopped {
            return;
        }
        let announce = swarm.announcer.deadline();
        let lookup = swarm.dht_schedule.as_ref().and_then(DhtSchedule::deadline);
        for (timer, deadline) in [(Timer::Announce, announce), (Timer::Lookup, lookup)] {
            match deadline {
                Some(at) => swarm.timers.set(timer, at),
                None => swarm.timers.stop(timer),
            }
        }
        match &self.phase {
            Phase::Metadata(download) => {
                match download.deadline(now).filter(|_| !download.found && !swarm.paused) {
                    // An earlier deadline is never put off by later events.
                    Some(at) if swarm.timers.get(Timer::Metadata).is_none_or(|set| at < set) => {
                        swarm.timers.set(Timer::Metadata, at);
                    }
                    Some(_) => {}
                    None => swarm.timers.stop(Timer::Metadata),
                }
            }
            Phase::Content(_) => swarm.plan_pulse(now),
        }
        if swarm.peers.is_empty() {
            swarm.timers.stop(Timer::Round);
        } else if swarm.timers.get(Timer::Round).is_none() {
            swarm.timers.set(Timer::Round, now + ROUND);
        }
    }

    /// Closes silent peers, sends keep-alives, and runs the choker.
    fn round(&mut self, now: Moment, out: &mut Vec<Output>) {
        let moves = self.is_open();
        for key in self.swarm.keys() {
            let Some(peer) = self.swarm.peers.get_mut(&key) else { continue };
            peer.forgive(ROUND.as_secs() as u32);
            let busy = peer.wants || peer.interested || !moves;
            if now.since(peer.heard_at) >= IDLE {
                self.phase.close(&mut self.swarm, now, key, DisconnectReason::Silent, out);
            } else if !busy && now.since(peer.interest_at) >= INACTIVE {
                self.phase.close(&mut self.swarm, now, key, DisconnectReason::Useless, out);
            } else if now.since(peer.sent_at) >= KEEP_ALIVE {
                self.swarm.send(now, key, Message::KeepAlive, out);
            }
        }
        self.make_room(now, out);
        if let Phase::Content(content) = &mut self.phase {
            content.rechoke(&mut self.swarm, now, out);
        }
        if self.swarm.is_lonely() && !self.swarm.finished {
            self.swarm.announcer.hurry(now);
        }
        self.swarm.redial = true;
    }
}

impl Swarm {
    /// Plans the next adjustment of the pipelines, while requests are pending.
    fn plan_pulse(&mut self, now: Moment) {
        let owes = |peer: &super::peer::Peer| {
            peer.starved || peer.pipeline.is_snubbed() || !peer.pipeline.pending().is_empty()
        };
        if self.peers.is_empty() {
            self.timers.stop(Timer::Pulse);
        } else if self.timers.get(Timer::Pulse).is_none() && !self.finished && self.peers.values().any(owes) {
            self.timers.set(Timer::Pulse, now + PULSE);
        }
    }
}

impl Content {
    /// Adjusts the pipelines, and snubs peers that are late.
    fn pulse(&mut self, swarm: &mut Swarm, now: Moment, out: &mut Vec<Output>) {
        for key in swarm.keys() {
            let Some(peer) = swarm.peers.get_mut(&key) else { continue };
            let rate = peer.down.rate(now);
            if peer.pipeline.pulse(now, rate) {
                self.snub(swarm, key, out);
            } else {
                self.wants_requests.insert(key);
            }
        }
        self.drop_stalled(swarm, now, out);
        self.reconsider |= self.in_end_game();
    }
}
