//! Messages about pieces that arrive before the number of pieces is known.
//!
//! They are kept, in at most one bit for each possible piece, and replayed once the content is opened.

use std::collections::BTreeSet;

use crate::base::MAX_PIECES;
use crate::proto::message::Message;

/// The most suggested pieces, and the most allowed-fast pieces, that are kept.
const MAX_HINTS: usize = 32;
/// The most lost pieces that are kept.
const MAX_LOST: usize = 256;

/// The messages of one peer about its pieces.
#[derive(Clone, Debug, Default)]
pub struct EarlyMessages {
    /// The peer's last bitfield, have-all or have-none message.
    all: Option<Message>,
    /// Pieces of have messages that `all` does not contain, one bit each.
    haves: Vec<u8>,
    /// Pieces in `all` that the peer has lost since (BEP 54).
    lost: BTreeSet<u32>,
    suggested: Vec<u32>,
    allowed: Vec<u32>,
}

/// The error for a message that violates the protocol whatever the torrent is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Broken;

impl EarlyMessages {
    /// Keeps a message about pieces and ignores others. Returns whether it was news.
    pub fn record(&mut self, message: Message, fast: bool) -> Result<bool, Broken> {
        match message {
            Message::Have(piece) if piece >= MAX_PIECES => return Err(Broken),
            Message::Have(piece) => return Ok(self.have(piece)),
            Message::HaveAll | Message::HaveNone if !fast || self.all.is_some() => return Err(Broken),
            Message::HaveAll | Message::HaveNone => {
                self.haves.clear();
                self.all = Some(message);
            }
            Message::Bitfield(_) => {
                if self.all.is_none() {
                    self.haves.clear();
                }
                // aria2 sends another bitfield in place of many have messages.
                let new = self.all.as_ref() != Some(&message);
                self.all = Some(message);
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

    /// Records that the peer has lost a piece (BEP 54).
    pub fn record_lost(&mut self, piece: u32) -> Result<(), Broken> {
        if piece >= MAX_PIECES {
            return Err(Broken);
        }
        clear(&mut self.haves, piece);
        match &mut self.all {
            Some(Message::Bitfield(bits)) => clear(bits, piece),
            Some(Message::HaveAll) => {
                self.lost.insert(piece);
            }
            _ => {}
        }
        if self.lost.len() > MAX_LOST { Err(Broken) } else { Ok(()) }
    }

    /// Whether the peer has announced any piece.
    pub fn has_any(&self) -> bool {
        let told = match &self.all {
            Some(Message::HaveAll) => true,
            Some(Message::Bitfield(bits)) => bits.iter().any(|&byte| byte != 0),
            _ => false,
        };
        told || self.haves.iter().any(|&byte| byte != 0)
    }

    /// Returns all messages in an order that the protocol allows, and the lost pieces. There may be millions
    /// of messages, so they are produced one by one.
    pub fn replay(self) -> (impl Iterator<Item = Message>, BTreeSet<u32>) {
        let bits = self.haves.into_iter().enumerate().filter(|&(_, bits)| bits != 0);
        let pieces = bits.flat_map(|(at, bits)| {
            let of_byte = (0..8_u32).filter(move |bit| bits & (0x80 >> bit) != 0);
            of_byte.map(move |bit| at as u32 * 8 + bit)
        });
        let all = self.all.into_iter().chain(pieces.map(Message::Have));
        let hints = self.suggested.into_iter().map(Message::Suggest);
        (all.chain(hints).chain(self.allowed.into_iter().map(Message::AllowedFast)), self.lost)
    }

    /// Records a piece of a have message. Returns whether it is new.
    fn have(&mut self, piece: u32) -> bool {
        let (at, bit) = (piece as usize / 8, 0x80 >> (piece % 8));
        let bits = match &mut self.all {
            Some(Message::HaveAll) => return self.lost.remove(&piece),
            // A bitfield has a bit for the piece.
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

/// Clears the bit of a piece.
fn clear(bits: &mut [u8], piece: u32) {
    if let Some(byte) = bits.get_mut(piece as usize / 8) {
        *byte &= !(0x80 >> (piece % 8));
    }
}

/// Adds a hint, up to [`MAX_HINTS`].
fn hint(hints: &mut Vec<u32>, piece: u32) {
    if !hints.contains(&piece) && hints.len() < MAX_HINTS {
        hints.push(piece);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(messages: &[Message]) -> Vec<Message> {
        let mut early = EarlyMessages::default();
        for message in messages {
            early.record(message.clone(), true).expect("allowed");
        }
        early.replay().0.collect()
    }

    #[test]
    fn what_still_holds_is_said_again() {
        let bits = Message::Bitfield(vec![0x80, 0]);
        assert_eq!(
            said(&[bits, Message::Have(9), Message::Interested]),
            [Message::Bitfield(vec![0x80, 0x40])]
        );
        let late = [Message::Have(3), Message::Bitfield(vec![0x80])];
        assert_eq!(said(&late), [Message::Bitfield(vec![0x80])]);
        assert_eq!(said(&[Message::Have(3), Message::HaveNone]), [Message::HaveNone]);
        let all = [Message::HaveNone, Message::Have(3), Message::AllowedFast(5)];
        assert_eq!(said(&all), all);
        assert_eq!(said(&[Message::HaveAll, Message::Have(3)]), [Message::HaveAll]);
    }

    #[test]
    fn what_breaks_the_protocol_in_any_torrent_is_told() {
        let mut early = EarlyMessages::default();
        assert_eq!(early.record(Message::HaveAll, false), Err(Broken));
        assert_eq!(early.record(Message::AllowedFast(1), false), Err(Broken));
        assert_eq!(early.record(Message::Have(MAX_PIECES), true), Err(Broken));
    }

    #[test]
    fn pieces_take_a_bit_each_and_what_brings_nothing_is_told() {
        let mut early = EarlyMessages::default();
        let new =
            (0..MAX_PIECES).filter(|&piece| early.record(Message::Have(piece), true) == Ok(true)).count();
        assert_eq!((new, early.haves.len()), (MAX_PIECES as usize, MAX_PIECES as usize / 8));
        assert_eq!(early.record(Message::Have(7), true), Ok(false));
        assert_eq!(early.record(Message::Bitfield(vec![3]), true), Ok(true));
        assert_eq!(early.record(Message::Bitfield(vec![3]), true), Ok(false));
        let bitfield = Message::Bitfield(vec![3]);
        assert!(early.replay().0.eq([bitfield]), "the first one takes the place of what was named before");
    }

    #[test]
    fn what_was_lost_is_lost_and_may_come_back() {
        let mut seed = EarlyMessages::default();
        assert_eq!(seed.record(Message::HaveAll, true), Ok(true));
        assert_eq!((seed.record_lost(3), seed.record_lost(4)), (Ok(()), Ok(())));
        assert_eq!(seed.record(Message::Have(4), true), Ok(true));
        let (said, lost) = seed.clone().replay();
        assert_eq!((said.collect(), lost), (vec![Message::HaveAll], BTreeSet::from([3])));
        assert!(
            (0..MAX_PIECES).try_for_each(|piece| seed.record_lost(piece)).is_err(),
            "nobody loses so much"
        );
        let mut leech = EarlyMessages::default();
        for message in [Message::Bitfield(vec![0xff]), Message::Have(9)] {
            assert_eq!(leech.record(message, true), Ok(true));
        }
        assert_eq!((leech.record_lost(0), leech.record_lost(9)), (Ok(()), Ok(())));
        assert!(leech.replay().0.eq([Message::Bitfield(vec![0x7f])]));
    }

    proptest! {
        #[test]
        fn hints_stay_few(pieces in prop::collection::vec(any::<u32>(), 0..500)) {
            let mut early = EarlyMessages::default();
            for piece in pieces {
                let _ = early.record(Message::Suggest(piece), true);
                let _ = early.record(Message::AllowedFast(piece), true);
            }
            prop_assert!(early.replay().0.count() <= 2 * MAX_HINTS);
        }
    }
}
