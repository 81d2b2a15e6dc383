//! Which files of a torrent: `--select`.

use crate::base::{Untrusted, units};
use crate::engine::Priority;
use crate::face::cli::tree::{Listed, listed};
use crate::proto::metainfo::Metainfo;

/// One wish about files. Later ones override earlier ones.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Select {
    wanted: bool,
    which: Which,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Which {
    Numbers(Vec<(usize, usize)>),
    Glob(String),
    Larger(u64),
    Smaller(u64),
}

/// Reads `1-3,7`, `*.mkv`, `!*.txt`, `size>100M`, `size<1G`.
pub fn select(text: &str) -> Result<Select, String> {
    let (wanted, rest) = text.strip_prefix('!').map_or((true, text), |rest| (false, rest));
    let which = if let Some(size) = rest.strip_prefix("size>") {
        Which::Larger(units::parse_size(size).map_err(|error| error.to_string())?)
    } else if let Some(size) = rest.strip_prefix("size<") {
        Which::Smaller(units::parse_size(size).map_err(|error| error.to_string())?)
    } else if !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit() || b == b'-' || b == b',') {
        Which::Numbers(rest.split(',').map(numbers).collect::<Result<_, _>>()?)
    } else if rest.is_empty() {
        return Err("write numbers (1-3,7), a pattern ('*.mkv', '!*.txt') or size>100M".to_owned());
    } else {
        Which::Glob(rest.to_owned())
    };
    Ok(Select { wanted, which })
}

/// The priority of each file; empty where all are wanted. If the first wish names what is wanted,
/// nothing else is; if it names what is not, all else is.
pub fn priorities(torrent: &Metainfo, wishes: &[Select]) -> Result<Vec<Priority>, String> {
    let Some(first) = wishes.first() else { return Ok(Vec::new()) };
    let mut wanted = vec![!first.wanted; torrent.files().len()];
    for wish in wishes {
        let mut hit = false;
        for file in listed(torrent) {
            if wish.which.meets(&file) {
                wanted[file.number - 1] = wish.wanted;
                hit = true;
            }
        }
        if !hit {
            return Err(format!("no file of {} is meant by the selection", torrent.name().fit(80)));
        }
    }
    let stored = |at: usize| torrent.files()[at].is_stored();
    if !(0..wanted.len()).any(|at| wanted[at] && stored(at)) {
        return Err(format!("the selection leaves nothing of {}", torrent.name().fit(80)));
    }
    Ok(wanted.iter().map(|&wanted| if wanted { Priority::Normal } else { Priority::Skip }).collect())
}

impl Which {
    fn meets(&self, file: &Listed<'_>) -> bool {
        match self {
            Self::Numbers(ranges) => ranges.iter().any(|&(from, to)| (from..=to).contains(&file.number)),
            Self::Larger(size) => file.len > *size,
            Self::Smaller(size) => file.len < *size,
            // Without a slash a pattern means the name, with one the path below the torrent's directory.
            Self::Glob(glob) => {
                let below = file.path.split_once('/').map_or(file.path, |(_, below)| below);
                let name = below.rsplit('/').next().unwrap_or(below);
                matches(glob.as_bytes(), if glob.contains('/') { below } else { name }.as_bytes())
            }
        }
    }
}

fn numbers(part: &str) -> Result<(usize, usize), String> {
    let wrong = || format!("'{}' is no file number; write 7 or 1-3", Untrusted::new(part));
    let (from, to) = part.split_once('-').unwrap_or((part, part));
    let (from, to) = (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
    if from == 0 || from > to { Err(wrong()) } else { Ok((from, to)) }
}

/// `*` stands for anything, `?` for one byte, letters of ASCII in either case. Takes time in the
/// product of the lengths at most.
fn matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                star = Some((g, t));
                g += 1;
            }
            Some(&c) if c == b'?' || c.eq_ignore_ascii_case(&text[t]) => {
                g += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    g = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|&c| c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras};

    fn torrent() -> Metainfo {
        let file = |path: &str, len| DraftFile {
            path: path.split('/').map(str::to_owned).collect(),
            len,
            attributes: Attributes::NONE,
        };
        let draft = Draft {
            name: "t".into(),
            content: Content::Several(vec![file("a.mkv", 5000), file("b.txt", 10), file("sub/C.MKV", 100)]),
            piece_len: 16 << 10,
            digests: vec![0; 20],
            private: false,
            source: None,
            extras: Extras::default(),
        };
        Metainfo::parse(&draft.to_bytes()).unwrap()
    }

    fn wanted(wishes: &[&str]) -> Vec<bool> {
        let wishes: Vec<Select> = wishes.iter().map(|text| select(text).unwrap()).collect();
        priorities(&torrent(), &wishes).unwrap().iter().map(|&p| p != Priority::Skip).collect()
    }

    #[test]
    fn the_last_wish_wins() {
        assert_eq!(wanted(&["1-2"]), [true, true, false]);
        assert_eq!(wanted(&["*.mkv"]), [true, false, true]);
        assert_eq!(wanted(&["!*.txt"]), [true, false, true]);
        assert_eq!(wanted(&["size>50", "!sub/*"]), [true, false, false]);
        assert_eq!(wanted(&["3,1"]), [true, false, true]);
        assert!(wanted(&[]).is_empty());
    }

    #[test]
    fn a_selection_of_nothing_is_told() {
        let of = |text| priorities(&torrent(), &[select(text).unwrap()]);
        assert!(of("9").is_err() && of("*.iso").is_err() && of("!*").is_err());
        for bad in ["", "!", "0", "3-1", "1-", "size>x"] {
            assert!(select(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (glob, text, yes) in [
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("?", "", false),
            ("**", "", true),
            ("*a*b", "xaaab", true),
        ] {
            assert_eq!(matches(glob.as_bytes(), text.as_bytes()), yes, "{glob} {text}");
        }
        assert!(!matches(&b"*a".repeat(200), &b"a".repeat(100)));
    }
}
