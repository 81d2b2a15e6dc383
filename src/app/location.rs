//! Where the data of a torrent lies.

use std::path::{Path, PathBuf};

use super::input::Torrent;
use super::{Error, ErrorKind, quoted, shown};
use crate::proto::metainfo::Metainfo;

/// Where the files of a torrent lie.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// The folder below which they lie.
    pub root: PathBuf,
    /// The replacement of the first component of their paths: nothing where `root` itself is the
    /// torrent's directory, another name where it was renamed.
    pub top: Top,
}

/// The outermost name of the torrent's files as it is on the disk.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Top {
    /// As the torrent has it.
    Same,
    /// Another one.
    Named(PathBuf),
    /// None: the files lie directly in the folder.
    None,
}

impl Place {
    /// The path of a file below the root.
    pub fn path(&self, path: &Path) -> PathBuf {
        let mut parts = path.components();
        match &self.top {
            Top::Same => path.to_owned(),
            Top::Named(name) => {
                parts.next();
                let rest = parts.as_path();
                if rest.as_os_str().is_empty() { name.clone() } else { name.join(rest) }
            }
            Top::None => {
                parts.next();
                parts.as_path().to_owned()
            }
        }
    }

    /// The folder or file that is the torrent's own.
    pub fn own(&self, torrent: &Metainfo) -> PathBuf {
        match &self.top {
            Top::Same => self.root.join(torrent.top_name()),
            Top::Named(name) => self.root.join(name),
            Top::None => self.root.clone(),
        }
    }
}

/// Looks for the data: where it was said to be, or else in the current directory and beside the torrent.
/// `example` begins the command that says where it is.
pub fn find(torrent: &Torrent, given: Option<&Path>, example: &str) -> Result<Place, Error> {
    match given {
        Some(given) => at(&torrent.metainfo, given),
        None => {
            let mut places = vec![Path::new(".")];
            places.extend(torrent.directory());
            let found = places.into_iter().find_map(|folder| within(&torrent.metainfo, folder));
            found.ok_or_else(|| {
                let name = torrent.metainfo.name().fit(100);
                let message = format!("the data of {name} is neither here nor next to the torrent file");
                let hint = format!("give its folder: {example} FOLDER");
                Error::new(ErrorKind::Disk, "not_found", message).hint(hint)
            })
        }
    }
}

fn at(torrent: &Metainfo, given: &Path) -> Result<Place, Error> {
    let found = std::fs::metadata(given).map_err(|error| Error::disk("check", given, &error))?;
    if found.is_dir() {
        return Ok(within(torrent, given).unwrap_or(Place { root: given.to_owned(), top: Top::Same }));
    }
    if !torrent.is_single_file() {
        let message = format!("{} is a file, but the torrent holds a directory", shown(given));
        return Err(Error::usage(message).hint("give the directory or its parent"));
    }
    let name = given.file_name().map(PathBuf::from);
    let name = name.ok_or_else(|| Error::usage(format!("{} is not the path of a file", quoted(given))))?;
    let parent = given.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let top = if name.as_os_str() == torrent.top_name() { Top::Same } else { Top::Named(name) };
    Ok(Place { root: parent.to_owned(), top })
}

/// The data in this folder, or this folder as the data.
pub fn within(torrent: &Metainfo, folder: &Path) -> Option<Place> {
    let below = Place { root: folder.to_owned(), top: Top::Same };
    let named = folder.join(torrent.top_name()).symlink_metadata().is_ok();
    if torrent.is_single_file() {
        return named.then_some(below);
    }
    // Something in the data may have the name of the data itself, so what is in there decides.
    let inside = Place { root: folder.to_owned(), top: Top::None };
    let (there, here) = (files_at(torrent, &below), files_at(torrent, &inside));
    match named {
        true if there >= here => Some(below),
        _ if here > (0, 0) => Some(inside),
        _ => named.then_some(below),
    }
}

/// How many of the first files are at this place with the right length, and how many at all.
fn files_at(torrent: &Metainfo, place: &Place) -> (usize, usize) {
    let first = torrent.files().iter().filter(|file| file.is_stored()).take(1000);
    let found = first.filter_map(|file| {
        let path = place.root.join(place.path(file.path().as_path()));
        path.metadata().ok().filter(std::fs::Metadata::is_file).map(|found| found.len() == file.len())
    });
    found.fold((0, 0), |(right, all), is_right| (right + usize::from(is_right), all + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_off_and_put_on() {
        let place = |top| Place { root: "/d".into(), top };
        let path = Path::new("movies/a/b");
        assert_eq!(place(Top::Same).path(path), path);
        assert_eq!(place(Top::Named("films".into())).path(path), Path::new("films/a/b"));
        assert_eq!(place(Top::None).path(path), Path::new("a/b"));
        assert_eq!(place(Top::Named("x.iso".into())).path(Path::new("y.iso")), Path::new("x.iso"));
    }
}
