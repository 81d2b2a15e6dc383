use proptest::prelude::*;

use super::encoding::MAGIC;
use super::*;
use crate::store::scan::{ScanOptions, scan};
use crate::store::{Progress, hash_pieces};

const K: usize = 16 << 10;

struct Case {
    dir: tempfile::TempDir,
}

impl Case {
    fn new(files: &[(&str, usize)]) -> Self {
        let case = Self { dir: tempfile::tempdir().unwrap() };
        files.iter().enumerate().for_each(|(at, (name, len))| case.write(name, *len, at));
        case
    }

    fn write(&self, name: &str, len: usize, salt: usize) {
        let bytes: Vec<u8> = (0..len).map(|i| (i % 251) as u8 ^ salt as u8).collect();
        std::fs::write(self.dir.path().join(name), bytes).unwrap();
    }

    fn files(&self) -> Vec<ScannedFile> {
        scan(self.dir.path(), &ScanOptions::default()).unwrap().files
    }

    fn shape(files: &[ScannedFile]) -> Geometry {
        Geometry::new(K as u64, files.iter().map(|file| (file.len, false))).unwrap()
    }

    fn hashed(files: &[ScannedFile]) -> Vec<Sha1Digest> {
        let line: Vec<_> = files.iter().map(|file| (Some(file.path.clone()), file.len)).collect();
        hash_pieces(&line, &Self::shape(files), 1, &Progress::new()).unwrap()
    }

    /// The hashes as of a scan long after the last change.
    fn known(files: &[ScannedFile]) -> CachedHashes {
        let later = SystemTime::now() + Duration::from_secs(9);
        CachedHashes::new(files, K as u32, Self::hashed(files), later)
    }
}

#[test]
fn what_has_not_changed_is_known_and_what_has_is_not() {
    let case = Case::new(&[("a", 2 * K), ("b", 3 * K), ("c", K / 2), ("d", 2 * K)]);
    let before = case.files();
    let known = Case::known(&before);
    let all: Vec<_> = Case::hashed(&before).into_iter().map(Some).collect();
    assert_eq!(known.digests(&before, &Case::shape(&before)), all);
    // One of the same size: its own pieces are to be hashed, and no others.
    case.write("b", 3 * K, 77);
    let after = case.files();
    let some = known.digests(&after, &Case::shape(&after));
    assert_eq!(
        some.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, true, false, false, false, true, true, true]
    );
    for (old, new) in some.iter().zip(Case::hashed(&after)) {
        assert!(old.is_none_or(|old| old == new));
    }
    // One that is gone: what lies behind it lies elsewhere.
    std::fs::remove_file(case.dir.path().join("a")).unwrap();
    let rest = case.files();
    let found = known.digests(&rest, &Case::shape(&rest));
    assert!(found.iter().zip(Case::hashed(&rest)).all(|(old, new)| old.is_none_or(|old| old == new)));
}

#[test]
fn a_file_that_may_have_changed_unseen_is_not_believed() {
    let case = Case::new(&[("a", K)]);
    let files = case.files();
    let newest = files[0].stamp.mtime_ns.max(files[0].stamp.ctime_ns);
    let at = |ns: i128| SystemTime::UNIX_EPOCH + Duration::from_nanos((newest + ns) as u64);
    let known = |at| {
        CachedHashes::new(&files, K as u32, Case::hashed(&files), at).digests(&files, &Case::shape(&files))
    };
    assert_eq!(known(at(0)), [None]);
    assert!(known(at(STEP.as_nanos() as i128 + COARSE_STEP.as_nanos() as i128))[0].is_some());
    let whole = ScanStamp { mtime_ns: 5_000_000_000, ctime_ns: 5_000_000_000, ..ScanStamp::default() };
    let second = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
    assert!(!whole.is_reliable_at(second(6)) && whole.is_reliable_at(second(7)));
}

#[test]
fn what_is_kept_is_read_again_and_what_is_damaged_is_not() {
    let cache = tempfile::tempdir().unwrap();
    let cache = HashCache::in_cache_dir(cache.path());
    let case = Case::new(&[("a", 3 * K), ("b", 7)]);
    let known = Case::known(&case.files());
    assert_eq!(cache.load(case.dir.path(), K as u32), None);
    cache.save(case.dir.path(), &known).unwrap();
    assert_eq!(cache.load(case.dir.path(), K as u32), Some(known.clone()));
    assert_eq!(cache.load(case.dir.path(), 2 * K as u32), None);
    assert_eq!(cache.load(Path::new("/elsewhere"), K as u32), None);
    let path = cache.entry_path(case.dir.path(), K as u32);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(cache.load(case.dir.path(), K as u32), None);
    std::fs::write(&path, &bytes[..9]).unwrap();
    assert_eq!(cache.load(case.dir.path(), K as u32), None);
}

#[test]
fn the_oldest_are_forgotten() {
    let cache = tempfile::tempdir().unwrap();
    let cache = HashCache::in_cache_dir(cache.path());
    let case = Case::new(&[("a", 1)]);
    let known = Case::known(&case.files());
    for n in 0..4_u64 {
        let path = PathBuf::from(n.to_string());
        cache.save(&path, &known).unwrap();
        let age = SystemTime::now() - Duration::from_secs(100 - n);
        std::fs::File::open(cache.entry_path(&path, K as u32)).unwrap().set_modified(age).unwrap();
    }
    std::fs::write(cache.folder.join("mine.txt"), "not yours").unwrap();
    cache.remove_oldest(2, 1 << 20).unwrap();
    let there = |n: u64| cache.load(&PathBuf::from(n.to_string()), K as u32).is_some();
    assert_eq!([there(0), there(1), there(2), there(3)], [false, false, true, true]);
    cache.remove_oldest(9, 1).unwrap();
    assert!(!there(3) && cache.folder.join("mine.txt").exists());
}

fn stamp() -> impl Strategy<Value = ScanStamp> {
    (any::<i128>(), any::<i128>(), any::<u64>(), any::<u64>()).prop_map(
        |(mtime_ns, ctime_ns, device, inode)| ScanStamp { len: 0, mtime_ns, ctime_ns, device, inode },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        piece_len: u32,
        files in prop::collection::vec((prop::collection::vec("[^/]{1,9}", 1..4), any::<u64>(), prop::option::of(stamp())), 0..9),
        digests in prop::collection::vec(any::<[u8; 20]>(), 0..9),
    ) {
        let files = files
            .into_iter()
            .map(|(names, len, stamp)| (names, len, stamp.map(|stamp| ScanStamp { len, ..stamp })))
            .collect();
        let cached = CachedHashes { piece_len, files, digests };
        prop_assert_eq!(CachedHashes::from_bytes(&cached.to_bytes()), Some(cached));
    }

    #[test]
    fn nothing_else_is_believed_or_makes_it_stumble(body in prop::collection::vec(any::<u8>(), 0..400), numbers: [u64; 3]) {
        prop_assert_eq!(CachedHashes::from_bytes(&body), None);
        // The digest is right and what follows is not.
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| (number % 40).to_le_bytes()).collect();
        let body = [numbers, body].concat();
        let bytes = [MAGIC.as_slice(), &hash::sha1(&body), &body].concat();
        if let Some(cached) = CachedHashes::from_bytes(&bytes) {
            prop_assert_eq!(cached.to_bytes(), bytes);
        }
    }
}
