//! Which files are wanted and which are left out, as people write it: `--select` and `--exclude`.

use torr::app::selection::{select, wanted};
use torr::proto::metainfo::Metainfo;
use torr::store::Patterns;

/// Six files, one of them padding and one in a folder with an odd name.
const TORRENT: &[u8] = b"d4:infod5:filesld6:lengthi5e4:pathl5:a.mkveed6:lengthi1e4:pathl3:sub5:b.jpgee\
    d4:attr1:p6:lengthi4e4:pathl4:.pad1:4eed6:lengthi9e4:pathl3:sub5:c.PNGeed6:lengthi0e4:pathl4:x[1]5:d.txtee\
    d6:lengthi2e4:pathl6:\xc3\xa9.mkveee4:name1:n12:piece lengthi99e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";

/// One wish a line.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let torrent = Metainfo::parse(TORRENT).expect("it is a torrent");
    let wishes: Vec<_> = text.lines().filter_map(|line| select(line).ok()).collect();
    if let Ok(wanted) = wanted(&torrent, &wishes) {
        assert_eq!(wanted.len(), torrent.files().len());
        assert!(wanted.contains(&true));
    }
    let lines: Vec<&str> = text.lines().collect();
    if let Ok(patterns) = Patterns::new(&lines) {
        assert_eq!(patterns.is_empty(), lines.is_empty());
        for names in [vec!["a.mkv"], vec!["sub", "b.jpg"], vec!["x[1]", "d.txt"]] {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            // What means any file or folder means the folder as well.
            assert!(patterns.matches(&names, true) || !patterns.matches(&names, false));
        }
    }
}
