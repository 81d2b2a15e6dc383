//! The content of the demo: files of seeded random bytes, and the check that they arrived intact.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::app::door::Priority;
use crate::base::{Geometry, Rng, Sha1Digest};
use crate::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras, Metainfo};

/// The name of the torrent.
pub const NAME: &str = "torr-demo";
/// The length of a piece.
const PIECE_LEN: u32 = 256 << 10;

/// The files with their shares of the whole, in sixteenths.
const FILES: [(&str, u64); 5] = [
    ("film.mkv", 9),
    ("album/01 overture.flac", 2),
    ("album/02 finale.flac", 2),
    ("photos.zip", 3),
    ("README.txt", 0),
];

const README: &[u8] = b"These files hold nothing but chance.\n";

/// The files with their lengths, for this much content.
pub fn files(size: u64) -> Vec<(PathBuf, u64)> {
    // The remainder keeps pieces from ending where files do, as in real torrents.
    let len = |share: u64| if share == 0 { README.len() as u64 } else { size / 16 * share + 1234 * share };
    FILES.iter().map(|&(name, share)| (PathBuf::from(name), len(share))).collect()
}

/// The priorities of one who wants nothing but the first song.
pub fn one_song() -> Vec<Priority> {
    let song = Path::new("album/01 overture.flac");
    let wants = |name: &str| if Path::new(name) == song { Priority::Normal } else { Priority::Skip };
    FILES.iter().map(|(name, _)| wants(name)).collect()
}

/// The shape of the torrent.
pub fn shape(size: u64) -> Geometry {
    let files = files(size).into_iter().map(|(_, len)| (len, false));
    Geometry::new(PIECE_LEN.into(), files).expect("at most a few gibibytes in pieces of 256 KiB")
}

/// Writes the files below this folder. Ends early, with an error, when told to stop.
pub fn write(folder: &Path, size: u64, seed: u64, stop: &AtomicBool) -> io::Result<()> {
    let mut rng = Rng::new(seed);
    let mut block = vec![0_u8; 64 << 10];
    for (path, len) in files(size) {
        let path = folder.join(NAME).join(path);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        let mut file = BufWriter::with_capacity(1 << 20, File::create(&path)?);
        if len == README.len() as u64 {
            file.write_all(README)?;
        } else {
            let mut left = len;
            while left > 0 {
                if stop.load(Ordering::Relaxed) {
                    return Err(io::Error::from(io::ErrorKind::Interrupted));
                }
                for word in block.chunks_exact_mut(8) {
                    word.copy_from_slice(&rng.next_u64().to_le_bytes());
                }
                let part = left.min(block.len() as u64);
                file.write_all(&block[..part as usize])?;
                left -= part;
            }
        }
        file.flush()?;
    }
    Ok(())
}

/// The torrent of these files.
pub fn torrent(size: u64, digests: &[Sha1Digest], trackers: Vec<String>) -> Metainfo {
    let files = files(size).into_iter().map(|(path, len)| DraftFile {
        path: path.iter().map(|part| part.to_string_lossy().into_owned()).collect(),
        len,
        attributes: Attributes::NONE,
    });
    let draft = Draft {
        name: NAME.to_owned(),
        content: Content::Several(files.collect()),
        piece_len: PIECE_LEN,
        digests: digests.concat(),
        private: false,
        source: None,
        extras: Extras {
            trackers: vec![trackers.into_iter().map(Into::into).collect()],
            ..Extras::default()
        },
    };
    Metainfo::parse(&draft.to_bytes()).expect("what we write we can read")
}

/// Compares every byte of two copies of the files; says how many were compared, or which file differs.
pub fn compare(size: u64, one: &Path, other: &Path, stop: &AtomicBool) -> io::Result<Result<u64, PathBuf>> {
    let mut compared = 0;
    for (path, len) in files(size) {
        let open = |folder: &Path| File::open(folder.join(NAME).join(&path));
        let (mut a, mut b) = (open(one)?, open(other)?);
        if a.metadata()?.len() != len || b.metadata()?.len() != len {
            return Ok(Err(path));
        }
        let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        let mut rest = len;
        while rest > 0 {
            if stop.load(Ordering::Relaxed) {
                return Err(io::Error::from(io::ErrorKind::Interrupted));
            }
            let part = rest.min(left.len() as u64) as usize;
            a.read_exact(&mut left[..part])?;
            b.read_exact(&mut right[..part])?;
            if left[..part] != right[..part] {
                return Ok(Err(path));
            }
            rest -= part as u64;
        }
        compared += len;
    }
    Ok(Ok(compared))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_writes_the_same_files_and_a_changed_byte_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("a"), dir.path().join("b"));
        let stop = AtomicBool::new(false);
        let size = 1 << 20;
        write(&one, size, 7, &stop).unwrap();
        write(&other, size, 7, &stop).unwrap();
        let total: u64 = files(size).iter().map(|(_, len)| len).sum();
        assert_eq!(compare(size, &one, &other, &stop).unwrap(), Ok(total));
        let victim = other.join(NAME).join("photos.zip");
        let mut bytes = fs::read(&victim).unwrap();
        bytes[70_000] ^= 1;
        fs::write(&victim, bytes).unwrap();
        assert_eq!(compare(size, &one, &other, &stop).unwrap(), Err("photos.zip".into()));
        stop.store(true, Ordering::Relaxed);
        assert!(write(&one, size, 7, &stop).is_err());
    }
}
