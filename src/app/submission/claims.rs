//! The torrents of a request, and the names they take in the folder of downloads.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::base::InfoHashes;

/// The torrents and names that are taken.
#[derive(Debug, Default)]
pub struct Claims {
    /// By the digits under which peers know them.
    torrents: BTreeSet<[u8; 20]>,
    /// The owner of each name.
    names: BTreeMap<PathBuf, String>,
}

impl Claims {
    /// Takes a torrent; says whether it was free.
    pub fn claim_torrent(&mut self, torrent: &InfoHashes) -> bool {
        let free = !torrent.wire_names().any(|name| self.torrents.contains(&name));
        self.torrents.extend(torrent.wire_names());
        free
    }

    /// Takes a name for a torrent, or gives back the torrent that has it.
    pub fn claim_name(&mut self, name: &Path, owner: String) -> Result<(), String> {
        if let Some(other) = self.names.get(name) {
            return Err(other.clone());
        }
        self.names.insert(name.to_owned(), owner);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_and_a_name_are_taken_once() {
        let mut claims = Claims::default();
        let both = InfoHashes::hybrid([1; 20], [2; 32]);
        assert!(claims.claim_torrent(&both));
        assert!(!claims.claim_torrent(&InfoHashes::from_v1([1; 20])), "one of its hashes is enough");
        assert!(claims.claim_torrent(&InfoHashes::from_v1([3; 20])));
        let name = Path::new("films");
        assert_eq!(claims.claim_name(name, "a".to_owned()), Ok(()));
        assert_eq!(claims.claim_name(name, "b".to_owned()), Err("a".to_owned()));
    }
}
