//! Info dictionaries alone, as peers send them (BEP 9).

use torr::proto::bencode::{Limits, dict, scan};
use torr::proto::metainfo::{Extras, Metainfo};

pub fn run(data: &[u8]) {
    let Ok(torrent) = Metainfo::from_info(data) else { return };
    super::torrent::checked(&torrent);
    assert_eq!(torrent.raw_info(), data);
    assert_eq!(torrent.extras(), &Extras::default());
    let found = scan(data, Limits::TORRENT, b"").expect("it was accepted");
    assert!(found.len == data.len() && found.duplicates.is_empty());
    // The same dictionary in a file is the same torrent.
    let file = dict(|out| {
        out.raw("info", data);
    });
    let read = Metainfo::parse(&file).expect("a file needs no more");
    assert_eq!((read.info_hash(), read.files()), (torrent.info_hash(), torrent.files()));
    assert!(read.notes().iter().all(|note| torrent.notes().contains(note)));
    assert_eq!(read.notes().len(), torrent.notes().len());
    // A name from the user keeps the files apart.
    let renamed = torrent.clone().with_root_name("../x");
    assert_eq!(renamed.files().len(), torrent.files().len());
    assert_eq!(renamed.root_name(), Some(".._x"));
}
