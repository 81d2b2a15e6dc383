//! The rule for files that are there already: the class of each, from what the recheck found.
//!
//! | class | means | under `check` |
//! | --- | --- | --- |
//! | ours | by the resume record, nobody else has written to it | goes on |
//! | whole | every piece matches | is kept |
//! | blank | missing, holes, zeros: nothing to lose | is filled |
//! | partly | pieces match, the rest is blank | is filled |
//! | unproven | its bytes cannot be checked before their piece was received | is kept and compared |
//! | different | holds bytes that are not the torrent's, or may be something else altogether | is refused |

use std::ops::Range;

use crate::base::{Bitfield, FileIndex, Geometry, Piece};
use crate::store::{FileStatus, FilledPart};

/// The class of an existing file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum FileClass {
    /// By the resume record, nobody else has written to it.
    Ours,
    /// Every piece matches.
    Whole,
    /// Nothing but zeros, or nothing at all.
    Blank,
    /// Some of its pieces match, and the rest is blank.
    Partly,
    /// Bytes whose piece also covers blank space or other files and does not match.
    Unproven,
    /// Bytes that differ, in these ranges.
    Different(Vec<Range<u64>>),
    /// No byte is known to differ, and there are more after the last one, in this range.
    TooLong(Range<u64>),
    /// The file ends before its first piece does, so nothing of it can be checked; it has these bytes. Filling it up
    /// would mix what may be another file with the torrent's.
    TooShort(Range<u64>),
    /// A folder, a link or a device is in its place.
    Blocked,
}

/// The classes of the files, and the parts that have to be protected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Classes {
    /// The class of each file of the torrent.
    pub files: Vec<FileClass>,
    /// The parts that hold data of unknown origin, in pieces that also cover other things.
    pub unproven: Vec<(Piece, FileIndex)>,
    /// The parts that differ.
    pub different: Vec<(Piece, FileIndex)>,
}

/// Classifies the files of a torrent. `statuses` are their states on disk and `ours` tells which are ours; both have an
/// entry for each file. Of the pieces of existing files `have` match; `filled` are the parts of the others that hold
/// data.
pub(super) fn classify(
    geometry: &Geometry,
    statuses: &[FileStatus],
    ours: &[bool],
    have: &Bitfield,
    filled: &[FilledPart],
) -> Classes {
    let files = statuses.len();
    let (mut ranges, mut is_unproven) = (vec![Vec::new(); files], vec![false; files]);
    let (mut unproven, mut different) = (Vec::new(), Vec::new());
    for part in filled.iter().filter(|part| !ours[part.file.0 as usize]) {
        let at = part.file.0 as usize;
        if part.whole && is_alone(geometry, part.piece) {
            different.push((part.piece, part.file));
            for bytes in geometry.parts_of(part.piece) {
                add_range(&mut ranges[at], bytes.offset..bytes.offset + bytes.len);
            }
        } else {
            unproven.push((part.piece, part.file));
            is_unproven[at] = true;
        }
    }
    let files = (0..files).zip(ranges).map(|(at, ranges)| {
        let file = FileIndex(at as u32);
        let range = geometry.file_range(file);
        let len = range.end - range.start;
        let mut pieces = geometry.pieces_of(file).filter_map(|index| geometry.piece(index));
        let matches = pieces.clone().any(|piece| have.has(piece));
        match statuses[at] {
            FileStatus::Missing => FileClass::Blank,
            FileStatus::Other => FileClass::Blocked,
            FileStatus::Plain { size, .. } if size > len => {
                if ranges.is_empty() {
                    return FileClass::TooLong(len..size);
                }
                let mut ranges = ranges;
                add_range(&mut ranges, len..size);
                FileClass::Different(ranges)
            }
            _ if ours[at] => FileClass::Ours,
            _ if !ranges.is_empty() => FileClass::Different(ranges),
            FileStatus::Plain { size, .. } if is_unproven[at] => {
                if size < len && !matches {
                    FileClass::TooShort(0..size)
                } else {
                    FileClass::Unproven
                }
            }
            FileStatus::Plain { size, .. } => match matches || size == len && len == 0 {
                true if pieces.all(|piece| have.has(piece)) => FileClass::Whole,
                true => FileClass::Partly,
                false => FileClass::Blank,
            },
        }
    });
    Classes { files: files.collect(), unproven, different }
}

/// Whether a piece covers one file and nothing else.
fn is_alone(geometry: &Geometry, piece: Piece) -> bool {
    geometry.parts_of(piece).filter(|part| !part.pad).count() == 1
}

/// Adds a range behind the others; adjacent ones become one.
fn add_range(ranges: &mut Vec<Range<u64>>, next: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end == next.start => last.end = next.end,
        _ => ranges.push(next),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files of 25, 10 and 10 bytes in pieces of 10: piece 2 covers the first two, pieces 3 and 4 the last two.
    fn geometry() -> Geometry {
        Geometry::new(10, [(25, false), (10, false), (10, false)]).unwrap()
    }

    fn plain(size: u64) -> FileStatus {
        FileStatus::Plain { size, mtime_ns: 1, ctime_ns: 1, inode: 1 }
    }

    fn class(sizes: [FileStatus; 3], ours: [bool; 3], good: &[u32], filled: &[(u32, u32, bool)]) -> Classes {
        let geometry = geometry();
        let mut have = Bitfield::none(5);
        for &piece in good {
            have.insert(geometry.piece(piece).unwrap());
        }
        let part = |&(piece, file, whole): &(u32, u32, bool)| FilledPart {
            piece: geometry.piece(piece).unwrap(),
            file: FileIndex(file),
            whole,
        };
        let filled: Vec<FilledPart> = filled.iter().map(part).collect();
        classify(&geometry, &sizes, &ours, &have, &filled)
    }

    #[test]
    fn each_class_has_its_case() {
        use FileClass as C;
        let all = [plain(25), plain(10), plain(10)];
        let nobody = [false; 3];
        let files = |classes: Classes| classes.files;
        assert_eq!(files(class(all, nobody, &[0, 1, 2, 3, 4], &[])), [C::Whole, C::Whole, C::Whole]);
        assert_eq!(files(class(all, nobody, &[], &[])), [C::Blank, C::Blank, C::Blank]);
        assert_eq!(files(class(all, nobody, &[0], &[])), [C::Partly, C::Blank, C::Blank]);
        let edited = class(all, nobody, &[0, 2, 3, 4], &[(1, 0, true)]);
        assert_eq!(edited.files, [C::Different(std::iter::once(10..20).collect()), C::Whole, C::Whole]);
        // A part of a piece that covers more may be right, and so may one beside blank space.
        let shared = class(all, nobody, &[0], &[(2, 0, true), (1, 0, false), (3, 1, true)]);
        assert_eq!(shared.files, [C::Unproven, C::Unproven, C::Blank]);
        assert_eq!(shared.unproven.len(), 3);
        let torn = class(all, [true, false, false], &[], &[(1, 0, true), (2, 0, true)]);
        assert_eq!((torn.files[0].clone(), torn.unproven.len()), (C::Ours, 0));
    }

    #[test]
    fn lengths_count_too() {
        use FileClass as C;
        let nobody = [false; 3];
        let long = class([plain(27), plain(10), FileStatus::Other], [true; 3], &[0, 1, 2, 3, 4], &[]);
        assert_eq!(long.files, [C::TooLong(25..27), C::Ours, C::Blocked]);
        let long = class([plain(27), plain(10), FileStatus::Missing], nobody, &[], &[(0, 0, true)]);
        assert_eq!(long.files, [C::Different(vec![0..10, 25..27]), C::Blank, C::Blank]);
        let short = class([plain(4), plain(10), plain(10)], nobody, &[], &[(0, 0, false)]);
        assert_eq!(short.files[0], C::TooShort(0..4));
        let begun = class([plain(14), plain(10), plain(10)], nobody, &[0], &[(1, 0, false)]);
        assert_eq!(begun.files[0], C::Unproven);
    }
}
