//! A folder that is gone when it is no longer needed.

use std::io;
use std::path::{Path, PathBuf};

/// A folder of our own below the system's folder for such things; removed with all in it on drop.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one.
    pub fn new() -> io::Result<Self> {
        let base = std::env::temp_dir();
        let mut chance = [0; 8];
        loop {
            getrandom::fill(&mut chance).map_err(io::Error::other)?;
            let path = base.join(format!("torr-demo-{:016x}", u64::from_ne_bytes(chance)));
            match std::fs::create_dir(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => return result.map(|()| Self(path)),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system, which clears the place.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_everything_along() {
        let folder = Folder::new().unwrap();
        let path = folder.path().to_owned();
        std::fs::create_dir_all(path.join("a/b")).unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
