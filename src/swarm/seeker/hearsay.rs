//! What a peer has said before anybody could judge it: the number of pieces is not known yet.
//!
//! It is kept, in no more memory than a bit for each piece there can be, and said again to the torrent that takes over.

use std::collections::BTreeSet;

use crate::base::MAX_PIECES;
use crate::proto::extended::{ExtendedHandshake, Extension, HANDSHAKE_ID, encode_dont_have};
use crate::proto::message::Message;

/// The most pieces kept of those a peer suggests or allows.
const MOST_HINTS: usize = 32;
/// The most pieces kept that a peer has said it has lost.
const MOST_LOST: usize = 256;

/// What one peer has said; see the head of this file.
#[derive(Clone, Debug, Default)]
pub struct Hearsay {
    /// All its pieces at once.
    told: Option<Message>,
    /// Pieces it named one by one, a bit for each, as far as they do not stand in what it told.
    haves: Vec<u8>,
    /// Pieces it has no more (BEP 54) of those it told.
    lost: BTreeSet<u32>,
    unchoked: bool,
    interested: bool,
    suggested: Vec<u32>,
    allowed: Vec<u32>,
    /// It wants no pieces (BEP 21), or does again.
    upload_only: Option<Vec<u8>>,
    /// All its extension handshakes in one.
    hand: Option<ExtendedHandshake>,
}

/// A message that breaks the protocol, whatever the torrent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken;

impl Hearsay {
    /// A message came. Says whether it brought anything; those that say nothing for later are passed over.
    pub fn heard(&mut self, message: Message, fast: bool) -> Result<bool, Broken> {
        match message {
            Message::Choke => self.unchoked = false,
            Message::Unchoke => self.unchoked = true,
            Message::Interested => self.interested = true,
            Message::NotInterested => self.interested = false,
            Message::Have(piece) if piece >= MAX_PIECES => return Err(Broken),
            Message::Have(piece) => return Ok(self.have(piece)),
            Message::HaveAll | Message::HaveNone if !fast || self.told.is_some() => return Err(Broken),
            Message::HaveAll | Message::HaveNone => self.told = Some(message),
            Message::Bitfield(_) => {
                // aria2 says a second one instead of many `have`.
                let new = self.told.as_ref() != Some(&message);
                self.told = Some(message);
                self.lost.clear();
                return Ok(new);
            }
            Message::Suggest(piece) if fast => hint(&mut self.suggested, piece),
            Message::AllowedFast(piece) if fast => hint(&mut self.allowed, piece),
            Message::Suggest(_) | Message::AllowedFast(_) | Message::Reject(_) if !fast => {
                return Err(Broken);
            }
            _ => {}
        }
        Ok(true)
    }

    /// It has lost a piece (BEP 54).
    pub fn has_not(&mut self, piece: u32) -> Result<(), Broken> {
        if piece >= MAX_PIECES {
            return Err(Broken);
        }
        clear(&mut self.haves, piece);
        match &mut self.told {
            Some(Message::Bitfield(bits)) => clear(bits, piece),
            Some(Message::HaveAll) => {
                self.lost.insert(piece);
            }
            _ => {}
        }
        if self.lost.len() > MOST_LOST { Err(Broken) } else { Ok(()) }
    }

    /// It says whether it wants pieces at all (BEP 21).
    pub fn upload_only(&mut self, body: &[u8]) {
        self.upload_only = body.first().map(|&byte| vec![byte]);
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

    /// Whether it has any piece, as far as it said.
    pub fn has_any(&self) -> bool {
        let told = match &self.told {
            Some(Message::HaveAll) => true,
            Some(Message::Bitfield(bits)) => bits.iter().any(|&byte| byte != 0),
            _ => false,
        };
        told || self.haves.iter().any(|&byte| byte != 0)
    }

    /// All of it once more, in an order in which it may be said.
    pub fn again(self) -> Vec<Message> {
        let mut all: Vec<Message> = self.told.into_iter().collect();
        let hand = self.hand.map(|hand| Message::Extended { id: HANDSHAKE_ID, body: hand.encode() });
        all.extend(hand);
        let bits = self.haves.iter().enumerate().filter(|(_, bits)| **bits != 0);
        let pieces = bits.flat_map(|(at, &bits)| {
            let of_byte = (0..8_u32).filter(move |bit| bits & (0x80 >> bit) != 0);
            of_byte.map(move |bit| at as u32 * 8 + bit)
        });
        all.extend(pieces.map(Message::Have));
        let to_us = |extension: Extension, body| Message::Extended { id: extension.our_id(), body };
        all.extend(self.lost.into_iter().map(|piece| to_us(Extension::DontHave, encode_dont_have(piece))));
        all.extend(self.upload_only.map(|body| to_us(Extension::UploadOnly, body)));
        all.extend(self.suggested.into_iter().map(Message::Suggest));
        all.extend(self.allowed.into_iter().map(Message::AllowedFast));
        all.extend(self.interested.then_some(Message::Interested));
        all.extend(self.unchoked.then_some(Message::Unchoke));
        all
    }

    /// Notes a piece; says whether that is new.
    fn have(&mut self, piece: u32) -> bool {
        let (at, bit) = (piece as usize / 8, 0x80 >> (piece % 8));
        let bits = match &mut self.told {
            Some(Message::HaveAll) => return self.lost.remove(&piece),
            // In a bitfield there is room for it.
            Some(Message::Bitfield(bits)) if at < bits.len() => bits,
            _ => {
                if self.haves.len() <= at {
                    self.haves.resize(at + 1, 0);
                }
                &mut self.haves
            }
        };
        let new = bits[at] & bit == 0;
        bits[at] |= bit;
        new
    }
}

/// Takes a piece out of a bitfield.
fn clear(bits: &mut [u8], piece: u32) {
    if let Some(byte) = bits.get_mut(piece as usize / 8) {
        *byte &= !(0x80 >> (piece % 8));
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
    }

    #[test]
    fn pieces_take_a_bit_each_and_what_brings_nothing_is_told() {
        let mut hearsay = Hearsay::default();
        let new =
            (0..MAX_PIECES).filter(|&piece| hearsay.heard(Message::Have(piece), true) == Ok(true)).count();
        assert_eq!((new, hearsay.haves.len()), (MAX_PIECES as usize, MAX_PIECES as usize / 8));
        assert_eq!(hearsay.heard(Message::Have(7), true), Ok(false));
        assert_eq!(hearsay.heard(Message::Bitfield(vec![3]), true), Ok(true));
        assert_eq!(hearsay.heard(Message::Bitfield(vec![3]), true), Ok(false));
        assert_eq!(hearsay.again().len(), MAX_PIECES as usize + 1);
    }

    #[test]
    fn what_was_lost_is_lost_and_may_come_back() {
        let mut seed = Hearsay::default();
        assert_eq!(seed.heard(Message::HaveAll, true), Ok(true));
        assert_eq!((seed.has_not(3), seed.has_not(4)), (Ok(()), Ok(())));
        assert_eq!(seed.heard(Message::Have(4), true), Ok(true));
        seed.upload_only(&[1]);
        let to_us = |extension: Extension, body: &[u8]| Message::Extended {
            id: extension.our_id(),
            body: body.to_vec(),
        };
        let lost = to_us(Extension::DontHave, &[0, 0, 0, 3]);
        assert_eq!(seed.clone().again(), [Message::HaveAll, lost, to_us(Extension::UploadOnly, &[1])]);
        assert!((0..MAX_PIECES).try_for_each(|piece| seed.has_not(piece)).is_err(), "nobody loses so much");
        let mut leech = Hearsay::default();
        for message in [Message::Bitfield(vec![0xff]), Message::Have(9)] {
            assert_eq!(leech.heard(message, true), Ok(true));
        }
        assert_eq!((leech.has_not(0), leech.has_not(9)), (Ok(()), Ok(())));
        assert_eq!(leech.again(), [Message::Bitfield(vec![0x7f])]);
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
