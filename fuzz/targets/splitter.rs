//! The stream of a peer, in cuts that the network may make.

use torr::base::BLOCK_LEN;
use torr::proto::message::{MAX_EXTENDED_LEN, Message, PIECE_HEADER_LEN, piece_header};
use torr::proto::splitter::{Split, SplitError, Splitter};

use super::draws::Draws;

pub fn run(data: &[u8]) {
    let mut draws = Draws::new(data);
    // Half of the torrents are not known yet; the others have few pieces.
    let pieces = Some(u32::from(draws.byte())).filter(|pieces| *pieces < 128).map(|pieces| pieces + 1);
    let cuts = draws.string();
    let stream = draws.rest();

    let whole = split(pieces, &[stream]);
    assert_eq!(split(pieces, &cut(stream, cuts)), whole, "it does not matter where the stream is cut");
    assert_eq!(split(pieces, &cut(stream, &[1])), whole, "nor if it comes byte by byte");

    let (splits, end) = whole;
    let mut written = Vec::new();
    for split in &splits {
        match split {
            Ok(Split::Message(message)) => {
                assert!(
                    !matches!(message, Message::Extended { body, .. } if body.len() as u32 >= MAX_EXTENDED_LEN)
                );
                if let (Message::Bitfield(bits), Some(pieces)) = (message, pieces) {
                    assert_eq!(bits.len() as u32, pieces.div_ceil(8));
                }
                message.encode(&mut written);
            }
            Ok(Split::Payload(block)) => {
                assert!((1..=BLOCK_LEN).contains(&block.len));
                written.extend(piece_header(*block));
            }
            Err(_) => {}
        }
    }
    // Payload and unknown messages are not written again; without them the stream is the same to the byte.
    let plain = splits
        .iter()
        .all(|split| !matches!(split, Err(_) | Ok(Split::Payload(_) | Split::Message(Message::Unknown(_)))));
    assert!(!plain || stream[..stream.len() - end] == written, "a message has one form");
}

/// Everything the stream holds, and how many bytes of it belong to a message that is not whole.
fn split(pieces: Option<u32>, parts: &[&[u8]]) -> (Vec<Result<Split, SplitError>>, usize) {
    let mut splitter = Splitter::new(pieces);
    let (mut splits, mut begun) = (Vec::new(), 0);
    for part in parts {
        let mut rest = *part;
        loop {
            let payload = splitter.payload_left().min(rest.len());
            splitter.moved(payload);
            rest = &rest[payload..];
            let before = rest.len();
            // A header that is guessed must be the one that would have been read.
            let guessed = match splits.last() {
                Some(Ok(Split::Payload(block))) => rest
                    .first_chunk::<PIECE_HEADER_LEN>()
                    .filter(|header| splitter.continues_with(header, *block))
                    .map(|_| *block),
                _ => None,
            };
            let split = match guessed {
                Some(block) => {
                    rest = &rest[PIECE_HEADER_LEN..];
                    Ok(Some(Split::Payload(block)))
                }
                None => splitter.next(&mut rest),
            };
            begun += before - rest.len();
            match split {
                Ok(Some(split)) => {
                    assert_eq!(splitter.payload_left() > 0, matches!(split, Split::Payload(_)));
                    splits.push(Ok(split));
                    begun = 0;
                }
                Ok(None) if rest.is_empty() || splitter.payload_left() > 0 => {
                    assert_eq!(splitter.at_boundary(), begun == 0 && splitter.payload_left() == 0);
                    break;
                }
                Ok(None) => panic!("{} bytes are left and not wanted", rest.len()),
                Err(error) => {
                    splits.push(Err(error));
                    return (splits, 0);
                }
            }
        }
    }
    (splits, begun)
}

/// The stream in parts of these lengths, over and over.
fn cut<'a>(mut stream: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    for len in lengths.iter().cycle().map(|len| usize::from(*len).max(1)) {
        if stream.is_empty() {
            break;
        }
        let (part, rest) = stream.split_at(len.min(stream.len()));
        parts.push(part);
        stream = rest;
    }
    parts.push(stream);
    parts
}
