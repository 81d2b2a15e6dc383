//! Digests that an older torrent of the same files has already.
//!
//! A file counts as unchanged if it has the same path below the torrent's name and the same size, and if
//! nothing was written to it, renamed onto it or put in its place since the second in which the old
//! torrent says it was made. A piece is taken over if it covers the same bytes of unchanged files.

use std::collections::BTreeMap;

use super::gather::Gathered;
use crate::base::{FileIndex, Geometry, Sha1Digest, units};
use crate::proto::metainfo::{File, Metainfo};
use crate::store::{ScannedFile, matching_piece};

/// Reusable hashes: a digest for each piece that need not be hashed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reused {
    /// By piece.
    pub digests: Vec<Option<Sha1Digest>>,
    /// Why it is nothing at all.
    pub none_because: Option<String>,
}

impl Reused {
    /// Nothing is known of any piece.
    pub fn nothing(shape: &Geometry) -> Self {
        Self { digests: vec![None; shape.piece_count() as usize], none_because: None }
    }

    /// How many pieces, and how many bytes.
    pub fn amount(&self, shape: &Geometry) -> (u32, u64) {
        let known = shape.pieces().filter(|piece| self.digests[piece.index() as usize].is_some());
        known.fold((0, 0), |(pieces, bytes), piece| (pieces + 1, bytes + u64::from(shape.len_of(piece))))
    }
}

/// Looks for pieces of an old torrent; `name` is that of the new one, `now` the second in which it is made.
pub fn find(old: &Metainfo, name: &str, found: &Gathered, shape: &Geometry, now: i64) -> Reused {
    let none = |because: String| Reused { none_because: Some(because), ..Reused::nothing(shape) };
    let Some(date) = old.extras().creation_date else {
        return none("it has no creation date".to_owned());
    };
    if date > now {
        return none("its creation date is in the future".to_owned());
    }
    let (theirs, ours) = (old.geometry(), shape);
    if theirs.piece_len() != ours.piece_len() {
        let [theirs, ours] = [theirs, ours].map(|shape| units::size(u64::from(shape.piece_len())));
        return none(format!("its piece size is {theirs}, the new one is {ours}"));
    }
    let same = unchanged(old, name, found, date);
    if same.iter().all(Option::is_none) {
        return none("none of its files is here unchanged".to_owned());
    }
    let digests: Vec<_> = ours
        .pieces()
        .map(|piece| {
            matching_piece(theirs, ours, &same, piece).and_then(|piece| old.piece_hashes().sha1(piece))
        })
        .collect();
    if digests.iter().all(Option::is_none) {
        return none("its files start at other offsets within their pieces".to_owned());
    }
    Reused { digests, none_because: None }
}

/// For each file the old one that it is still.
fn unchanged(old: &Metainfo, name: &str, found: &Gathered, date: i64) -> Vec<Option<FileIndex>> {
    let by_path: BTreeMap<Vec<String>, usize> = old
        .files()
        .iter()
        .enumerate()
        .filter(|(_, file)| file.is_stored())
        .map(|(at, file)| (names(old, file), at))
        .collect();
    let of = |file: &ScannedFile| {
        // A single file has no path but its name.
        let names = if found.is_folder { &file.names } else { &vec![name.to_owned()] };
        let at = *by_path.get(names).filter(|_| found.is_folder != old.is_single_file())?;
        let same = old.files()[at].len() == file.len && file.stamp.older_than(date);
        same.then_some(FileIndex(at as u32))
    };
    found.files.iter().map(of).collect()
}

/// The names of a file below the torrent's name, or of a single file that name.
fn names(old: &Metainfo, file: &File) -> Vec<String> {
    let all: Vec<String> = match file.original() {
        Some(names) => names.iter().map(|name| name.raw().to_owned()).collect(),
        None => file.path().components().map(str::to_owned).collect(),
    };
    all.into_iter().skip(usize::from(!old.is_single_file())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras};
    use crate::store::{ScanOptions, scan};

    const K: usize = 16 << 10;

    struct Case {
        dir: tempfile::TempDir,
        now: i64,
    }

    impl Case {
        fn new(files: &[(&str, usize)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (name, len) in files {
                std::fs::write(dir.path().join(name), vec![7; *len]).unwrap();
            }
            let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
            Self { dir, now }
        }

        fn gathered(&self) -> Gathered {
            let scan = scan(self.dir.path(), &ScanOptions::default()).unwrap();
            Gathered { files: scan.files, is_folder: true, ..Gathered::default() }
        }

        /// An old torrent of these files whose digests are the numbers of its pieces.
        fn old(files: &[(&str, usize)], date: Option<i64>) -> Metainfo {
            let total: usize = files.iter().map(|(_, len)| len).sum();
            let file = |(name, len): &(&str, usize)| DraftFile {
                path: vec![(*name).to_owned()],
                len: *len as u64,
                attributes: Attributes::NONE,
            };
            let draft = Draft {
                name: "old".into(),
                content: Content::Several(files.iter().map(file).collect()),
                piece_len: K as u32,
                digests: (0..total.div_ceil(K)).flat_map(|piece| [piece as u8; 20]).collect(),
                private: false,
                source: None,
                extras: Extras { creation_date: date, ..Extras::default() },
            };
            Metainfo::parse(&draft.to_bytes()).unwrap()
        }

        /// The old pieces that are taken over, one per new piece.
        fn taken(&self, old: &[(&str, usize)]) -> Vec<Option<u8>> {
            // The files are of this very second, so the old torrent has to be of the next.
            let old = Self::old(old, Some(self.now + 100));
            let found = self.gathered();
            let shape = Geometry::new(K as u64, found.files.iter().map(|file| (file.len, false))).unwrap();
            let reused = find(&old, "new", &found, &shape, self.now + 100);
            reused.digests.into_iter().map(|digest| digest.map(|digest| digest[0])).collect()
        }
    }

    #[test]
    fn pieces_of_the_same_bytes_are_taken_over() {
        let files = [("a", 2 * K), ("b", K / 2), ("c", 3 * K)];
        let case = Case::new(&files);
        let all: Vec<_> = (0..6).map(Some).collect();
        assert_eq!(case.taken(&files), all);
        // One that is gone moves those behind it by whole pieces.
        assert_eq!(
            case.taken(&[("0", K), ("a", 2 * K), ("b", K / 2), ("c", 3 * K)]),
            (1..7).map(Some).collect::<Vec<_>>()
        );
        // One of another size changes the pieces it touches, and those that lie elsewhere now.
        assert_eq!(case.taken(&[("a", 2 * K), ("b", K / 2 + 1), ("c", 3 * K)])[..2], [Some(0), Some(1)]);
        assert_eq!(case.taken(&[("a", 2 * K), ("b", K / 2 + 1), ("c", 3 * K)])[2..], [None; 4]);
        // One that was the last has a short piece that is whole now.
        assert_eq!(case.taken(&[("a", 2 * K), ("b", K / 2)]), [Some(0), Some(1), None, None, None, None]);
        assert_eq!(case.taken(&[("x", 2 * K)]), [None; 6]);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let files = [("a", 2 * K)];
        let case = Case::new(&files);
        let found = case.gathered();
        let shape = |len: usize| Geometry::new(len as u64, [(2 * K as u64, false)]).unwrap();
        let why = |date, len, now| {
            let reused = find(&Case::old(&files, date), "new", &found, &shape(len), now);
            assert_eq!((reused.amount(&shape(len)).0, reused.digests.iter().flatten().count()), (0, 0));
            reused.none_because.unwrap()
        };
        assert_eq!(why(None, K, case.now), "it has no creation date");
        assert_eq!(why(Some(case.now + 1), K, case.now), "its creation date is in the future");
        assert_eq!(why(Some(case.now), 2 * K, case.now), "its piece size is 16 KiB, the new one is 32 KiB");
        assert_eq!(why(Some(case.now - 5), K, case.now), "none of its files is here unchanged");
        // A single file and a folder are not the same, whatever they are called.
        let single = Gathered { is_folder: false, ..found.clone() };
        let reused = find(&Case::old(&files, Some(case.now + 9)), "a", &single, &shape(K), case.now + 9);
        assert!(reused.none_because.is_some());
    }
}
