//! What a torrent hears, one line per fact.

use crate::base::Moment;

use super::event::{Input, Output};
use super::torrent::Torrent;

impl Torrent {
    /// Takes a fact that became known at `now`, and pushes what is to be done about it.
    pub fn handle(&mut self, now: Moment, input: Input, out: &mut Vec<Output>) {
        if self.stopped {
            return;
        }
        match input {
            Input::Tick => {}
            Input::Found { source, addrs } => self.found(now, source, &addrs),
            Input::Connected { peer, addr, incoming, hello } => {
                self.connected(now, peer, addr, incoming, hello, out);
            }
            Input::DialFailed { addr, why } => self.dial_failed(now, addr, why),
            Input::Heard { peer, message } => self.heard(now, peer, message, out),
            Input::Landed { peer, blocks } => self.landed(now, peer, &blocks, out),
            Input::Wasted { peer, bytes } => self.wasted(now, peer, bytes),
            Input::Sent { peer, spans } => self.sent(now, peer, &spans, out),
            Input::Left { peer, why } => self.left(now, peer, why, out),
            Input::Verified { piece, digests } => self.verified(now, piece, &digests, out),
            Input::Spoiled { piece, digests } => self.spoiled(now, piece, &digests, out),
            Input::Settled { piece, blocks } => self.settled(piece, blocks),
            Input::Unwritten { piece } => self.unwritten(piece, out),
            Input::Unserved { peer, spans } => self.unserved(now, peer, &spans, out),
            Input::Lost { piece } => self.lost(now, piece, out),
            Input::Announced { tracker, answer } => self.announced(now, tracker, answer, out),
            Input::Scraped { tracker, answer } => self.scraped(now, tracker, &answer),
            Input::LookedUp { answered, peers } => self.looked_up(now, answered, peers, out),
            Input::Budget { bytes } => self.set_budget(bytes),
            Input::Wish(wish) => self.wish(now, wish, out),
        }
        self.expire(now, out);
        self.feed(now, out);
        self.plan(now);
    }
}
