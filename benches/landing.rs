//! Landing verified pieces in files and getting them out again.
//!
//! Pieces of 1 MiB arrive in random order, as they do from a swarm; every round writes a new file.
//! Throughput is of wall time on an otherwise idle machine.

use std::sync::Arc;
use std::sync::mpsc;

use divan::counter::BytesCount;
use torr::base::{Bitfield, FileIndex, Geometry, InfoHashes, Piece, Rng};
use torr::hash;
use torr::proto::metainfo::PieceHashes;
use torr::store::{
    Alloc, BUF_LEN, Buf, Disk, DiskIo, FilePool, FileSpec, Layout, PieceBuffer, PieceOutcome, Pool, Progress,
    Storage, StorageOptions, hash_pieces,
};

fn main() {
    divan::main();
}

const PIECE: usize = 1 << 20;
const PIECES: usize = 256;
const TOTAL: usize = PIECE * PIECES;

struct Torrent {
    folder: tempfile::TempDir,
    layout: Layout,
    pool: Pool,
    /// Every piece has the same bytes, so that the source stays in the cache.
    text: Vec<u8>,
    order: Vec<Piece>,
}

impl Torrent {
    fn new() -> Self {
        let geometry = Arc::new(Geometry::single(PIECE as u64, TOTAL as u64).unwrap());
        let text: Vec<u8> = (0..PIECE).map(|i| (i ^ (i >> 9)) as u8).collect();
        let file = FileSpec { path: "file".into(), len: TOTAL as u64, pad: false, executable: false };
        let hashes = PieceHashes::from_v1(vec![hash::sha1(&text); PIECES]);
        let layout = Layout::new(InfoHashes::from_v1([1; 20]), geometry.clone(), vec![file], hashes).unwrap();
        let mut order: Vec<_> = geometry.pieces().collect();
        let mut rng = Rng::new(7);
        for at in (1..order.len()).rev() {
            order.swap(at, rng.below(at as u64 + 1) as usize);
        }
        Self { folder: tempfile::tempdir_in(".").unwrap(), layout, pool: Pool::new(32 << 20), text, order }
    }

    fn storage(&self, io: DiskIo) -> Storage {
        let root = self.folder.path().join("root");
        let _ = std::fs::remove_dir_all(&root);
        self.reopen(io)
    }

    fn reopen(&self, io: DiskIo) -> Storage {
        let options = StorageOptions { io, alloc: Alloc::Sparse, overwrite: false, follow: false };
        let root = self.folder.path().join("root");
        Storage::new(&root, self.layout.clone(), options, &[], &FilePool::new(8)).unwrap()
    }

    fn bufs(&self) -> Vec<Buf> {
        let mut bufs = self.pool.take_many(PIECE / BUF_LEN);
        for (buf, chunk) in bufs.iter_mut().zip(self.text.chunks(BUF_LEN)) {
            buf.fill(chunk);
        }
        bufs
    }

    fn written(&self) -> Storage {
        let storage = self.storage(DiskIo::Pwrite);
        let bufs = self.bufs();
        self.order.iter().for_each(|&piece| storage.write(piece, &bufs).unwrap());
        storage
    }
}

#[divan::bench(args = [DiskIo::Mmap, DiskIo::Pwrite, DiskIo::Auto], sample_count = 8, sample_size = 1)]
fn write(bencher: divan::Bencher, io: DiskIo) {
    let torrent = Torrent::new();
    let bufs = torrent.bufs();
    bencher.counter(BytesCount::new(TOTAL)).with_inputs(|| torrent.storage(io)).bench_local_values(
        |storage| {
            torrent.order.iter().for_each(|&piece| storage.write(piece, &bufs).unwrap());
        },
    );
}

#[divan::bench(args = [DiskIo::Mmap, DiskIo::Pwrite], sample_count = 8, sample_size = 1)]
fn keep(bencher: divan::Bencher, io: DiskIo) {
    let torrent = Torrent::new();
    let disk = Disk::start(1, Pool::new(1 << 20));
    bencher.counter(BytesCount::new(TOTAL)).with_inputs(|| torrent.storage(io)).bench_local_values(
        |storage| {
            let (tell, told) = mpsc::channel();
            for pieces in torrent.order.chunks(16) {
                for &piece in pieces {
                    let mut buffer = PieceBuffer::new(&torrent.layout.geometry, piece);
                    for (block, buf) in torrent.layout.geometry.blocks(piece).zip(torrent.bufs()) {
                        buffer.insert(block, buf);
                    }
                    let tell = tell.clone();
                    disk.verify_and_write(&storage, buffer, false, move |kept| {
                        let _ = tell.send(matches!(kept, PieceOutcome::Verified { .. }));
                    });
                }
                assert!(told.iter().take(pieces.len()).all(|written| written));
            }
        },
    );
    disk.shutdown();
}

#[divan::bench(sample_count = 8, sample_size = 1)]
fn fetch(bencher: divan::Bencher) {
    let torrent = Torrent::new();
    let storage = torrent.written();
    let serve = Pool::new(1 << 20);
    bencher.counter(BytesCount::new(TOTAL)).bench_local(|| {
        for &piece in &torrent.order {
            let start = torrent.layout.geometry.piece_range(piece).start;
            for run in 0..4_u64 {
                let mut bufs = serve.take_many(16);
                let mut slices: Vec<_> = bufs.iter_mut().map(Buf::whole_mut).collect();
                storage.read(start + run * (PIECE as u64 / 4), &mut slices).unwrap();
            }
        }
    });
}

#[divan::bench(args = [1, 2], sample_count = 4, sample_size = 1)]
fn check(bencher: divan::Bencher, threads: usize) {
    let torrent = Torrent::new();
    let storage = torrent.written();
    let disk = Disk::start(threads, Pool::new(1 << 20));
    bencher.counter(BytesCount::new(TOTAL)).bench_local(|| {
        let (tell, told) = mpsc::channel();
        disk.check(&storage, &Bitfield::all(PIECES as u32), Progress::new(), move |result| {
            let _ = tell.send(result);
        });
        assert!(told.recv().unwrap().unwrap().good.is_full());
    });
    disk.shutdown();
}

#[divan::bench(args = [1, 2], sample_count = 4, sample_size = 1)]
fn create(bencher: divan::Bencher, threads: usize) {
    let torrent = Torrent::new();
    let storage = torrent.written();
    let path = storage.root().join(&torrent.layout.files[FileIndex(0).0 as usize].path);
    let files = [(Some(path), TOTAL as u64)];
    bencher
        .counter(BytesCount::new(TOTAL))
        .bench_local(|| hash_pieces(&files, &torrent.layout.geometry, threads, &Progress::new()).unwrap());
}
