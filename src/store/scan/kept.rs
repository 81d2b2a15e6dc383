//! Digests of files that were hashed before, so that what has not changed is not read again.
//!
//! For each path that was hashed there is a file: the names of what lay there, by what each is known again,
//! and the digests of the pieces they made together. It can always be thrown away; one that is damaged is
//! as good as none.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{ScannedFile, Seen};
use crate::base::{FileIndex, Geometry, InfoHashes, Piece, Sha1Digest};
use crate::hash;
use crate::store::atomic::write_atomic;
use crate::store::error::DiskError;

/// What stands at the beginning of each file.
const MAGIC: &[u8; 16] = b"torr hashes 1\n\0\0";
/// The most bytes of one file.
const MAX_EACH: u64 = 64 << 20;
/// The most bytes of all.
const MAX_BYTES: u64 = 256 << 20;
/// The most paths that are known.
const MAX_PATHS: usize = 500;
/// What the names of our files end with.
const EXTENSION: &str = "hashes";

/// A file written to so shortly before it was looked at may be written to again without looking younger:
/// times of files go on in steps.
const STEP: Duration = Duration::from_millis(20);
/// The same where times are whole seconds, of which some systems keep only the even ones.
const COARSE_STEP: Duration = Duration::from_secs(2);

/// What is kept in a folder for caches.
#[derive(Clone, Debug)]
pub struct Hashes {
    folder: PathBuf,
}

/// What was found under a path and what it hashed to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hashed {
    /// Bytes of a piece.
    piece_len: u32,
    /// The files end to end: the names beneath the path, the length, and by what the file is known again,
    /// where that can be told.
    files: Vec<(Vec<String>, u64, Option<Seen>)>,
    /// The digests of the pieces they make.
    digests: Vec<Sha1Digest>,
}

impl Hashed {
    /// What these files hash to, which were looked at no earlier than `at`.
    pub fn new(files: &[ScannedFile], piece_len: u32, digests: Vec<Sha1Digest>, at: SystemTime) -> Self {
        let known = |file: &ScannedFile| file.seen.is_settled(at).then_some(file.seen);
        let files = files.iter().map(|file| (file.names.clone(), file.len, known(file))).collect();
        Self { piece_len, files, digests }
    }

    /// For each piece of these files its digest, where they are the same as then in all of it.
    pub fn digests(&self, files: &[ScannedFile], shape: &Geometry) -> Vec<Option<Sha1Digest>> {
        let none = || vec![None; shape.piece_count() as usize];
        if self.piece_len != shape.piece_len() {
            return none();
        }
        let lens = self.files.iter().map(|(_, len, _)| (*len, false));
        let Ok(then) = Geometry::new(u64::from(self.piece_len), lens) else { return none() };
        if then.piece_count() as usize != self.digests.len() {
            return none();
        }
        let by_name: BTreeMap<&[String], usize> =
            self.files.iter().enumerate().map(|(at, (names, ..))| (names.as_slice(), at)).collect();
        let same: Vec<Option<FileIndex>> = files
            .iter()
            .map(|file| {
                let at = *by_name.get(file.names.as_slice())?;
                let (_, len, seen) = &self.files[at];
                (*len == file.len && *seen == Some(file.seen)).then_some(FileIndex(at as u32))
            })
            .collect();
        shape
            .pieces()
            .map(|piece| {
                same_piece(&then, shape, &same, piece).map(|piece| self.digests[piece.index() as usize])
            })
            .collect()
    }

    /// The bytes of the file in which this is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let number = |body: &mut Vec<u8>, number: u64| body.extend_from_slice(&number.to_le_bytes());
        number(&mut body, u64::from(self.piece_len));
        number(&mut body, self.files.len() as u64);
        number(&mut body, self.digests.len() as u64);
        for (names, len, seen) in &self.files {
            let names = names.join("/");
            number(&mut body, names.len() as u64);
            body.extend_from_slice(names.as_bytes());
            number(&mut body, *len);
            body.push(u8::from(seen.is_some()));
            if let Some(seen) = seen {
                body.extend_from_slice(&seen.mtime_ns.to_le_bytes());
                body.extend_from_slice(&seen.ctime_ns.to_le_bytes());
                number(&mut body, seen.device);
                number(&mut body, seen.inode);
            }
        }
        body.extend(self.digests.iter().flatten());
        [MAGIC.as_slice(), &hash::sha1(&body), &body].concat()
    }

    /// Reads the bytes of such a file; nothing for what is not whole.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (digest, body) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<20>()?;
        if hash::sha1(body) != *digest {
            return None;
        }
        let mut rest = body;
        let piece_len = u32::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
        let [files, digests] = [take(&mut rest)?, take(&mut rest)?].map(u64::from_le_bytes);
        // Each file takes more than a byte, so that neither number can ask for more than was read.
        if files > rest.len() as u64 || digests.checked_mul(20)? > rest.len() as u64 {
            return None;
        }
        let mut found = Vec::new();
        for _ in 0..files {
            let len = usize::try_from(u64::from_le_bytes(take(&mut rest)?)).ok()?;
            let (names, later) = rest.split_at_checked(len)?;
            rest = later;
            let names = std::str::from_utf8(names).ok()?;
            let names =
                if names.is_empty() { Vec::new() } else { names.split('/').map(str::to_owned).collect() };
            let len = u64::from_le_bytes(take(&mut rest)?);
            let seen = match take::<1>(&mut rest)? {
                [0] => None,
                [1] => Some(Seen {
                    len,
                    mtime_ns: i128::from_le_bytes(take(&mut rest)?),
                    ctime_ns: i128::from_le_bytes(take(&mut rest)?),
                    device: u64::from_le_bytes(take(&mut rest)?),
                    inode: u64::from_le_bytes(take(&mut rest)?),
                }),
                _ => return None,
            };
            found.push((names, len, seen));
        }
        let (digests_found, nothing) = rest.as_chunks::<20>();
        let whole = nothing.is_empty() && digests_found.len() as u64 == digests;
        whole.then(|| Self { piece_len, files: found, digests: digests_found.to_vec() })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, later) = rest.split_first_chunk::<N>()?;
    *rest = later;
    Some(*first)
}

impl Hashes {
    /// What is kept in this folder for caches, which need not exist.
    pub fn of(cache: &Path) -> Self {
        Self { folder: cache.join("hashes") }
    }

    /// What was hashed under this path in pieces of this length, if it is known.
    pub fn read(&self, path: &Path, piece_len: u32) -> Option<Hashed> {
        let file = std::fs::File::open(self.place(path, piece_len)).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_EACH + 1).read_to_end(&mut bytes).ok()?;
        let whole = bytes.len() as u64 <= MAX_EACH;
        Hashed::from_bytes(&bytes).filter(|hashed| whole && hashed.piece_len == piece_len)
    }

    /// Keeps what was hashed under this path in place of what was before, and forgets what was kept longest
    /// ago where it is too much.
    pub fn keep(&self, path: &Path, hashed: &Hashed) -> Result<(), DiskError> {
        let bytes = hashed.to_bytes();
        if bytes.len() as u64 > MAX_EACH {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder)
            .map_err(|error| DiskError::from_io("make the folder", &self.folder, &error))?;
        write_atomic(&self.place(path, hashed.piece_len), &bytes, true)?;
        self.forget_old(MAX_PATHS, MAX_BYTES)
    }

    fn place(&self, path: &Path, piece_len: u32) -> PathBuf {
        let name = [path.as_os_str().as_bytes(), &[0], &piece_len.to_le_bytes()].concat();
        let name = InfoHashes::from_v1(hash::sha1(&name));
        self.folder.join(format!("{name}.{EXTENSION}"))
    }

    fn forget_old(&self, most: usize, most_bytes: u64) -> Result<(), DiskError> {
        let failed = |error| DiskError::from_io("look into", &self.folder, &error);
        let mut known = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Ok(meta) = entry.metadata()
            {
                known.push((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len(), path));
            }
        }
        known.sort_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (at, (_, len, path)) in known.iter().enumerate() {
            bytes += len;
            if at >= most || bytes > most_bytes {
                std::fs::remove_file(path).map_err(|error| DiskError::from_io("remove", path, &error))?;
            }
        }
        Ok(())
    }
}

impl Seen {
    /// Whether a change after this moment could not be hidden by the steps in which times go on.
    fn is_settled(&self, at: SystemTime) -> bool {
        let newest = self.mtime_ns.max(self.ctime_ns);
        let step = if newest % 1_000_000_000 == 0 { COARSE_STEP } else { STEP };
        let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as i128;
        newest + step.as_nanos() as i128 <= at
    }
}

/// The piece of `theirs` that consists of the same bytes as this piece of `ours`, where `same` tells for
/// each of our files which of theirs it is, byte for byte.
pub fn same_piece(
    theirs: &Geometry,
    ours: &Geometry,
    same: &[Option<FileIndex>],
    piece: Piece,
) -> Option<Piece> {
    let first = ours.parts_of(piece).next()?;
    let begin = theirs.file_range(same[first.file.0 as usize]?).start + first.offset;
    let piece_len = u64::from(theirs.piece_len());
    let candidate = theirs.piece(u32::try_from(begin / piece_len).ok()?)?;
    let parts = ours.parts_of(piece).map(|part| Some((same[part.file.0 as usize]?, part.offset, part.len)));
    let their_parts = theirs.parts_of(candidate).map(|part| Some((part.file, part.offset, part.len)));
    (begin.is_multiple_of(piece_len) && parts.eq(their_parts)).then_some(candidate)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::scan::{Wishes, scan};
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
            scan(self.dir.path(), &Wishes::default()).unwrap().files
        }

        fn shape(files: &[ScannedFile]) -> Geometry {
            Geometry::new(K as u64, files.iter().map(|file| (file.len, false))).unwrap()
        }

        fn hashed(files: &[ScannedFile]) -> Vec<Sha1Digest> {
            let line: Vec<_> = files.iter().map(|file| (Some(file.path.clone()), file.len)).collect();
            hash_pieces(&line, &Self::shape(files), 1, &Progress::new()).unwrap()
        }

        /// As it will be seen long after the last change.
        fn known(files: &[ScannedFile]) -> Hashed {
            let later = SystemTime::now() + Duration::from_secs(9);
            Hashed::new(files, K as u32, Self::hashed(files), later)
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
        let newest = files[0].seen.mtime_ns.max(files[0].seen.ctime_ns);
        let at = |ns: i128| SystemTime::UNIX_EPOCH + Duration::from_nanos((newest + ns) as u64);
        let known = |at| {
            Hashed::new(&files, K as u32, Case::hashed(&files), at).digests(&files, &Case::shape(&files))
        };
        assert_eq!(known(at(0)), [None]);
        assert!(known(at(STEP.as_nanos() as i128 + COARSE_STEP.as_nanos() as i128))[0].is_some());
        let whole = Seen { mtime_ns: 5_000_000_000, ctime_ns: 5_000_000_000, ..Seen::default() };
        let second = |s| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        assert!(!whole.is_settled(second(6)) && whole.is_settled(second(7)));
    }

    #[test]
    fn what_is_kept_is_read_again_and_what_is_damaged_is_not() {
        let cache = tempfile::tempdir().unwrap();
        let hashes = Hashes::of(cache.path());
        let case = Case::new(&[("a", 3 * K), ("b", 7)]);
        let known = Case::known(&case.files());
        assert_eq!(hashes.read(case.dir.path(), K as u32), None);
        hashes.keep(case.dir.path(), &known).unwrap();
        assert_eq!(hashes.read(case.dir.path(), K as u32), Some(known.clone()));
        assert_eq!(hashes.read(case.dir.path(), 2 * K as u32), None);
        assert_eq!(hashes.read(Path::new("/elsewhere"), K as u32), None);
        let place = hashes.place(case.dir.path(), K as u32);
        let mut bytes = std::fs::read(&place).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&place, &bytes).unwrap();
        assert_eq!(hashes.read(case.dir.path(), K as u32), None);
        std::fs::write(&place, &bytes[..9]).unwrap();
        assert_eq!(hashes.read(case.dir.path(), K as u32), None);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let cache = tempfile::tempdir().unwrap();
        let hashes = Hashes::of(cache.path());
        let case = Case::new(&[("a", 1)]);
        let known = Case::known(&case.files());
        for n in 0..4_u64 {
            let path = PathBuf::from(n.to_string());
            hashes.keep(&path, &known).unwrap();
            let age = SystemTime::now() - Duration::from_secs(100 - n);
            std::fs::File::open(hashes.place(&path, K as u32)).unwrap().set_modified(age).unwrap();
        }
        std::fs::write(hashes.folder.join("mine.txt"), "not yours").unwrap();
        hashes.forget_old(2, 1 << 20).unwrap();
        let there = |n: u64| hashes.read(&PathBuf::from(n.to_string()), K as u32).is_some();
        assert_eq!([there(0), there(1), there(2), there(3)], [false, false, true, true]);
        hashes.forget_old(9, 1).unwrap();
        assert!(!there(3) && hashes.folder.join("mine.txt").exists());
    }

    fn seen() -> impl Strategy<Value = Seen> {
        (any::<i128>(), any::<i128>(), any::<u64>(), any::<u64>()).prop_map(
            |(mtime_ns, ctime_ns, device, inode)| Seen { len: 0, mtime_ns, ctime_ns, device, inode },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            piece_len: u32,
            files in prop::collection::vec((prop::collection::vec("[^/]{1,9}", 1..4), any::<u64>(), prop::option::of(seen())), 0..9),
            digests in prop::collection::vec(any::<[u8; 20]>(), 0..9),
        ) {
            let files = files
                .into_iter()
                .map(|(names, len, seen)| (names, len, seen.map(|seen| Seen { len, ..seen })))
                .collect();
            let hashed = Hashed { piece_len, files, digests };
            prop_assert_eq!(Hashed::from_bytes(&hashed.to_bytes()), Some(hashed));
        }

        #[test]
        fn nothing_else_is_believed_or_makes_it_stumble(body in prop::collection::vec(any::<u8>(), 0..400), numbers: [u64; 3]) {
            prop_assert_eq!(Hashed::from_bytes(&body), None);
            // The digest is right and what follows is not.
            let numbers: Vec<u8> = numbers.iter().flat_map(|number| (number % 40).to_le_bytes()).collect();
            let body = [numbers, body].concat();
            let bytes = [MAGIC.as_slice(), &hash::sha1(&body), &body].concat();
            if let Some(hashed) = Hashed::from_bytes(&bytes) {
                prop_assert_eq!(hashed.to_bytes(), bytes);
            }
        }
    }
}
