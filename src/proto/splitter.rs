//! The splitter, which cuts a peer's byte stream into messages (BEP 3).
//!
//! The payload of a block is announced but never gathered: the task that reads the socket puts it directly
//! where it belongs, and reports it with [`Splitter::moved`]. Other messages are gathered as their bytes
//! arrive, so that a claimed length costs no memory.

use crate::base::BLOCK_LEN;
use crate::proto::message::codec::{Shape, read, shape};
use crate::proto::message::{Message, PIECE_HEADER_LEN, Wanted, piece_header};

/// The next part of the stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Split {
    /// A complete message.
    Message(Message),
    /// The header of a block, whose payload of `len` bytes (1 to 16 KiB) comes next in the stream.
    Payload(Wanted),
}

/// The error for a length that no message of its kind can have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a message of kind {kind} cannot have {len} bytes")]
pub struct SplitError {
    /// The message id.
    pub kind: u8,
    /// The claimed length of the body, in bytes.
    pub len: u32,
}

/// The state between the bytes of a stream: at most part of one message.
#[derive(Debug)]
pub struct Splitter {
    pieces: Option<u32>,
    /// The gathered prefix of the next message, up to the whole header of a block.
    head: [u8; PIECE_HEADER_LEN],
    head_len: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between messages, or inside a prefix.
    Head,
    /// Inside a message whose body is gathered; `missing` is in bytes.
    Body { kind: u8, missing: usize, body: Vec<u8> },
    /// Inside a message whose body is skipped.
    Skip { kind: u8, missing: usize },
    /// Before or inside the payload of a block.
    Payload { missing: usize },
}

/// The length of length prefix and message id, in bytes.
const PREFIX_LEN: usize = 5;
/// The memory reserved at first for a message, in bytes; more is reserved as its bytes arrive.
const FIRST_RESERVE: usize = 4096;

impl Splitter {
    /// Makes a splitter for a stream just after the handshake. `pieces` is the torrent's number of pieces, if
    /// known.
    pub const fn new(pieces: Option<u32>) -> Self {
        Self { pieces, head: [0; PIECE_HEADER_LEN], head_len: 0, state: State::Head }
    }

    /// Whether the next byte begins a message.
    pub const fn at_boundary(&self) -> bool {
        matches!(self.state, State::Head) && self.head_len == 0
    }

    /// The number of bytes of payload that come next in the stream.
    pub const fn payload_left(&self) -> usize {
        match self.state {
            State::Payload { missing } => missing,
            _ => 0,
        }
    }

    /// Reports that `count` bytes of payload were taken from the stream.
    ///
    /// # Panics
    ///
    /// Panics if fewer were left.
    pub fn moved(&mut self, count: usize) {
        let left = self.payload_left();
        assert!(count <= left, "{count} bytes of payload moved, {left} were there");
        if let State::Payload { missing } = &mut self.state {
            *missing -= count;
            if *missing == 0 {
                self.state = State::Head;
            }
        }
    }

    /// Takes bytes from the front of `input` up to the end of the next message or block header. Returns
    /// `None` when more bytes are needed. Before payload, nothing is taken.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Split>, SplitError> {
        loop {
            match &mut self.state {
                State::Payload { .. } => return Ok(None),
                State::Head => {
                    if let Some(split) = self.header(input)? {
                        return Ok(Some(split));
                    }
                    if matches!(self.state, State::Head) {
                        return Ok(None);
                    }
                }
                State::Body { kind, missing, body } => {
                    let taken = take(input, *missing);
                    body.extend_from_slice(taken);
                    *missing -= taken.len();
                    if *missing > 0 {
                        return Ok(None);
                    }
                    let message = read(*kind, std::mem::take(body));
                    self.state = State::Head;
                    return Ok(Some(Split::Message(message)));
                }
                State::Skip { kind, missing } => {
                    *missing -= take(input, *missing).len();
                    if *missing > 0 {
                        return Ok(None);
                    }
                    let message = Message::Unknown(*kind);
                    self.state = State::Head;
                    return Ok(Some(Split::Message(message)));
                }
            }
        }
    }

    /// Whether the stream is between messages and `bytes` are the header of `block`; if so, the payload comes
    /// next. Otherwise nothing changes, and [`Splitter::next`] has to read them.
    pub fn continues_with(&mut self, bytes: &[u8; PIECE_HEADER_LEN], block: Wanted) -> bool {
        let so = self.at_boundary() && (1..=BLOCK_LEN).contains(&block.len) && *bytes == piece_header(block);
        if so {
            self.state = State::Payload { missing: block.len as usize };
        }
        so
    }

    /// Continues a message's prefix, and changes the state once it is complete.
    fn header(&mut self, input: &mut &[u8]) -> Result<Option<Split>, SplitError> {
        self.gather(input, 4);
        if self.head_len < 4 {
            return Ok(None);
        }
        let Some(len) = number(&self.head, 0).checked_sub(1) else {
            self.head_len = 0;
            return Ok(Some(Split::Message(Message::KeepAlive)));
        };
        self.gather(input, PREFIX_LEN);
        if self.head_len < PREFIX_LEN {
            return Ok(None);
        }
        let kind = self.head[4];
        match shape(kind, len, self.pieces).ok_or(SplitError { kind, len })? {
            Shape::Piece => {
                self.gather(input, PIECE_HEADER_LEN);
                if self.head_len < PIECE_HEADER_LEN {
                    return Ok(None);
                }
                let (piece, begin) = (number(&self.head, 5), number(&self.head, 9));
                self.head_len = 0;
                self.state = State::Payload { missing: len as usize - 8 };
                Ok(Some(Split::Payload(Wanted { piece, begin, len: len - 8 })))
            }
            Shape::Gathered => {
                let missing = len as usize;
                self.head_len = 0;
                self.state =
                    State::Body { kind, missing, body: Vec::with_capacity(missing.min(FIRST_RESERVE)) };
                Ok(None)
            }
            Shape::Skipped => {
                self.head_len = 0;
                self.state = State::Skip { kind, missing: len as usize };
                Ok(None)
            }
        }
    }

    fn gather(&mut self, input: &mut &[u8], upto: usize) {
        let taken = take(input, upto.saturating_sub(self.head_len));
        self.head[self.head_len..self.head_len + taken.len()].copy_from_slice(taken);
        self.head_len += taken.len();
    }
}

fn take<'a>(input: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    taken
}

fn number(head: &[u8; PIECE_HEADER_LEN], at: usize) -> u32 {
    u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECES: u32 = 20;

    /// Splits a stream that comes in chunks of these lengths, for ever again; payload is collected.
    fn split(stream: &[u8], chunks: &[usize]) -> Result<(Vec<Split>, Vec<u8>), SplitError> {
        let mut splitter = Splitter::new(Some(PIECES));
        let (mut splits, mut payload) = (Vec::new(), Vec::new());
        let mut rest = stream;
        let mut chunks = chunks.iter().cycle();
        while !rest.is_empty() {
            let mut chunk = take(&mut rest, *chunks.next().unwrap_or(&usize::MAX));
            loop {
                let taken = take(&mut chunk, splitter.payload_left());
                payload.extend_from_slice(taken);
                splitter.moved(taken.len());
                match splitter.next(&mut chunk)? {
                    Some(split) => splits.push(split),
                    None if chunk.is_empty() => break,
                    None => {}
                }
            }
        }
        Ok((splits, payload))
    }

    fn any_split() -> impl Strategy<Value = Split> {
        let wanted = || {
            (any::<u32>(), any::<u32>(), any::<u32>()).prop_map(|(piece, begin, len)| Wanted {
                piece,
                begin,
                len,
            })
        };
        let message = prop_oneof![
            Just(Message::KeepAlive),
            Just(Message::Choke),
            Just(Message::Unchoke),
            Just(Message::Interested),
            Just(Message::NotInterested),
            any::<u32>().prop_map(Message::Have),
            any::<[u8; 3]>().prop_map(|bits| Message::Bitfield(bits.to_vec())),
            wanted().prop_map(Message::Request),
            wanted().prop_map(Message::Cancel),
            any::<u16>().prop_map(Message::Port),
            any::<u32>().prop_map(Message::Suggest),
            Just(Message::HaveAll),
            Just(Message::HaveNone),
            wanted().prop_map(Message::Reject),
            any::<u32>().prop_map(Message::AllowedFast),
            (any::<u8>(), prop::collection::vec(any::<u8>(), 0..50))
                .prop_map(|(id, body)| Message::Extended { id, body }),
            (21_u8..).prop_map(Message::Unknown),
        ];
        let block = (wanted(), 1..40_u32).prop_map(|(wanted, len)| Wanted { len, ..wanted });
        prop_oneof![4 => message.prop_map(Split::Message), 1 => block.prop_map(Split::Payload)]
    }

    proptest! {
        #[test]
        fn any_chunks_of_a_stream_give_the_same_messages(
            sent in prop::collection::vec(any_split(), 0..20), chunks in prop::collection::vec(1_usize..30, 1..10),
        ) {
            let (mut stream, mut payload) = (Vec::new(), Vec::new());
            for split in &sent {
                match split {
                    Split::Message(Message::Unknown(kind)) => stream.extend_from_slice(&[0, 0, 0, 4, *kind, 1, 2, 3]),
                    Split::Message(message) => message.encode(&mut stream),
                    Split::Payload(wanted) => {
                        let bytes: Vec<u8> = (0..wanted.len as u8).collect();
                        stream.extend_from_slice(&piece_header(*wanted));
                        stream.extend_from_slice(&bytes);
                        payload.extend_from_slice(&bytes);
                    }
                }
            }
            prop_assert_eq!(split(&stream, &chunks), Ok((sent, payload)));
        }

        #[test]
        fn random_bytes_are_split_or_refused(
            stream in prop::collection::vec(any::<u8>(), 0..500), chunks in prop::collection::vec(1_usize..30, 1..10),
        ) {
            prop_assert_eq!(split(&stream, &chunks), split(&stream, &[]));
        }

        #[test]
        fn random_kinds_with_short_lengths_are_split_or_refused(
            heads in prop::collection::vec((0_u8..20, 0_u8..24), 0..100), chunks in prop::collection::vec(1_usize..30, 1..10),
        ) {
            let stream: Vec<u8> = heads.iter().flat_map(|&(len, kind)| [0, 0, 0, len, kind, 0, 0, 0]).collect();
            prop_assert_eq!(split(&stream, &chunks), split(&stream, &[]));
        }
    }

    #[test]
    fn giant_lengths_are_refused_before_anything_is_gathered() {
        for kind in 0..=u8::MAX {
            for len in [u32::MAX, 1 << 30, 256 * 1024 + 2] {
                let mut stream = len.to_be_bytes().to_vec();
                stream.push(kind);
                assert_eq!(split(&stream, &[]), Err(SplitError { kind, len: len - 1 }));
            }
        }
    }

    #[test]
    fn an_expected_header_is_recognised_at_once() {
        let block = Wanted { piece: 3, begin: BLOCK_LEN, len: BLOCK_LEN };
        let mut splitter = Splitter::new(None);
        assert!(!splitter.continues_with(b"\0\0\0\x05\x04\0\0\0\x01\0\0\0\0", block));
        for other in [Wanted { len: 0, ..block }, Wanted { len: BLOCK_LEN + 1, ..block }] {
            assert!(!splitter.continues_with(&piece_header(other), other));
        }
        assert!(!splitter.continues_with(&piece_header(block), Wanted { piece: 4, ..block }));
        assert!(splitter.continues_with(&piece_header(block), block));
        assert_eq!(splitter.payload_left(), BLOCK_LEN as usize);
        assert!(!splitter.continues_with(&piece_header(block), block));
        splitter.moved(BLOCK_LEN as usize);
        assert!(splitter.at_boundary());
        let mut half: &[u8] = &[0, 0];
        assert_eq!(splitter.next(&mut half), Ok(None));
        assert!(!splitter.at_boundary());
    }
}
