//! What is remembered of a torrent from one run to the next.

use torr::hash::sha1;
use torr::store::ResumeRecord;

pub fn run(data: &[u8]) {
    // A record ends with its digest, which chance never finds.
    let sealed = [data, &sha1(data)].concat();
    for bytes in [data, &sealed] {
        let Some(record) = ResumeRecord::from_bytes(bytes) else { continue };
        let again = ResumeRecord::from_bytes(&record.to_bytes());
        assert_eq!(again.as_ref(), Some(&record), "what is written is read");
    }
}
