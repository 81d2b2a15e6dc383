//! A dictionary of a torrent file as it stands, entry by entry, to be changed in single places.

use crate::proto::bencode::{Limits, Tree, Value, string};

/// The keys of a dictionary and the raw bytes of their values, in the order of the file. What is not
/// touched is written as it was read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Entries(Vec<(Vec<u8>, Vec<u8>)>);

impl Entries {
    /// The entries of a dictionary; none where it is something else.
    pub fn of(value: &Value<'_, '_>) -> Self {
        Self(value.dict().map(|(key, value)| (key.to_vec(), value.raw().to_vec())).collect())
    }

    /// The raw value under a key; the first, where there are several.
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.0.iter().find(|(name, _)| name == key.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// Whether there is such a key.
    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Puts a raw value under a key, or takes the key away. A key that was there keeps its place, and a
    /// repeated one stands once afterwards; a new one stands before the first that is greater.
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

    /// Gives the only entry another key. Whether there is exactly one entry and it had this key.
    pub fn rename_only(&mut self, from: &[u8], to: &[u8]) -> bool {
        match self.0.as_mut_slice() {
            [(name, _)] if name == from => {
                *name = to.to_vec();
                true
            }
            _ => false,
        }
    }

    /// The dictionary.
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

/// A text with something in it.
pub(super) fn text(raw: &[u8]) -> Option<Vec<u8>> {
    let tree = Tree::parse(raw, Limits::TORRENT).ok()?;
    let bytes = tree.root().bytes()?;
    (!bytes.is_empty()).then(|| bytes.to_vec())
}

/// A number.
pub(super) fn number(raw: &[u8]) -> Option<i64> {
    Tree::parse(raw, Limits::TORRENT).ok()?.root().int()
}

/// The texts of a list, or a text alone.
pub(super) fn texts(raw: &[u8]) -> Vec<Vec<u8>> {
    let Ok(tree) = Tree::parse(raw, Limits::TORRENT) else { return Vec::new() };
    let url = |bytes: &[u8]| (!bytes.trim_ascii().is_empty()).then(|| bytes.trim_ascii().to_vec());
    let root = tree.root();
    match root.bytes() {
        Some(bytes) => url(bytes).into_iter().collect(),
        None => root.list().filter_map(|item| item.bytes().and_then(url)).collect(),
    }
}

/// The tiers of a list of lists; a text in place of a list is a tier of one.
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
