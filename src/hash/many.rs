//! Many messages at once: which message is in which lane.

use super::backend::Backend;
#[cfg(target_arch = "x86_64")]
use super::lanes_x86::ShaNi;
use super::message::{Message, Stream};
use super::one::Sha1;
use crate::base::Sha1Digest;

/// The SHA-1 digests of `messages`, in their order. Each message is the chunks that make it up, of
/// any lengths, also none.
///
/// Messages that begin together and have chunks of equal length, a multiple of 64 bytes, are the
/// fastest: as pieces of 16 KiB blocks are. A message that ends early gives its lane to the next one.
pub fn sha1_many<'a, M, C, B>(messages: M) -> Vec<Sha1Digest>
where
    M: IntoIterator<Item = C>,
    C: IntoIterator<Item = &'a B>,
    B: AsRef<[u8]> + ?Sized + 'a,
{
    with(Backend::best(), messages)
}

/// The SHA-1 digest of each chunk for itself, in their order.
pub fn sha1_each<'a, C, B>(chunks: C) -> Vec<Sha1Digest>
where
    C: IntoIterator<Item = &'a B>,
    B: AsRef<[u8]> + ?Sized + 'a,
{
    sha1_many(chunks.into_iter().map(std::iter::once))
}

/// A part of a message that comes in parts.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a, B> {
    /// The state after the part of the message that is hashed already.
    pub from: Stream,
    /// The part, in chunks; whole blocks of 64 bytes unless it is the last.
    pub chunks: &'a [B],
    /// Whether the message ends with it.
    pub last: bool,
}

/// Hashes parts of different messages, and each of their chunks for itself, all side by side: the streams
/// after each part, and the digests of all chunks in their order.
///
/// # Panics
/// If a part that is not the last does not make whole blocks of 64 bytes.
pub fn sha1_parts<B: AsRef<[u8]>>(parts: &[Part<'_, B>]) -> (Vec<Stream>, Vec<Sha1Digest>) {
    parts_with(Backend::best(), parts)
}

fn parts_with<B: AsRef<[u8]>>(backend: Backend, parts: &[Part<'_, B>]) -> (Vec<Stream>, Vec<Sha1Digest>) {
    // The streams first: they are the longest, and the chunks fill the lanes beside them.
    let streams = parts.iter().map(|part| Message::resumed(part.from, part.chunks.iter(), part.last));
    let chunks = parts.iter().flat_map(|part| part.chunks);
    let messages = streams.chain(chunks.map(|chunk| Message::new(std::slice::from_ref(chunk).iter())));
    let mut streams = match backend {
        #[cfg(target_arch = "x86_64")]
        Backend::ShaNi(kernel) => in_lanes(kernel, messages),
        Backend::Serial => messages.map(to_the_end).collect(),
    };
    let digests = streams.split_off(parts.len()).iter().map(Stream::digest).collect();
    (streams, digests)
}

fn to_the_end<'a, I, B>(mut message: Message<'a, I>) -> Stream
where
    I: Iterator<Item = &'a B>,
    B: AsRef<[u8]> + ?Sized + 'a,
{
    while message.prepare() {
        let mut state = message.state;
        let run = message.run();
        let blocks = run.len();
        sha1::block_api::compress(&mut state, run);
        message.state = state;
        message.consume(blocks);
    }
    message.stream()
}

fn with<'a, M, C, B>(backend: Backend, messages: M) -> Vec<Sha1Digest>
where
    M: IntoIterator<Item = C>,
    C: IntoIterator<Item = &'a B>,
    B: AsRef<[u8]> + ?Sized + 'a,
{
    let messages = messages.into_iter().map(C::into_iter);
    match backend {
        #[cfg(target_arch = "x86_64")]
        Backend::ShaNi(kernel) => {
            in_lanes(kernel, messages.map(Message::new)).iter().map(Stream::digest).collect()
        }
        Backend::Serial => messages.map(serial).collect(),
    }
}

fn serial<'a, B>(chunks: impl Iterator<Item = &'a B>) -> Sha1Digest
where
    B: AsRef<[u8]> + ?Sized + 'a,
{
    let mut hasher = Sha1::new();
    for chunk in chunks {
        hasher.update(chunk.as_ref());
    }
    hasher.finish()
}

/// Keeps the lanes full while there are messages, then finishes those that are left in fewer lanes.
#[cfg(target_arch = "x86_64")]
fn in_lanes<'a, I, B>(kernel: ShaNi, messages: impl Iterator<Item = Message<'a, I>>) -> Vec<Stream>
where
    I: Iterator<Item = &'a B>,
    B: AsRef<[u8]> + ?Sized + 'a,
{
    let mut streams = Vec::with_capacity(messages.size_hint().0);
    let mut messages = messages.fuse();
    let mut lanes = Vec::with_capacity(ShaNi::LANES);
    loop {
        lanes.retain_mut(|(index, message): &mut (usize, Message<'a, I>)| {
            let more = message.prepare();
            if !more {
                streams[*index] = message.stream();
            }
            more
        });
        while lanes.len() < ShaNi::LANES
            && let Some(message) = messages.next()
        {
            lanes.push((streams.len(), message));
            streams.push(Stream::default());
        }
        match lanes.as_mut_slice() {
            [a, b, c, d] => step(kernel, [a, b, c, d]),
            [a, b, c] => step(kernel, [a, b, c]),
            [a, b] => step(kernel, [a, b]),
            [a] => step(kernel, [a]),
            _ => return streams,
        }
    }
}

/// Hashes until the first of the lanes needs another run.
#[cfg(target_arch = "x86_64")]
fn step<'a, I, B, const N: usize>(kernel: ShaNi, mut lanes: [&mut (usize, Message<'a, I>); N])
where
    I: Iterator<Item = &'a B>,
    B: AsRef<[u8]> + ?Sized + 'a,
{
    let mut states = lanes.each_ref().map(|(_, message)| message.state);
    let blocks = kernel.compress(&mut states, lanes.each_ref().map(|(_, message)| message.run()));
    for ((_, message), state) in lanes.iter_mut().zip(states) {
        message.state = state;
        message.consume(blocks);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::InfoHashes;
    use crate::hash::sha1;

    /// Every way that works on this processor.
    fn backends() -> Vec<Backend> {
        let mut all = vec![Backend::Serial];
        #[cfg(target_arch = "x86_64")]
        all.extend(ShaNi::detect().map(Backend::ShaNi));
        all
    }

    /// Bytes that differ from message to message and from block to block.
    fn text(length: usize, seed: usize) -> Vec<u8> {
        (0..length)
            .map(|i| (i.wrapping_mul(31) ^ (i >> 6).wrapping_mul(7) ^ seed.wrapping_mul(101)) as u8)
            .collect()
    }

    fn agree(messages: &[Vec<&[u8]>]) {
        let expected: Vec<_> = messages.iter().map(|chunks| sha1(&chunks.concat())).collect();
        for backend in backends() {
            assert_eq!(with(backend, messages), expected, "{backend:?}");
        }
    }

    #[test]
    fn the_vectors_of_fips_180_hold_in_every_lane() {
        let million = vec![b'a'; 1_000_000];
        let vectors: [(&[u8], &str); 4] = [
            (b"abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (b"", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
            ),
            (&million, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
        ];
        for backend in backends() {
            for turn in 0..vectors.len() {
                let mut order = vectors;
                order.rotate_left(turn);
                let digests = with(backend, order.map(|(text, _)| [text]));
                for (digest, (_, expected)) in digests.iter().zip(order) {
                    assert_eq!(InfoHashes::from_v1(*digest).to_string(), expected, "{backend:?}");
                }
            }
        }
    }

    #[test]
    fn every_length_up_to_some_blocks_is_right_beside_any_other() {
        let texts: Vec<_> = (0..300).map(|length| text(length, length)).collect();
        let rising: Vec<Vec<&[u8]>> = texts.iter().map(|text| vec![text.as_slice()]).collect();
        agree(&rising);
        let alternating: Vec<_> =
            (0..300).map(|i| rising[if i % 2 == 0 { i } else { 299 - i }].clone()).collect();
        agree(&alternating);
    }

    #[test]
    fn every_cut_near_the_edges_of_blocks_is_right() {
        let whole = text(320, 3);
        for length in [54, 55, 56, 57, 63, 64, 65, 118, 119, 120, 127, 128, 129, 183, 192, 256, 320] {
            let whole = &whole[..length];
            let cuts: Vec<Vec<&[u8]>> = (0..=length)
                .map(|cut| {
                    let (front, back) = whole.split_at(cut);
                    vec![front, &[], back]
                })
                .collect();
            agree(&cuts);
        }
    }

    #[test]
    fn pieces_of_blocks_are_right_in_any_number() {
        let bytes = text(7 * 65_536 + 1000, 9);
        for count in 0..=8 {
            let pieces: Vec<Vec<&[u8]>> =
                bytes.chunks(65_536).take(count).map(|piece| piece.chunks(16_384).collect()).collect();
            agree(&pieces);
        }
    }

    #[test]
    fn a_message_without_chunks_is_the_empty_one() {
        agree(&[vec![], vec![&[]], vec![b"abc"], vec![], vec![&[], &[]]]);
    }

    #[test]
    fn each_chunk_has_the_digest_of_itself() {
        let bytes = text(100_000, 5);
        let chunks: Vec<&[u8]> = bytes.chunks(16_384).collect();
        let expected: Vec<_> = chunks.iter().map(|chunk| sha1(chunk)).collect();
        assert_eq!(sha1_each(&chunks), expected);
        assert_eq!(sha1_many(chunks.iter().map(|chunk| [*chunk])), expected);
    }

    #[test]
    fn a_message_in_parts_is_the_message_and_each_chunk_is_itself() {
        let bytes = text(5 * 4096 + 77, 1);
        let other = text(3 * 4096, 2);
        for backend in backends() {
            let (mut streams, mut digests) = ([Stream::default(); 2], Vec::new());
            let cuts = [(0..4096 * 2, 0..4096), (4096 * 2..4096 * 4, 4096..4096 * 3)];
            for (a, b) in cuts {
                let chunks: Vec<Vec<&[u8]>> =
                    [&bytes[a], &other[b]].iter().map(|part| part.chunks(1024).collect()).collect();
                let part = |at: usize| Part { from: streams[at], chunks: &chunks[at], last: false };
                let (after, each) = parts_with(backend, &[part(0), part(1)]);
                let expected: Vec<_> = chunks.iter().flatten().map(|chunk| sha1(chunk)).collect();
                assert_eq!(each, expected, "{backend:?}");
                streams.copy_from_slice(&after);
                digests.extend(each);
            }
            let rest = [&bytes[4096 * 4..]];
            let ends = [
                Part { from: streams[0], chunks: &rest[..], last: true },
                Part { from: streams[1], chunks: &[], last: true },
            ];
            let (after, each) = parts_with(backend, &ends);
            assert_eq!(each, [sha1(rest[0])], "{backend:?}");
            assert_eq!([after[0].digest(), after[1].digest()], [sha1(&bytes), sha1(&other)], "{backend:?}");
        }
    }

    /// Lengths that favour the places where padding and blocks end.
    fn length() -> impl Strategy<Value = usize> {
        prop_oneof![
            0..300_usize,
            prop::sample::select(vec![55, 56, 63, 64, 65, 119, 120, 127, 128, 191, 192]),
            (0..40_usize).prop_map(|blocks| blocks * 64),
        ]
    }

    proptest! {
        #[test]
        fn any_messages_in_any_chunks_are_right(
            lengths in prop::collection::vec((any::<usize>(), prop::collection::vec(length(), 0..6)), 0..14)
        ) {
            let texts: Vec<Vec<Vec<u8>>> = lengths
                .iter()
                .map(|(seed, chunks)| chunks.iter().map(|&length| text(length, seed ^ length)).collect())
                .collect();
            for backend in backends() {
                let expected: Vec<_> = texts.iter().map(|chunks| sha1(&chunks.concat())).collect();
                prop_assert_eq!(with(backend, &texts), expected, "{:?}", backend);
            }
        }
    }
}
