//! `--save`: the torrent file beside the data.

use std::path::{Path, PathBuf};

use crate::app::file_write::{Written, write_file};
use crate::app::input::{self};
use crate::app::{Error, ErrorKind, shown};
use crate::face::cli::output::Output;
use crate::face::cli::signals;

use super::Share;

/// The value of `--save`: a path, or none for the place beside the data.
type SaveOption = Option<PathBuf>;

/// The path of the torrent file for this data, if it is to be saved: beside the data if no path is given.
pub fn target(option: Option<&SaveOption>, data: &Path) -> Option<PathBuf> {
    let option = option?;
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push(".torrent");
    Some(match option {
        None => data.with_file_name(name),
        Some(folder) if folder.is_dir() => folder.join(name),
        Some(file) => file.clone(),
    })
}

/// Saves the torrent file if that is asked for. An existing file is left unchanged.
pub fn save(option: Option<&SaveOption>, share: &Share, output: &Output) -> Result<(), Error> {
    let folder = &share.transfer.torrent.folder;
    let folder = std::path::absolute(folder).map_err(|error| Error::disk("use", folder, &error))?;
    let Some(path) = target(option, &folder.join(share.metainfo.top_name())) else { return Ok(()) };
    let bytes = share.metainfo.to_bytes();
    let written = signals::undisturbed(|| write_file(&path, &bytes, false));
    match written.map_err(|error| error.about(share.info_hashes()))? {
        Written::New => output.say(&format!(" saved   {}", shown(&path))),
        Written::Same => {}
        Written::InTheWay if is_of(&path, share) => {
            output.say(&format!(
                " {} already exists for the same torrent; torr leaves it unchanged",
                shown(&path)
            ));
        }
        Written::InTheWay => {
            let message = format!("{} already exists with different content", shown(&path));
            let hint = "move it away, or choose another name with --save=FILE";
            return Err(Error::new(ErrorKind::Disk, "exists", message).hint(hint).about(share.info_hashes()));
        }
    }
    Ok(())
}

fn is_of(path: &Path, share: &Share) -> bool {
    input::torrent_file(path).is_ok_and(|found| found.metainfo.info_hash() == share.info_hashes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_lies_beside_the_data_or_where_it_was_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("photos 2026.01");
        let beside = dir.path().join("photos 2026.01.torrent");
        assert_eq!(target(None, &data), None);
        assert_eq!(target(Some(&None), &data), Some(beside.clone()));
        assert_eq!(target(Some(&Some(dir.path().to_owned())), &data), Some(beside));
        assert_eq!(target(Some(&Some("x".into())), &data), Some("x".into()));
    }
}
