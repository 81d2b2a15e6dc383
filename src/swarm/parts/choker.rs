//! The choker, which assigns the upload slots.
//!
//! While downloading, the peers that upload most to us get the slots (tit for tat), and one optimistic slot
//! goes to a random peer for 30 s, so that new peers can show their rate. While seeding, the slots rotate: a
//! peer that has had its quantum gives way to the one that waited longest. A free slot is assigned at once; a
//! slot is taken away only in the rounds of 10 s, since a choke costs the peer its pending requests.

use std::time::Duration;

use crate::base::{Moment, Rng};

use crate::swarm::event::PeerKey;

/// The time between two rounds.
pub const ROUND: Duration = Duration::from_secs(10);
/// The time for which a peer keeps the optimistic slot.
const OPTIMISTIC: Duration = Duration::from_secs(30);
/// The shortest time for which a peer keeps a slot while we seed.
const TURN: Duration = Duration::from_secs(30);
/// The bytes that a peer receives in its turn before it gives way to others, while we seed.
const QUANTUM: u64 = 16 << 20;
/// The age up to which a peer has three chances instead of one to get the optimistic slot.
const NEW: Duration = Duration::from_secs(60);

/// An interested peer.
#[derive(Clone, Copy, Debug)]
pub struct Contender {
    /// The peer.
    pub peer: PeerKey,
    /// Whether the peer has a slot.
    pub unchoked: bool,
    /// The time at which the peer was last choked or unchoked, or else connected.
    pub since: Moment,
    /// The time at which the peer connected.
    pub came: Moment,
    /// The payload rate from the peer, in bytes per second.
    pub gives: f64,
    /// The payload rate to the peer, in bytes per second.
    pub takes: f64,
    /// The bytes sent to the peer since it was unchoked.
    pub got: u64,
    /// Whether the peer is snubbed: it has not sent requested blocks for too long.
    pub snubbed: bool,
}

/// Returns the number of upload slots for an upload limit and the current upload rate, in bytes per second:
/// enough to use the line, few enough for a useful rate per slot.
pub fn slots(limit: Option<u64>, rate: f64) -> usize {
    let root = |bytes: f64| (bytes / 1024.0 * 0.6).max(0.0).sqrt() as usize;
    match limit {
        None => root(rate).max(8),
        Some(limit) => match limit / 1024 {
            0..9 => 2,
            9..15 => 3,
            15..42 => 4,
            _ => root(limit as f64).clamp(5, 200),
        },
    }
}

/// The choice of the peers that have an upload slot.
#[derive(Clone, Debug, Default)]
pub struct Choker {
    chance: Option<(PeerKey, Moment)>,
}

impl Choker {
    /// Returns the peers that have a slot from now on.
    pub fn round(
        &mut self,
        now: Moment,
        seeding: bool,
        slots: usize,
        contenders: &[Contender],
        rng: &mut Rng,
    ) -> Vec<PeerKey> {
        if contenders.len() <= slots {
            return contenders.iter().map(|c| c.peer).collect();
        }
        let mut ranked = contenders.to_vec();
        rng.shuffle(&mut ranked);
        if seeding {
            ranked.sort_by_key(|c| turn_key(now, c));
            return ranked.iter().take(slots).map(|c| c.peer).collect();
        }
        ranked.sort_by(|a, b| {
            let worth = |c: &Contender| if c.snubbed { -1.0 } else { c.gives };
            worth(b).total_cmp(&worth(a)).then(b.unchoked.cmp(&a.unchoked))
        });
        let regular = slots.saturating_sub(1).max(1);
        let mut chosen: Vec<PeerKey> = ranked.iter().take(regular).map(|c| c.peer).collect();
        if slots > regular {
            chosen.extend(self.draw(now, &ranked[regular..], rng));
        }
        chosen
    }

    /// Returns the next peer for a free slot.
    pub fn next(now: Moment, seeding: bool, contenders: &[Contender]) -> Option<PeerKey> {
        let waiting = contenders.iter().filter(|c| !c.unchoked);
        let best = if seeding {
            waiting.min_by_key(|c| turn_key(now, c))
        } else {
            waiting.max_by(|a, b| {
                let worth = |c: &Contender| if c.snubbed { -1.0 } else { c.gives };
                worth(a).total_cmp(&worth(b)).then(b.since.cmp(&a.since))
            })
        };
        best.map(|c| c.peer)
    }

    /// Returns the peer of the optimistic slot: the same for 30 s, then another, preferably a new one.
    fn draw(&mut self, now: Moment, rest: &[Contender], rng: &mut Rng) -> Option<PeerKey> {
        if let Some((peer, since)) = self.chance
            && now.since(since) < OPTIMISTIC
            && rest.iter().any(|c| c.peer == peer)
        {
            return Some(peer);
        }
        let last = self.chance.map(|(peer, _)| peer);
        let mut tickets = Vec::new();
        for c in rest.iter().filter(|c| !c.snubbed && Some(c.peer) != last) {
            let many = if now.since(c.came) < NEW { 3 } else { 1 };
            tickets.extend(std::iter::repeat_n(c.peer, many));
        }
        let peer = rng.index(tickets.len()).map(|at| tickets[at]).or_else(|| rest.first().map(|c| c.peer))?;
        self.chance = Some((peer, now));
        Some(peer)
    }
}

/// Returns the sort key while seeding: first the peers in the middle of their turn, the fastest first; then
/// those that wait, the longest first; then those that had their turn.
fn turn_key(now: Moment, c: &Contender) -> (u8, u64, Moment) {
    let had_its_turn = now.since(c.since) >= TURN && (c.got >= QUANTUM || now.since(c.since) >= TURN * 4);
    let idle = now.since(c.since) >= TURN && c.takes < 1024.0;
    match (c.unchoked, had_its_turn || idle) {
        (true, false) => (0, u64::MAX - c.takes as u64, c.since),
        (false, _) => (1, 0, c.since),
        (true, true) => (2, u64::MAX - c.takes as u64, c.since),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Moment {
        Moment::START + Duration::from_secs(s)
    }

    fn contender(n: u64, gives: f64) -> Contender {
        let (since, came) = (at(0), at(0));
        Contender {
            peer: PeerKey(n),
            unchoked: false,
            since,
            came,
            gives,
            takes: 0.0,
            got: 0,
            snubbed: false,
        }
    }

    #[test]
    fn everyone_is_served_while_there_are_slots() {
        let few: Vec<_> = (0..3).map(|n| contender(n, 0.0)).collect();
        assert_eq!(Choker::default().round(at(9), false, 8, &few, &mut Rng::new(1)).len(), 3);
    }

    #[test]
    fn who_gives_most_gets_a_slot_and_chance_has_one() {
        let all: Vec<_> = (0..20).map(|n| contender(n, n as f64)).collect();
        let (mut choker, mut rng) = (Choker::default(), Rng::new(1));
        let first = choker.round(at(100), false, 4, &all, &mut rng);
        assert_eq!(first[..3], [PeerKey(19), PeerKey(18), PeerKey(17)]);
        assert!(first[3] < PeerKey(17));
        assert_eq!(choker.round(at(110), false, 4, &all, &mut rng)[3], first[3]);
        assert_ne!(choker.round(at(130), false, 4, &all, &mut rng)[3], first[3]);
    }

    #[test]
    fn who_owes_us_gets_no_slot_for_what_it_gave() {
        let mut all: Vec<_> = (0..5).map(|n| contender(n, n as f64)).collect();
        all[4].snubbed = true;
        let chosen = Choker::default().round(at(9), false, 3, &all, &mut Rng::new(1));
        assert!(!chosen.contains(&PeerKey(4)));
    }

    #[test]
    fn everyone_has_a_turn_while_we_only_give() {
        let mut all: Vec<_> = (0..12).map(|n| contender(n, 0.0)).collect();
        let (mut choker, mut rng) = (Choker::default(), Rng::new(1));
        let mut served = std::collections::BTreeSet::new();
        for round in 0..20 {
            let now = at(round * 10);
            let chosen = choker.round(now, true, 4, &all, &mut rng);
            assert_eq!(chosen.len(), 4);
            for c in &mut all {
                let unchoked = chosen.contains(&c.peer);
                if unchoked != c.unchoked {
                    (c.unchoked, c.since, c.got) = (unchoked, now, 0);
                }
                if unchoked {
                    (c.takes, c.got) = (1e6, c.got + 10_000_000);
                }
            }
            served.extend(chosen);
        }
        assert_eq!(served.len(), 12);
    }

    #[test]
    fn slots_follow_the_upload_limit() {
        assert_eq!([Some(8 << 10), Some(14 << 10), Some(40 << 10)].map(|l| slots(l, 0.0)), [2, 3, 4]);
        assert_eq!(slots(Some(1 << 20), 0.0), 24);
        assert_eq!(slots(None, 0.0), 8);
        assert!(slots(None, 50e6) > 100);
    }
}
