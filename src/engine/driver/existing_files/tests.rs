use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::base::{BLOCK_LEN, InfoHashes, Rng};
use crate::hash;
use crate::proto::metainfo::PieceHashes;
use crate::store::{
    Checked, Disk, DiskErrorKind, DiskIo, FileStamp, FileStamps, Pool, Progress, StorageOptions,
};

const PIECE_LEN: u64 = 2 * BLOCK_LEN as u64;
const PAGE_LEN: u64 = 4096;

/// A file as it lies on the disk.
#[derive(Clone, Debug)]
enum There {
    Missing,
    Right,
    Zeros,
    Other,
    /// Right, with so many bytes from there on replaced by this one.
    Changed(u64, u64, u8),
    /// Right up to there.
    Short(u64),
    /// Right, and longer by so much.
    Long(u64),
}

/// The stamp of a file in the resume record.
#[derive(Clone, Copy, Debug)]
enum Stamped {
    Exactly,
    Earlier,
    Foreign,
    Never,
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    files: Vec<(u64, There, Stamped, bool)>,
    record: Option<bool>,
    mmap: bool,
}

fn there() -> impl Strategy<Value = There> {
    prop_oneof![
        Just(There::Missing),
        Just(There::Right),
        Just(There::Zeros),
        Just(There::Other),
        (0..80_000u64, 1..40_000u64, prop_oneof![Just(0u8), Just(7u8)])
            .prop_map(|(at, len, byte)| There::Changed(at, len, byte)),
        (0..80_000u64).prop_map(There::Short),
        (1..9000u64).prop_map(There::Long),
    ]
}

fn stamped() -> impl Strategy<Value = Stamped> {
    prop_oneof![Just(Stamped::Exactly), Just(Stamped::Earlier), Just(Stamped::Foreign), Just(Stamped::Never)]
}

fn case() -> impl Strategy<Value = Case> {
    let file = (0..90_000u64, there(), stamped(), proptest::bool::weighted(0.2));
    let files = prop::collection::vec(file, 1..6);
    (any::<u64>(), files, any::<Option<bool>>(), any::<bool>()).prop_map(|(seed, files, record, mmap)| Case {
        seed,
        files,
        record,
        mmap,
    })
}

/// A torrent, its folder, and what lay there before.
struct World {
    root: tempfile::TempDir,
    layout: Layout,
    line: Vec<u8>,
    before: Vec<Option<Vec<u8>>>,
    rng: Rng,
}

impl World {
    fn new(case: &Case) -> Option<Self> {
        let mut rng = Rng::new(case.seed);
        let lens = case.files.iter().map(|file| (file.0, false));
        let geometry = Arc::new(Geometry::new(PIECE_LEN, lens).ok()?);
        let mut line: Vec<u8> = (0..geometry.total()).map(|_| rng.next_u64() as u8).collect();
        // Some pages are zeros in the torrent, too.
        for page in line.chunks_mut(PAGE_LEN as usize) {
            if rng.next_u64().is_multiple_of(8) {
                page.fill(0);
            }
        }
        let digests: Vec<_> = line.chunks(PIECE_LEN as usize).map(hash::sha1).collect();
        let spec = |at: usize, len: u64| FileSpec {
            path: format!("top/{at}").into(),
            len,
            pad: false,
            executable: false,
        };
        let files = case.files.iter().enumerate().map(|(at, file)| spec(at, file.0)).collect();
        let id = InfoHashes::from_v1([7; 20]);
        let layout = Layout::new(id, geometry, files, PieceHashes::from_v1(digests)).unwrap();
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("top")).unwrap();
        let mut world = Self { root, layout, line, before: Vec::new(), rng };
        for (at, (_, there, ..)) in case.files.iter().enumerate() {
            let bytes = world.found(at, there);
            if let Some(bytes) = &bytes {
                std::fs::write(world.path(at), bytes).unwrap();
            }
            world.before.push(bytes);
        }
        Some(world)
    }

    fn range(&self, at: usize) -> Range<u64> {
        self.layout.geometry.file_range(FileIndex(at as u32))
    }

    fn right(&self, at: usize) -> Vec<u8> {
        let range = self.range(at);
        self.line[range.start as usize..range.end as usize].to_vec()
    }

    fn found(&mut self, at: usize, there: &There) -> Option<Vec<u8>> {
        let mut bytes = self.right(at);
        let len = bytes.len();
        match *there {
            There::Missing => return None,
            There::Right => {}
            There::Zeros => bytes.fill(0),
            There::Other => bytes.iter_mut().for_each(|byte| *byte = self.rng.next_u64() as u8),
            There::Changed(from, count, byte) => {
                let from = (from as usize).min(len);
                bytes[from..len.min(from + count as usize)].fill(byte);
            }
            There::Short(short) => bytes.truncate(short as usize),
            There::Long(more) => bytes.extend(std::iter::repeat_n(9, more as usize)),
        }
        Some(bytes)
    }

    fn path(&self, at: usize) -> PathBuf {
        self.root.path().join(format!("top/{at}"))
    }

    fn now(&self, at: usize) -> Option<Vec<u8>> {
        std::fs::read(self.path(at)).ok()
    }

    fn record(&self, case: &Case) -> Option<ResumeRecord> {
        let running = case.record?;
        let stamp = |at: usize, stamped: Stamped| {
            let meta = std::fs::metadata(self.path(at)).ok()?;
            let now = FileStamp {
                size: meta.size(),
                mtime_ns: meta.mtime() * 1_000_000_000 + meta.mtime_nsec(),
                ctime_ns: meta.ctime() * 1_000_000_000 + meta.ctime_nsec(),
                inode: meta.ino(),
            };
            match stamped {
                Stamped::Exactly => Some(now),
                Stamped::Earlier => Some(FileStamp { ctime_ns: now.ctime_ns - 5, ..now }),
                Stamped::Foreign => Some(FileStamp::FOREIGN),
                Stamped::Never => None,
            }
        };
        let files = case.files.iter().enumerate().map(|(at, file)| stamp(at, file.2)).collect();
        let none = Bitfield::none(self.layout.geometry.piece_count());
        Some(ResumeRecord {
            unfinished: std::collections::BTreeMap::new(),
            id: self.layout.id,
            folder: self.root.path().to_owned(),
            root_name: None,
            stamps: FileStamps { files, part: None },
            flushed: none.clone(),
            written: none,
            mount: None,
            uploaded: 0,
            downloaded: 0,
            added: SystemTime::now(),
            finished: None,
            // Sometimes a process that died long ago cannot have written these files.
            saved: SystemTime::now() - Duration::from_secs(if case.seed.is_multiple_of(3) { 600 } else { 0 }),
            running,
            partial: false,
        })
    }

    /// The bytes of a file that are not blank: within each page of a piece, from the first that is not zero to the
    /// last.
    fn data(&self, at: usize) -> Vec<Range<usize>> {
        let Some(bytes) = &self.before[at] else { return Vec::new() };
        let start = self.range(at).start;
        let mut data = Vec::new();
        let mut from = 0;
        while from < bytes.len() {
            let until = ((start + from as u64) / PAGE_LEN + 1) * PAGE_LEN - start;
            let page = from..bytes.len().min(until as usize);
            let is_data = |&at: &usize| bytes[at] != 0;
            if let (Some(first), Some(last)) = (page.clone().find(is_data), page.clone().rfind(is_data)) {
                data.push(first..last + 1);
            }
            from = page.end;
        }
        data
    }

    /// Writes a verified piece, whole or in segments.
    fn write(&mut self, storage: &Storage, piece: Piece) -> Result<(), DiskError> {
        let range = self.layout.geometry.piece_range(piece);
        let bytes = &self.line[range.start as usize..range.end as usize];
        let first = BLOCK_LEN as usize;
        if bytes.len() > first && self.rng.next_u64().is_multiple_of(2) {
            storage.write_unverified(piece, 0, &[&bytes[..first]])?;
            storage.write_last_segment(piece, first as u64, &[&bytes[first..]])
        } else {
            storage.write(piece, &[bytes])
        }
    }
}

fn check(storage: &Storage, pieces: &Bitfield) -> Checked {
    let disk = Disk::start(1, Pool::new(1 << 20));
    let (send, result) = mpsc::channel();
    disk.check(storage, pieces, Progress::new(), move |checked| send.send(checked).unwrap());
    let checked = result.recv().unwrap().unwrap();
    disk.shutdown();
    checked
}

/// The files with `.before-torr` in their names, which belong to a file of the torrent.
fn backups(world: &World, at: usize) -> Vec<Vec<u8>> {
    let folder = std::fs::read_dir(world.root.path().join("top")).unwrap();
    let paths = folder.map(|entry| entry.unwrap().path());
    let name = format!("{at}.before-torr");
    let mine = paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&name));
    mine.map(|path| std::fs::read(path).unwrap()).collect()
}

fn nothing_is_lost_without_consent(case: &Case, existing: ExistingFiles) {
    let Some(mut world) = World::new(case) else { return };
    let io = if case.mmap { DiskIo::Mmap } else { DiskIo::Pwrite };
    let overwrite = existing == ExistingFiles::Repair;
    let how = StorageOptions { io, overwrite, ..StorageOptions::default() };
    let nothing = vec![false; case.files.len()];
    let pool = FilePool::new(8);
    let storage = Storage::new(world.root.path(), world.layout.clone(), how, &nothing, &pool).unwrap();
    let survey = storage.survey().unwrap();
    let record = world.record(case);
    let known = KnownPieces::from(&storage, &survey, record.as_ref(), existing).unwrap();
    let Checked { good: mut have, filled } = check(&storage, &known.check);
    let priority = |file: &(u64, There, Stamped, bool)| {
        if file.3 { Priority::Skip } else { Priority::Normal }
    };
    let priorities: Vec<Priority> = case.files.iter().map(priority).collect();
    let options =
        ContentOptions { existing, priorities, ..ContentOptions::new(world.root.path().to_owned()) };
    let geometry = world.layout.geometry.clone();
    let Ok(mut plan) = Plan::new(&options, &storage, &survey, &known, &have, &filled) else {
        assert_eq!(existing, ExistingFiles::Check);
        for at in 0..case.files.len() {
            assert!(world.now(at) == world.before[at], "file {at} was refused and written");
        }
        return;
    };
    plan.treat(&storage, &mut have).unwrap();
    plan.protect(&storage, &have);
    let wanted: Vec<bool> = case.files.iter().map(|file| !file.3).collect();
    storage.set_wanted(&wanted, &have).unwrap();
    storage.prepare().unwrap();
    let mut missing: Vec<Piece> = geometry.pieces().filter(|&piece| !have.has(piece)).collect();
    missing.retain(|&piece| geometry.parts_of(piece).any(|part| wanted[part.file.0 as usize]));
    let mut refused = false;
    while !missing.is_empty() {
        let next = world.rng.next_u64() as usize % missing.len();
        let piece = missing.swap_remove(next);
        if let Err(error) = world.write(&storage, piece) {
            assert_eq!((error.kind, existing), (DiskErrorKind::Different, ExistingFiles::Check), "{error}");
            refused = true;
        }
    }
    assert_eq!(refused, !storage.take_refused().is_empty());
    for (at, &is_wanted) in wanted.iter().enumerate() {
        let may_change = is_wanted && existing == ExistingFiles::Repair;
        if known.ours()[at] || may_change {
            continue;
        }
        let Some(before) = &world.before[at] else { continue };
        let kept = |bytes: &[u8]| {
            let same = |range: &Range<usize>| bytes.get(range.clone()) == before.get(range.clone());
            bytes.len() == before.len() && world.data(at).iter().all(same)
        };
        let backups = backups(&world, at);
        assert!(existing == ExistingFiles::Backup || backups.is_empty());
        if let [backup] = &backups[..] {
            assert!(is_wanted && kept(backup), "file {at} is not what was kept of it");
            continue;
        }
        let now = world.now(at).expect("no file is removed");
        assert!(now.len() >= before.len(), "file {at} was cut off");
        for range in world.data(at) {
            assert!(now[range.clone()] == before[range.clone()], "bytes {range:?} of file {at} were changed");
        }
    }
    for at in (0..case.files.len()).filter(|&at| wanted[at] && !refused) {
        assert!(world.now(at).unwrap_or_default() == world.right(at), "file {at} is not complete");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn check_changes_no_byte_that_is_not_blank(case in case()) {
        nothing_is_lost_without_consent(&case, ExistingFiles::Check);
    }

    #[test]
    fn repair_completes_every_wanted_file_and_leaves_the_others(case in case()) {
        nothing_is_lost_without_consent(&case, ExistingFiles::Repair);
    }

    #[test]
    fn backup_completes_every_wanted_file_and_keeps_the_old_ones(case in case()) {
        nothing_is_lost_without_consent(&case, ExistingFiles::Backup);
    }
}
