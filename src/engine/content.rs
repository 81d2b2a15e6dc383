//! The wanted content of a torrent: its files without padding and symbolic links.

use crate::base::FileIndex;
use crate::proto::metainfo::{File, Metainfo};
use crate::swarm::event::Priority;

/// Number of wanted files.
pub fn file_count(metainfo: &Metainfo, priorities: &[Priority]) -> u32 {
    wanted_files(metainfo, priorities).count() as u32
}

/// Size of the wanted files, in bytes.
pub fn wanted(metainfo: &Metainfo, priorities: &[Priority]) -> u64 {
    wanted_files(metainfo, priorities).map(|(_, file)| file.len()).sum()
}

fn wanted_files<'a>(
    metainfo: &'a Metainfo,
    priorities: &'a [Priority],
) -> impl Iterator<Item = (FileIndex, &'a File)> {
    let wanted = |at: usize| priorities.get(at).copied().unwrap_or_default() != Priority::Skip;
    let files = metainfo.files().iter().enumerate();
    files
        .filter(move |(at, file)| file.is_stored() && wanted(*at))
        .map(|(at, file)| (FileIndex(at as u32), file))
}
