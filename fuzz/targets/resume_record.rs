//! What is remembered of a torrent from one run to the next.

use torr::hash::sha1;
use torr::store::Entry;

pub fn run(data: &[u8]) {
    // A record ends with its digest, which chance never finds.
    let sealed = [data, &sha1(data)].concat();
    for bytes in [data, &sealed] {
        let Some(entry) = Entry::from_bytes(bytes) else { continue };
        let again = Entry::from_bytes(&entry.to_bytes());
        assert_eq!(again.as_ref(), Some(&entry), "what is written is read");
    }
}
