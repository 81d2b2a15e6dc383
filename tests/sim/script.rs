//! Peers that follow a script instead of running a client: they answer requests for pieces of the info
//! dictionary (BEP 9), each with its own kind of lie.

use torr::base::Rng;
use torr::proto::extended::{
    ExtendedHandshake, Extension, HANDSHAKE_ID, MAX_METADATA, MetadataMessage, metadata_piece_len,
};
use torr::proto::message::Message;

/// The number that scripted peers give `ut_metadata`; ours is another.
const THEIRS: u8 = 9;

/// How a scripted peer answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Script {
    /// Claims the right length; every piece is wrong.
    Wrong,
    /// Claims the right length; one piece is wrong.
    AlmostRight,
    /// Claims this length, and sends as much.
    Length(u32),
    /// Claims 2^31 bytes.
    Bomb,
    /// Claims the right length and never answers.
    Mute,
    /// Claims the longest that is accepted, and answers now and then.
    Dripper,
    /// Claims this length, and answers now and then.
    DripperOf(u32),
    /// Rejects every request.
    Refuser,
    /// Sends pieces of impossible lengths.
    Cutter,
    /// Disconnects when it is asked.
    Leaver,
    /// Sends pieces nobody asked for, and a new length each time.
    Babbler,
}

/// The kinds that [`Script::liar`] gives.
pub const KINDS: u32 = 11;

/// The reaction of a scripted peer.
pub enum Reaction {
    /// Says these messages.
    Say(Vec<Message>),
    /// Disconnects.
    Leave,
}

impl Script {
    /// The liars by number: every kind, again and again. `size` is the true length of the info dictionary.
    pub fn liar(n: u32, size: u32) -> Self {
        match n % KINDS {
            0 => Self::Wrong,
            1 => Self::AlmostRight,
            2 => Self::Length(size + 1 + n),
            3 => Self::Length(size.saturating_sub(n + 1).max(1)),
            4 => Self::Bomb,
            5 => Self::Mute,
            6 => Self::Dripper,
            7 => Self::Refuser,
            8 => Self::Cutter,
            9 => Self::Leaver,
            _ => Self::Babbler,
        }
    }

    /// The first message of the peer: its extension handshake, with the length that it claims.
    pub fn greeting(self, size: u32) -> Message {
        handshake(match self {
            Self::Length(size) | Self::DripperOf(size) => size,
            Self::Bomb => 1 << 31,
            Self::Dripper => MAX_METADATA,
            _ => size,
        })
    }

    /// The reaction to a message, where `info` is the true info dictionary.
    pub fn react(self, rng: &mut Rng, info: &[u8], message: &Message) -> Reaction {
        let silent = Reaction::Say(Vec::new());
        let Message::Extended { id: THEIRS, body } = message else { return silent };
        let Ok(MetadataMessage::Request(piece)) = MetadataMessage::decode(body) else { return silent };
        let wrong = |len: u32, total| MetadataMessage::Data { piece, total, bytes: vec![b'x'; len as usize] };
        let size = info.len() as u32;
        let answer = match self {
            Self::AlmostRight if piece != 1 => {
                let bytes = info.chunks(16_384).nth(piece as usize).unwrap_or_default().to_vec();
                MetadataMessage::Data { piece, total: Some(size), bytes }
            }
            Self::Wrong | Self::AlmostRight => wrong(metadata_piece_len(size, piece), Some(size)),
            Self::Length(size) => wrong(metadata_piece_len(size, piece).max(1), Some(size)),
            Self::Bomb | Self::Mute => return silent,
            Self::Dripper | Self::DripperOf(_) if rng.below(20) > 0 => return silent,
            Self::Dripper | Self::DripperOf(_) => wrong(16_384, None),
            Self::Refuser => MetadataMessage::Reject(piece),
            Self::Cutter => wrong(7, Some(size)),
            Self::Leaver => return Reaction::Leave,
            Self::Babbler => {
                let new = handshake(1 + rng.below(1 << 24) as u32);
                let piece = piece + 1;
                let data = MetadataMessage::Data { piece, total: None, bytes: vec![0; 16_384] };
                return Reaction::Say(vec![new, to_us(&data)]);
            }
        };
        Reaction::Say(vec![to_us(&answer)])
    }
}

fn handshake(size: u32) -> Message {
    let ids = vec![(Extension::Metadata, THEIRS)];
    let handshake = ExtendedHandshake { ids, metadata_size: Some(size), ..ExtendedHandshake::default() };
    Message::Extended { id: HANDSHAKE_ID, body: handshake.encode() }
}

fn to_us(message: &MetadataMessage) -> Message {
    Message::Extended { id: Extension::Metadata.our_id(), body: message.encode() }
}
