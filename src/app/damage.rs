//! From pieces that match or not to what is wrong with which file.

use std::ops::Range;

use crate::base::{Bitfield, FileIndex, FilePart, Geometry, Piece};

/// The entry found in the place of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum There {
    /// No entry.
    Nothing,
    /// A file of this many bytes.
    File(u64),
    /// Something that is no file.
    Other,
}

/// How a file stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Status {
    /// Every byte matches.
    Ok,
    /// Nothing speaks against it, but one of its pieces reaches into a file that is known to be bad,
    /// so its share of that piece cannot be checked.
    Unproven,
    /// A piece that covers this file and another does not match; v1 cannot tell whose fault it is.
    Either,
    /// Bytes do not match.
    Damaged,
    /// The bytes match and there are more after them.
    Long,
    /// The file ends too early.
    Short,
    /// Something that is no file is in its place.
    Blocked,
    /// The file is missing.
    Missing,
}

impl Status {
    /// The word in text and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unproven => "unproven",
            Self::Either => "either",
            Self::Damaged => "damaged",
            Self::Long => "long",
            Self::Short => "short",
            Self::Blocked => "blocked",
            Self::Missing => "missing",
        }
    }
}

/// The report about one file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileReport {
    /// The number of the file.
    pub file: FileIndex,
    /// How it stands.
    pub status: Status,
    /// Its length on the disk, if it is there.
    pub found: Option<u64>,
    /// Its bytes that do not match or are not there, as ranges within the file.
    pub bad: Vec<Range<u64>>,
    /// The pieces that do not match and cover it, as ranges of numbers.
    pub pieces: Vec<Range<u32>>,
    /// Other files that may be the bad ones instead.
    pub or: Vec<FileIndex>,
    /// Whether at least one piece that covers it matches.
    pub some_good: bool,
}

/// Reports about the stored files, in their order. `there` has an entry for every
/// file of the torrent, `stored` says which of them count; of the pieces that were `asked` for, `good` are
/// those that match.
pub fn report(
    shape: &Geometry,
    there: &[There],
    stored: &[bool],
    asked: &Bitfield,
    good: &Bitfield,
) -> Vec<FileReport> {
    let mut files: Vec<FileReport> = (0..shape.file_count())
        .map(|index| {
            let found = there[index as usize];
            let range = shape.file_range(FileIndex(index));
            let len = range.end - range.start;
            let (status, found) = match found {
                There::Nothing => (Status::Missing, None),
                There::Other => (Status::Blocked, None),
                There::File(found) if found < len => (Status::Short, Some(found)),
                There::File(found) if found > len => (Status::Long, Some(found)),
                There::File(found) => (Status::Ok, Some(found)),
            };
            let (bad, pieces, or) = (Vec::new(), Vec::new(), Vec::new());
            FileReport { file: FileIndex(index), status, found, bad, pieces, or, some_good: len == 0 }
        })
        .collect();
    for piece in shape.pieces().filter(|&piece| asked.has(piece)) {
        let parts: Vec<FilePart> =
            shape.parts_of(piece).filter(|part| stored[part.file.0 as usize]).collect();
        if good.has(piece) {
            for part in parts {
                files[part.file.0 as usize].some_good = true;
            }
        } else {
            blame(&mut files, &parts, piece);
        }
    }
    files.retain(|file| stored[file.file.0 as usize]);
    files
}

fn blame(files: &mut [FileReport], parts: &[FilePart], piece: Piece) {
    let lacking = |files: &[FileReport], part: &FilePart| {
        files[part.file.0 as usize].found.is_none_or(|found| found < part.offset + part.len)
    };
    let guilty: Vec<bool> = parts.iter().map(|part| parts.len() == 1 || lacking(files, part)).collect();
    let known = guilty.iter().any(|&guilty| guilty);
    for (part, guilty) in parts.iter().zip(guilty) {
        let file = &mut files[part.file.0 as usize];
        let (status, counts) = match (guilty, known) {
            (true, _) => (Status::Damaged, true),
            (false, true) => (Status::Unproven, false),
            (false, false) => (Status::Either, true),
        };
        // A file that is long and damaged is damaged: cutting it would not help.
        if file.status < status || (file.status == Status::Long && status == Status::Damaged) {
            file.status = status;
        }
        join(&mut file.pieces, piece.index()..piece.index() + 1);
        if counts {
            join(&mut file.bad, part.offset..part.offset + part.len);
        }
        if status == Status::Either {
            let others = parts.iter().map(|other| other.file).filter(|&other| other != part.file);
            file.or.extend(others);
        }
    }
}

/// Adds a range behind the others; what touches becomes one.
fn join<T: Copy + PartialEq>(ranges: &mut Vec<Range<T>>, next: Range<T>) {
    match ranges.last_mut() {
        Some(last) if last.end == next.start => last.end = next.end,
        _ => ranges.push(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of 25, 10, 10 and 0 bytes in pieces of 10: piece 2 covers the first two, 3 the next two.
    fn shape() -> Geometry {
        Geometry::new(10, [(25, false), (10, false), (10, false), (0, false)]).unwrap()
    }

    fn told(there: [There; 4], bad: &[u32]) -> Vec<FileReport> {
        let shape = shape();
        let mut good = Bitfield::all(shape.piece_count());
        for &piece in bad {
            good.remove(shape.piece(piece).unwrap());
        }
        report(&shape, &there, &[true; 4], &Bitfield::all(shape.piece_count()), &good)
    }

    const ALL: [There; 4] = [There::File(25), There::File(10), There::File(10), There::File(0)];

    fn statuses(files: &[FileReport]) -> [Status; 4] {
        std::array::from_fn(|at| files[at].status)
    }

    #[test]
    fn all_good_is_ok() {
        assert_eq!(statuses(&told(ALL, &[])), [Status::Ok; 4]);
    }

    #[test]
    fn where_nothing_was_asked_only_sizes_count() {
        let shape = shape();
        let none = Bitfield::none(shape.piece_count());
        let there = [There::File(25), There::File(9), There::Nothing, There::File(0)];
        let files = report(&shape, &there, &[true; 4], &none, &none);
        assert_eq!(statuses(&files), [Status::Ok, Status::Short, Status::Missing, Status::Ok]);
        assert!(files.iter().all(|file| file.bad.is_empty() && file.pieces.is_empty()));
    }

    #[test]
    fn a_piece_within_a_file_convicts_it_with_its_bytes() {
        let files = told(ALL, &[0, 1]);
        assert_eq!(statuses(&files), [Status::Damaged, Status::Ok, Status::Ok, Status::Ok]);
        assert_eq!((&files[0].bad, &files[0].pieces), (&vec![0..20], &vec![0..2]));
    }

    #[test]
    fn a_piece_of_two_files_convicts_neither() {
        let files = told(ALL, &[2]);
        assert_eq!(statuses(&files), [Status::Either, Status::Either, Status::Ok, Status::Ok]);
        assert_eq!((&files[0].bad, &files[1].bad), (&vec![20..25], &vec![0..5]));
        assert_eq!(files[0].or, [FileIndex(1)]);
        let files = told(ALL, &[1, 2]);
        assert_eq!(files[0].status, Status::Damaged);
        assert_eq!(files[1].status, Status::Either);
    }

    #[test]
    fn what_lacks_bytes_is_the_guilty_one() {
        let files = told([There::File(25), There::Nothing, There::File(10), There::File(0)], &[2, 3]);
        assert_eq!(statuses(&files), [Status::Unproven, Status::Missing, Status::Unproven, Status::Ok]);
        assert_eq!(files[1].bad, [0..10]);
        assert!(files[0].bad.is_empty() && files[0].some_good && !files[1].some_good);
        let files = told([There::File(12), There::File(10), There::File(10), There::Nothing], &[1, 2]);
        assert_eq!(statuses(&files), [Status::Short, Status::Unproven, Status::Ok, Status::Missing]);
        assert_eq!(files[0].bad, [10..25]);
    }

    #[test]
    fn too_long_is_told_unless_it_is_damaged_too() {
        let long = [There::File(26), There::File(10), There::File(10), There::Other];
        assert_eq!(statuses(&told(long, &[])), [Status::Long, Status::Ok, Status::Ok, Status::Blocked]);
        assert_eq!(told(long, &[0])[0].status, Status::Damaged);
    }
}
