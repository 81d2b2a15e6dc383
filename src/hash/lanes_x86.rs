//! SHA-1 blocks of several messages, interleaved, by the SHA extensions of x86-64.
//!
//! Four rounds of one message must wait for the four before them, longer than the processor needs to
//! compute them; the rounds of other messages fill the gap. With four messages the execution units
//! are busy, and more would only spill registers.
#![allow(unsafe_code)]

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_extract_epi32, _mm_loadu_si128, _mm_set_epi8, _mm_set_epi32,
    _mm_sha1msg1_epu32, _mm_sha1msg2_epu32, _mm_sha1nexte_epu32, _mm_sha1rnds4_epu32, _mm_shuffle_epi8,
    _mm_xor_si128,
};

use super::message::{HashBlock, State};

/// The proof that this processor has the SHA extensions.
#[derive(Clone, Copy, Debug)]
pub(super) struct ShaNi(());

impl ShaNi {
    /// The most messages worth interleaving.
    pub(super) const LANES: usize = 4;

    /// Asks the processor.
    pub(super) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("sha")
            && is_x86_feature_detected!("sse4.1")
            && is_x86_feature_detected!("ssse3");
        has.then_some(Self(()))
    }

    /// Compresses the first blocks of each run into the state beside it, as many as the shortest run
    /// has, and says how many.
    pub(super) fn compress<const N: usize>(self, states: &mut [State; N], runs: [&[HashBlock]; N]) -> usize {
        let Self(()) = self;
        // SAFETY: a `ShaNi` is made by `detect` alone, after it found each feature that `compress` enables.
        unsafe { compress(states, runs) }
    }
}

#[expect(clippy::needless_range_loop, reason = "one index goes through many arrays")]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn compress<const N: usize>(states: &mut [State; N], runs: [&[HashBlock]; N]) -> usize {
    let blocks = runs.iter().map(|run| run.len()).min().unwrap_or(0);
    let zero = _mm_set_epi32(0, 0, 0, 0);
    // The words a to d, a in the highest lane; and e, alone in the highest lane.
    let mut abcd = [zero; N];
    let mut e = [zero; N];
    for lane in 0..N {
        let state = states[lane].map(u32::cast_signed);
        abcd[lane] = _mm_set_epi32(state[0], state[1], state[2], state[3]);
        e[lane] = _mm_set_epi32(state[4], 0, 0, 0);
    }

    for block in 0..blocks {
        let (abcd_before, e_before) = (abcd, e);
        // The latest sixteen words of the message schedule: word t is in w[(t / 4) % 4].
        let mut w = [[zero; 4]; N];
        for lane in 0..N {
            w[lane] = load(&runs[lane][block]);
        }
        // The words a to d before the latest four rounds: their a, rotated, is the next e.
        let mut previous = abcd;

        // The rounds four by four, each four of every lane before the next four of any.
        macro_rules! rounds {
            ($($four:literal)*) => {$(
                for lane in 0..N {
                    let w = &mut w[lane];
                    if $four >= 4 {
                        let (w0, w1, w2, w3) = (w[$four % 4], w[($four + 1) % 4], w[($four + 2) % 4], w[($four + 3) % 4]);
                        w[$four % 4] = _mm_sha1msg2_epu32(_mm_xor_si128(_mm_sha1msg1_epu32(w0, w1), w2), w3);
                    }
                    let e_and_words = if $four == 0 {
                        _mm_add_epi32(e[lane], w[0])
                    } else {
                        _mm_sha1nexte_epu32(previous[lane], w[$four % 4])
                    };
                    previous[lane] = abcd[lane];
                    abcd[lane] = _mm_sha1rnds4_epu32::<{ $four / 5 }>(abcd[lane], e_and_words);
                }
            )*};
        }
        rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19);

        for lane in 0..N {
            e[lane] = _mm_sha1nexte_epu32(previous[lane], e_before[lane]);
            abcd[lane] = _mm_add_epi32(abcd[lane], abcd_before[lane]);
        }
    }

    for lane in 0..N {
        states[lane] = [
            _mm_extract_epi32::<3>(abcd[lane]),
            _mm_extract_epi32::<2>(abcd[lane]),
            _mm_extract_epi32::<1>(abcd[lane]),
            _mm_extract_epi32::<0>(abcd[lane]),
            _mm_extract_epi32::<3>(e[lane]),
        ]
        .map(i32::cast_unsigned);
    }
    blocks
}

/// The sixteen big-endian words of a block, four to a register, the first in the highest lane.
#[inline]
#[target_feature(enable = "sha,sse4.1,ssse3")]
fn load(block: &HashBlock) -> [__m128i; 4] {
    let reverse = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let mut words = [_mm_set_epi32(0, 0, 0, 0); 4];
    for (words, bytes) in words.iter_mut().zip(block.as_chunks::<16>().0) {
        // SAFETY: `bytes` are 16 bytes that may be read, and this load asks for no alignment.
        let reversed = unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) };
        *words = _mm_shuffle_epi8(reversed, reverse);
    }
    words
}
