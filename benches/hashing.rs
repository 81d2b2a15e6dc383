//! SHA-1 of pieces made of 16 KiB blocks: one stream, and several pieces at once.

use std::hint::black_box;

use divan::counter::BytesCount;
use divan::{Bencher, bench};
use torr::base::{Sha1Digest, Sha256Digest};
use torr::hash::{self, Sha1, Sha256};

/// A piece as it lies in memory when it is whole.
type Blocks = Vec<Box<[u8]>>;

const BLOCK_LEN: usize = 16 << 10;
const PIECE_LENS: [usize; 2] = [256 << 10, 1 << 20];

/// More pieces than the nearest cache holds, so that each is read from further away.
fn pieces(count: usize, length: usize) -> Vec<Blocks> {
    let block = |seed: usize| (0..BLOCK_LEN).map(|i| (i ^ seed) as u8).collect();
    (0..count).map(|piece| (0..length / BLOCK_LEN).map(|i| block(piece * 64 + i)).collect()).collect()
}

fn main() {
    println!("many at once: {}", hash::describe());
    divan::main();
}

#[bench(args = PIECE_LENS)]
fn sha1_one_stream(bencher: Bencher, length: usize) {
    let pieces = pieces(12, length);
    bencher.counter(BytesCount::new(12 * length)).bench_local(|| -> Vec<Sha1Digest> {
        let hash = |piece: &Blocks| {
            let mut hasher = Sha1::new();
            for block in piece {
                hasher.update(block);
            }
            hasher.finish()
        };
        black_box(&pieces).iter().map(hash).collect()
    });
}

#[bench(args = PIECE_LENS, consts = [1, 2, 3, 4, 12])]
fn sha1_at_once<const COUNT: usize>(bencher: Bencher, length: usize) {
    let pieces = pieces(12, length);
    bencher.counter(BytesCount::new(12 * length)).bench_local(|| -> Vec<Sha1Digest> {
        black_box(&pieces).chunks(COUNT).flat_map(hash::sha1_many).collect()
    });
}

#[bench(args = PIECE_LENS)]
fn sha1_each_block(bencher: Bencher, length: usize) {
    let pieces = pieces(12, length);
    bencher
        .counter(BytesCount::new(12 * length))
        .bench_local(|| -> Vec<Sha1Digest> { black_box(&pieces).iter().flat_map(hash::sha1_each).collect() });
}

#[bench(args = PIECE_LENS)]
fn sha256_one_stream(bencher: Bencher, length: usize) {
    let pieces = pieces(12, length);
    bencher.counter(BytesCount::new(12 * length)).bench_local(|| -> Vec<Sha256Digest> {
        let hash = |piece: &Blocks| {
            let mut hasher = Sha256::new();
            for block in piece {
                hasher.update(block);
            }
            hasher.finish()
        };
        black_box(&pieces).iter().map(hash).collect()
    });
}
