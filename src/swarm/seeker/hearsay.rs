//! What a peer has said before anybody could judge it: the number of pieces is not known yet.
//!
//! It is kept, in no more memory than it took to say, and said again to the torrent that takes over.

use std::collections::BTreeSet;

use crate::base::MAX_PIECES;
use crate::proto::extended::{ExtendedHandshake, HANDSHAKE_ID};
use crate::proto::message::Message;

/// Pieces named one by one that are kept; who names more is not worth its memory.
const MOST_HAVES: usize = 1 << 17;
/// The most pieces kept of those a peer suggests or allows.
const MOST_HINTS: usize = 32;

/// What one peer has said; see the head of this file.
#[derive(Clone, Debug, Default)]
pub struct Hearsay {
    /// All its pieces at once.
    told: Option<Message>,
    haves: BTreeSet<u32>,
    unchoked: bool,
    interested: bool,
    suggested: Vec<u32>,
    allowed: Vec<u32>,
    /// All its extension handshakes in one.
    hand: Option<ExtendedHandshake>,
}

/// A message that breaks the protocol, whatever the torrent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken;

impl Hearsay {
    /// A message came. Those that say nothing for later are passed over.
    pub fn heard(&mut self, message: Message, fast: bool) -> Result<(), Broken> {
        match message {
            Message::Choke => self.unchoked = false,
            Message::Unchoke => self.unchoked = true,
            Message::Interested => self.interested = true,
            Message::NotInterested => self.interested = false,
            Message::Have(piece) if piece >= MAX_PIECES => return Err(Broken),
            Message::Have(piece) => self.have(piece)?,
            Message::HaveAll | Message::HaveNone if !fast || self.told.is_some() => return Err(Broken),
            Message::HaveAll | Message::HaveNone => self.told = Some(message),
            Message::Bitfield(_) => {
                // aria2 says a second one instead of many `have`.
                self.told = Some(message);
            }
            Message::Suggest(piece) if fast => hint(&mut self.suggested, piece),
            Message::AllowedFast(piece) if fast => hint(&mut self.allowed, piece),
            Message::Suggest(_) | Message::AllowedFast(_) | Message::Reject(_) if !fast => {
                return Err(Broken);
            }
            _ => {}
        }
        Ok(())
    }

    /// An extension handshake came.
    pub fn shook(&mut self, hand: ExtendedHandshake) {
        match &mut self.hand {
            Some(known) => known.update(hand),
            None => self.hand = Some(hand),
        }
    }

    /// What its extension handshakes said.
    pub const fn hand(&self) -> Option<&ExtendedHandshake> {
        self.hand.as_ref()
    }

    /// Whether it is interested in pieces of ours.
    pub const fn is_interested(&self) -> bool {
        self.interested
    }

    /// All of it once more, in an order in which it may be said.
    pub fn again(self) -> Vec<Message> {
        let mut all: Vec<Message> = self.told.into_iter().collect();
        let hand = self.hand.map(|hand| Message::Extended { id: HANDSHAKE_ID, body: hand.encode() });
        all.extend(hand);
        all.extend(self.haves.into_iter().map(Message::Have));
        all.extend(self.suggested.into_iter().map(Message::Suggest));
        all.extend(self.allowed.into_iter().map(Message::AllowedFast));
        all.extend(self.interested.then_some(Message::Interested));
        all.extend(self.unchoked.then_some(Message::Unchoke));
        all
    }

    fn have(&mut self, piece: u32) -> Result<(), Broken> {
        // In a bitfield there is room for it.
        if let Some(Message::Bitfield(bits)) = &mut self.told
            && let Some(byte) = bits.get_mut(piece as usize / 8)
        {
            *byte |= 0x80 >> (piece % 8);
            return Ok(());
        }
        if self.told != Some(Message::HaveAll) {
            self.haves.insert(piece);
        }
        if self.haves.len() > MOST_HAVES { Err(Broken) } else { Ok(()) }
    }
}

/// Notes a hint, unless there are many.
fn hint(hints: &mut Vec<u32>, piece: u32) {
    if !hints.contains(&piece) && hints.len() < MOST_HINTS {
        hints.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(messages: &[Message]) -> Vec<Message> {
        let mut hearsay = Hearsay::default();
        for message in messages {
            hearsay.heard(message.clone(), true).expect("allowed");
        }
        hearsay.again()
    }

    #[test]
    fn what_still_holds_is_said_again() {
        let bits = Message::Bitfield(vec![0x80, 0]);
        let all = [bits, Message::Unchoke, Message::Have(9), Message::Interested, Message::Choke];
        assert_eq!(said(&all), [Message::Bitfield(vec![0x80, 0x40]), Message::Interested]);
        let all = [Message::HaveNone, Message::Have(3), Message::AllowedFast(5), Message::Unchoke];
        let again = [Message::HaveNone, Message::Have(3), Message::AllowedFast(5), Message::Unchoke];
        assert_eq!(said(&all), again);
        assert_eq!(said(&[Message::HaveAll, Message::Have(3)]), [Message::HaveAll]);
    }

    #[test]
    fn what_breaks_the_protocol_in_any_torrent_is_told() {
        let mut hearsay = Hearsay::default();
        assert_eq!(hearsay.heard(Message::HaveAll, false), Err(Broken));
        assert_eq!(hearsay.heard(Message::AllowedFast(1), false), Err(Broken));
        assert_eq!(hearsay.heard(Message::Have(MAX_PIECES), true), Err(Broken));
        let told = (0..MAX_PIECES).try_for_each(|piece| hearsay.heard(Message::Have(piece), true));
        assert_eq!(told, Err(Broken));
        assert!(hearsay.again().len() <= MOST_HAVES + 1);
    }

    proptest! {
        #[test]
        fn hints_and_handshakes_stay_few(pieces in prop::collection::vec(any::<u32>(), 0..500)) {
            let mut hearsay = Hearsay::default();
            for piece in pieces {
                let _ = hearsay.heard(Message::Suggest(piece), true);
                let _ = hearsay.heard(Message::AllowedFast(piece), true);
                hearsay.shook(ExtendedHandshake::default());
            }
            prop_assert!(hearsay.again().len() <= 2 * MOST_HINTS + 1);
        }
    }
}
