//! A dictionary of a torrent file as a list of entries that can be changed one by one.

use crate::proto::bencode::{Limits, Tree, Value, string};

/// The keys of a dictionary and their raw values, in the order of the file. Unchanged entries are written
/// exactly as they were read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Entries(Vec<(Vec<u8>, Vec<u8>)>);

impl Entries {
    /// Returns the entries of a dictionary; none if the value is not a dictionary.
    pub fn of(value: &Value<'_, '_>) -> Self {
        Self(value.dict().map(|(key, value)| (key.to_vec(), value.raw().to_vec())).collect())
    }

    /// Returns the raw value under a key (the first, if the key is repeated).
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.iter().find(|(name, _)| name == key.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// Whether the key is present.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Sets or removes the value under a key. An existing key keeps its position and loses its repetitions; a
    /// new one is inserted before the first greater key.
    pub fn put(&mut self, key: &str, value: Option<Vec<u8>>) {
        let key = key.as_bytes();
        let place = self.0.iter().position(|(name, _)| name == key);
        self.0.retain(|(name, _)| name != key);
        if let Some(value) = value {
            let greater = || self.0.iter().position(|(name, _)| name.as_slice() > key);
            let at = place.or_else(greater).unwrap_or(self.0.len());
            self.0.insert(at, (key.to_vec(), value));
        }
    }

    /// Renames the only entry. Returns `false` if there are several, or if it is not called `from`.
    pub fn rename_only(&mut self, from: &[u8], to: &[u8]) -> bool {
        match self.0.as_mut_slice() {
            [(name, _)] if name == from => {
                *name = to.to_vec();
                true
            }
            _ => false,
        }
    }

    /// Returns the dictionary as bencode.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![b'd'];
        for (key, value) in &self.0 {
            out.extend(string(key));
            out.extend(value);
        }
        out.push(b'e');
        out
    }
}

/// Returns the content of a string that is not empty.
pub(super) fn text(raw: &[u8]) -> Option<Vec<u8>> {
    let tree = Tree::parse(raw, Limits::TORRENT).ok()?;
    let bytes = tree.root().bytes()?;
    (!bytes.is_empty()).then(|| bytes.to_vec())
}

/// Returns the value of an integer.
pub(super) fn number(raw: &[u8]) -> Option<i64> {
    Tree::parse(raw, Limits::TORRENT).ok()?.root().int()
}

/// Returns the strings of a list, or a string alone as a list of one.
pub(super) fn texts(raw: &[u8]) -> Vec<Vec<u8>> {
    let Ok(tree) = Tree::parse(raw, Limits::TORRENT) else { return Vec::new() };
    let url = |bytes: &[u8]| (!bytes.trim_ascii().is_empty()).then(|| bytes.trim_ascii().to_vec());
    let root = tree.root();
    match root.bytes() {
        Some(bytes) => url(bytes).into_iter().collect(),
        None => root.list().filter_map(|item| item.bytes().and_then(url)).collect(),
    }
}

/// Returns the tracker tiers of an `announce-list` (BEP 12); a string in place of a list is a tier of one.
pub(super) fn tiers(raw: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let Ok(tree) = Tree::parse(raw, Limits::TORRENT) else { return Vec::new() };
    tree.root().list().map(|tier| texts(tier.raw())).filter(|tier| !tier.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(bytes: &[u8]) -> Entries {
        Entries::of(&Tree::parse(bytes, Limits::TORRENT).unwrap().root())
    }

    #[test]
    fn what_is_not_touched_stays_as_it_is() {
        let odd = b"d1:zi1e1:ald0:leee0:i0e1:zi2ee";
        let mut read = entries(odd);
        assert_eq!(read.to_bytes(), odd);
        read.put("m", Some(b"0:".to_vec()));
        assert_eq!(read.to_bytes(), b"d1:m0:1:zi1e1:ald0:leee0:i0e1:zi2ee");
        read.put("a", Some(b"i7e".to_vec()));
        read.put("z", Some(b"i3e".to_vec()));
        assert_eq!(read.to_bytes(), b"d1:m0:1:zi3e1:ai7e0:i0ee");
        read.put("z", None);
        read.put("none", None);
        assert_eq!((read.to_bytes(), read.has("z")), (b"d1:m0:1:ai7e0:i0ee".to_vec(), false));
    }

    #[test]
    fn only_a_lone_entry_is_renamed() {
        let mut lone = entries(b"d1:ai1ee");
        assert!(!lone.rename_only(b"b", b"c") && lone.rename_only(b"a", b"c"));
        assert_eq!(lone.to_bytes(), b"d1:ci1ee");
        assert!(!entries(b"d1:ai1e1:bi1ee").rename_only(b"a", b"c"));
    }
}
