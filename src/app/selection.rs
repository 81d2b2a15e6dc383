//! Which files of a torrent: `--select`.

use std::ops::RangeInclusive;

use globset::{GlobBuilder, GlobMatcher};

use crate::base::{Untrusted, units};
use crate::engine::Priority;
use crate::proto::metainfo::Metainfo;

/// One word about files. Later ones override earlier ones.
#[derive(Clone, Debug)]
pub struct Select {
    /// As it was written.
    text: String,
    wanted: bool,
    which: Which,
}

#[derive(Clone, Debug)]
enum Which {
    Numbers(Vec<(usize, usize)>),
    Name(GlobMatcher),
    Path(GlobMatcher),
    /// Bytes from the first to the last of these.
    Size(u64, u64),
}

/// Reads `1-3,7`, `*.mkv`, `sub/*.{jpg,png}`, `!*.txt`, `size>100M`, `size<=1G`.
pub fn select(text: &str) -> Result<Select, String> {
    let (wanted, rest) = text.strip_prefix('!').map_or((true, text), |rest| (false, rest));
    let which = if let Some(size) = rest.strip_prefix("size").filter(|size| size.starts_with(['<', '>', '=']))
    {
        sizes(size)?
    } else if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b',') {
        Which::Numbers(rest.split(',').map(numbers).collect::<Result<_, _>>()?)
    } else if rest.is_empty() {
        return Err("write numbers (1-3,7), a pattern ('*.mkv', '!*.txt') or size>100M".to_owned());
    } else {
        pattern(rest)?
    };
    Ok(Select { text: text.to_owned(), wanted, which })
}

/// Whether each file is wanted, by its index. If the first word names what is wanted, nothing else is; if it
/// names what is not, or there is none, all else is.
pub fn wanted(torrent: &Metainfo, words: &[Select]) -> Result<Vec<bool>, String> {
    let mut wanted = vec![words.first().is_none_or(|first| !first.wanted); torrent.files().len()];
    for word in words {
        let mut hit = false;
        for file in listed(torrent) {
            if word.which.meets(&file) {
                wanted[file.number - 1] = word.wanted;
                hit = true;
            }
        }
        if !hit {
            let (word, name) = (Untrusted::new(word.text.as_str()), torrent.name());
            return Err(format!("'{}' matches no file of {}", word.fit(60), name.fit(80)));
        }
    }
    if !listed(torrent).any(|file| wanted[file.number - 1]) {
        return Err(format!("the selection excludes every file of {}", torrent.name().fit(80)));
    }
    Ok(wanted)
}

/// Whether each file is wanted by a link that chooses files (BEP 53), and how many of its numbers there are
/// no files for. A failure in words where none is left.
pub fn wanted_by_link(
    torrent: &Metainfo,
    ranges: &[RangeInclusive<u32>],
) -> Result<(Vec<bool>, u64), String> {
    let mut wanted = vec![false; torrent.files().len()];
    let mut beyond = 0;
    for range in ranges {
        let (from, end) = (u64::from(*range.start()), u64::from(*range.end()) + 1);
        let number = |at: u64| at.min(wanted.len() as u64) as usize;
        let here = number(from)..number(end);
        beyond += end.saturating_sub(from) - here.len() as u64;
        wanted[here].fill(true);
    }
    if !listed(torrent).any(|file| wanted[file.number - 1]) {
        let name = torrent.name().fit(80);
        return Err(format!("the link selects file numbers that {name} does not have"));
    }
    Ok((wanted, beyond))
}

/// The priority of each file; empty where all are wanted.
pub fn priorities(wanted: &[bool]) -> Vec<Priority> {
    if wanted.iter().all(|&wanted| wanted) {
        return Vec::new();
    }
    wanted.iter().map(|&wanted| if wanted { Priority::Normal } else { Priority::Skip }).collect()
}

/// A file with the number people name it by, counted from 1 over all files of the torrent.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// The number.
    pub number: usize,
    /// The path below the folder of downloads, still a stranger's words.
    pub path: &'a str,
    /// The length in bytes.
    pub len: u64,
}

/// The files that are stored: padding and links are not.
pub fn listed(torrent: &Metainfo) -> impl Iterator<Item = Listed<'_>> {
    torrent.files().iter().enumerate().filter(|(_, file)| file.is_stored()).map(|(at, file)| Listed {
        number: at + 1,
        path: file.path().as_str(),
        len: file.len(),
    })
}

impl Which {
    fn meets(&self, file: &Listed<'_>) -> bool {
        let below = || file.path.split_once('/').map_or(file.path, |(_, below)| below);
        match self {
            Self::Numbers(ranges) => ranges.iter().any(|&(from, to)| (from..=to).contains(&file.number)),
            Self::Size(from, to) => (*from..=*to).contains(&file.len),
            Self::Name(glob) => glob.is_match(below().rsplit('/').next().unwrap_or_default()),
            Self::Path(glob) => glob.is_match(below()),
        }
    }
}

/// `*` stands for anything, `?` for one character, `[a-z]` for one of these, `{a,b}` for one of these words;
/// upper and lower case are the same. Without a slash a pattern means the name, with one the path below the
/// torrent's directory; with one at its end, all that is in a folder.
fn pattern(text: &str) -> Result<Which, String> {
    let whole = if text.ends_with('/') { format!("{text}**") } else { text.to_owned() };
    let glob = GlobBuilder::new(&whole).case_insensitive(true).backslash_escape(true).build();
    let matcher = glob.map_err(|error| {
        format!("'{}' is not a pattern: {}", Untrusted::new(text), Untrusted::new(error.kind().to_string()))
    })?;
    let matcher = matcher.compile_matcher();
    Ok(if text.contains('/') { Which::Path(matcher) } else { Which::Name(matcher) })
}

fn sizes(text: &str) -> Result<Which, String> {
    let (sign, size) = text.split_at(text.find(|c| !matches!(c, '<' | '>' | '=')).unwrap_or(text.len()));
    let size = units::parse_size(size).map_err(|error| error.to_string())?;
    let nothing = || format!("no file is smaller than {size} bytes");
    match sign {
        ">" => Ok(Which::Size(size.saturating_add(1), u64::MAX)),
        ">=" => Ok(Which::Size(size, u64::MAX)),
        "<" => Ok(Which::Size(0, size.checked_sub(1).ok_or_else(nothing)?)),
        "<=" => Ok(Which::Size(0, size)),
        "=" => Ok(Which::Size(size, size)),
        _ => Err(format!("'{sign}' is not a comparison; write size>100M or size<=1G")),
    }
}

fn numbers(part: &str) -> Result<(usize, usize), String> {
    let wrong = || format!("'{}' is not a file number; write 7 or 1-3", Untrusted::new(part));
    let (from, to) = part.split_once('-').unwrap_or((part, part));
    let (from, to) = (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
    if from == 0 || from > to { Err(wrong()) } else { Ok((from, to)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::testing;
    use crate::proto::metainfo::{Attributes, Content, DraftFile};

    fn torrent() -> Metainfo {
        let file = |path: &str, len| DraftFile {
            path: path.split('/').map(str::to_owned).collect(),
            len,
            attributes: Attributes::NONE,
        };
        let files = vec![file("a.mkv", 5000), file("b.txt", 10), file("sub/C.MKV", 100)];
        testing::torrent("t", Content::Several(files))
    }

    fn of(words: &[&str]) -> Result<Vec<bool>, String> {
        let words: Vec<Select> = words.iter().map(|text| select(text).unwrap()).collect();
        wanted(&torrent(), &words)
    }

    #[test]
    fn the_last_wish_wins() {
        let of = |words: &[&str]| of(words).unwrap();
        assert_eq!(of(&["1-2"]), [true, true, false]);
        assert_eq!(of(&["*.mkv"]), [true, false, true]);
        assert_eq!(of(&["!*.txt"]), [true, false, true]);
        assert_eq!(of(&["size>50", "!sub/*"]), [true, false, false]);
        assert_eq!(of(&["3,1"]), [true, false, true]);
        assert_eq!(of(&["!*.mkv", "3"]), [false, true, true]);
        assert_eq!(of(&[]), [true, true, true]);
    }

    #[test]
    fn patterns_are_those_of_a_shell() {
        let of = |words: &[&str]| of(words).unwrap();
        assert_eq!(of(&["*.{mkv,iso}"]), [true, false, true]);
        assert_eq!(of(&["[ab].*"]), [true, true, false]);
        assert_eq!(of(&["?.txt"]), [false, true, false]);
        assert_eq!(of(&["sub/"]), [false, false, true]);
        assert_eq!(of(&["**/c.mkv"]), [false, false, true]);
        assert_eq!(of(&["!su*/*"]), [true, true, false]);
        for bad in ["[a", "{a", "{a,{b}"] {
            assert!(select(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_compare_in_every_way() {
        for (word, sizes) in [
            ("size>100", [true, false, false]),
            ("size>=100", [true, false, true]),
            ("size<100", [false, true, false]),
            ("size<=100", [false, true, true]),
            ("size=10", [false, true, false]),
            ("!size>4K", [false, true, true]),
        ] {
            assert_eq!(of(&[word]).unwrap(), sizes, "{word}");
        }
    }

    #[test]
    fn a_selection_of_nothing_is_told() {
        for nothing in [["9"], ["*.iso"], ["!*"]] {
            assert!(of(&nothing).is_err(), "{nothing:?}");
        }
        assert_eq!(of(&["*.iso"]).unwrap_err(), "'*.iso' matches no file of t");
        for bad in ["", "!", "0", "3-1", "1-", "size>x", "size<0", "size=>1", "size<>1"] {
            assert!(select(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_chooses_by_numbers_from_0() {
        let of = |ranges: &[RangeInclusive<u32>]| wanted_by_link(&torrent(), ranges);
        assert_eq!(of(&[0..=0, 2..=2]), Ok((vec![true, false, true], 0)));
        assert_eq!(of(&[1..=u32::MAX]), Ok((vec![false, true, true], (1 << 32) - 3)));
        assert_eq!(of(&[3..=3]).unwrap_err(), "the link selects file numbers that t does not have");
    }

    #[test]
    fn all_wanted_needs_no_priorities() {
        assert!(priorities(&[true, true]).is_empty());
        assert_eq!(priorities(&[true, false]), [Priority::Normal, Priority::Skip]);
    }
}
