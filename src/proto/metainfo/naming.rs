//! The choice of paths under which the files of a torrent are stored.

use super::{File, MetainfoError, Note};
use crate::base::Untrusted;
use crate::proto::paths::{self, SafePath};

/// Sets the path of each stored file, from the components that `given` returns for its index. Padding and
/// links are never stored, so they take no name from other files.
pub(super) fn resolve<'a, P: Iterator<Item = &'a [u8]> + Clone>(
    files: &mut [File],
    given: impl Fn(usize) -> Option<P>,
    notes: &mut Vec<Note>,
) -> Result<(), MetainfoError> {
    let stored: Vec<usize> = (0..files.len()).filter(|&at| files[at].is_stored()).collect();
    let resolved = paths::resolve(stored.iter().filter_map(|&at| given(at)))?;
    let mut renamed = 0;
    for (&at, path) in stored.iter().zip(resolved) {
        if let Some(components) = given(at) {
            files[at].original = original(&path, components);
            renamed += usize::from(files[at].original.is_some());
        }
        files[at].path = path;
    }
    if renamed > 0 {
        notes.push(Note::Renamed(renamed));
    }
    let links = files.iter().filter(|file| file.attributes.is_link()).count();
    if links > 0 {
        notes.push(Note::LinksSkipped(links));
    }
    Ok(())
}

/// Returns the torrent's own components, if the path differs from them.
pub(super) fn original<'a>(
    path: &SafePath,
    given: impl Iterator<Item = &'a [u8]> + Clone,
) -> Option<Box<[Untrusted]>> {
    if given.clone().eq(path.components().map(str::as_bytes)) {
        return None;
    }
    Some(given.map(Untrusted::from_bytes).collect())
}
