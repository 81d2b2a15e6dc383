//! The `file tree` of BEP 52, in which a directory is a dictionary and a file is the entry with an empty
//! name.

use super::Attributes;
use crate::base::{Sha256Digest, Untrusted};
use crate::proto::bencode::Value;

/// A file of a file tree. Its path is passed separately, since files share the beginnings of their paths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TreeFile {
    /// The length in bytes.
    pub len: u64,
    /// The root of the file's Merkle tree (`pieces root`); `None` for an empty file.
    pub root: Option<Sha256Digest>,
    /// The attributes (BEP 47).
    pub attributes: Attributes,
}

/// Reasons why a file tree is invalid.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FileTreeError {
    /// An entry is not a dictionary.
    #[error("'{0}' in the file tree is neither a file nor a directory")]
    NoEntry(Untrusted),
    /// An entry is a file and a directory at once.
    #[error("'{0}' in the file tree is a file and a directory at once")]
    Both(Untrusted),
    /// A file has no length, or a negative one.
    #[error("'{0}' in the file tree has no length")]
    NoLength(Untrusted),
    /// A file with content has no `pieces root`.
    #[error("'{0}' in the file tree has no pieces root")]
    NoRoot(Untrusted),
}

/// Calls `visit` for each file, with its path, in the order of the tree. The value must come from a
/// [`Tree`](crate::proto::bencode::Tree), whose depth limit bounds the recursion here.
pub(super) fn walk<'a, E: From<FileTreeError>>(
    tree: Value<'a, '_>,
    visit: &mut impl FnMut(&[&'a [u8]], TreeFile) -> Result<(), E>,
) -> Result<(), E> {
    directory(tree, &mut Vec::new(), visit)
}

/// Joins a path for messages.
pub(super) fn shown<'a>(path: impl IntoIterator<Item = &'a [u8]>) -> Untrusted {
    let parts: Vec<&[u8]> = path.into_iter().collect();
    Untrusted::from_bytes(&parts.join(&b'/'))
}

fn directory<'a, E: From<FileTreeError>>(
    value: Value<'a, '_>,
    path: &mut Vec<&'a [u8]>,
    visit: &mut impl FnMut(&[&'a [u8]], TreeFile) -> Result<(), E>,
) -> Result<(), E> {
    if !value.is_dict() || (path.is_empty() && value.get(b"").is_some()) {
        return Err(FileTreeError::NoEntry(shown(path.iter().copied())).into());
    }
    let mut entries = value.dict().peekable();
    if let Some((b"", facts)) = entries.peek() {
        let facts = *facts;
        if entries.nth(1).is_some() {
            return Err(FileTreeError::Both(shown(path.iter().copied())).into());
        }
        return visit(path, file(facts, path)?);
    }
    for (name, entry) in entries {
        if name.is_empty() {
            return Err(FileTreeError::Both(shown(path.iter().copied())).into());
        }
        path.push(name);
        directory(entry, path, visit)?;
        path.pop();
    }
    Ok(())
}

fn file(facts: Value<'_, '_>, path: &[&[u8]]) -> Result<TreeFile, FileTreeError> {
    let shown = || shown(path.iter().copied());
    if !facts.is_dict() {
        return Err(FileTreeError::NoEntry(shown()));
    }
    let attributes = facts.get(b"attr").and_then(|attr| attr.bytes()).unwrap_or_default();
    let attributes = Attributes::from_letters(attributes);
    let len = match facts.get(b"length").map(|len| len.int()) {
        Some(len) => len.and_then(|len| u64::try_from(len).ok()),
        None if attributes.is_link() => Some(0),
        None => None,
    };
    let len = len.ok_or_else(|| FileTreeError::NoLength(shown()))?;
    let root = facts.get(b"pieces root").and_then(|root| Sha256Digest::try_from(root.bytes()?).ok());
    let root = root.filter(|root| len > 0 && *root != [0; 32]);
    if len > 0 && root.is_none() {
        return Err(FileTreeError::NoRoot(shown()));
    }
    Ok(TreeFile { len, root, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::bencode::{Limits, Tree};

    fn told(bytes: &[u8]) -> Result<Vec<(String, u64)>, FileTreeError> {
        let tree = Tree::parse(bytes, Limits::TORRENT).unwrap();
        let mut files = Vec::new();
        walk(tree.root(), &mut |path, file| {
            files.push((shown(path.iter().copied()).clean(), file.len));
            Ok::<_, FileTreeError>(())
        })?;
        Ok(files)
    }

    fn with(entry: &str) -> Vec<u8> {
        format!("d1:a{entry}e").into_bytes()
    }

    #[test]
    fn files_are_told_in_order_with_their_paths() {
        let root = "11:pieces root32:".to_owned() + &"r".repeat(32);
        let a = format!("d1:bd0:d6:lengthi5e{root}ee1:cd0:d6:lengthi0eeee");
        let link = "d0:d4:attr1:l12:symlink pathl1:aeeee";
        let bytes = format!("d1:a{a}1:d{link}1:edee");
        let files = told(bytes.as_bytes()).unwrap();
        assert_eq!(files, [("a/b".into(), 5), ("a/c".into(), 0), ("d".into(), 0)]);
    }

    #[test]
    fn what_is_no_tree_is_refused_by_name() {
        let a = || Untrusted::new("a");
        assert_eq!(told(b"le"), Err(FileTreeError::NoEntry(Untrusted::new(""))));
        assert_eq!(told(b"d0:d6:lengthi0eee"), Err(FileTreeError::NoEntry(Untrusted::new(""))));
        assert_eq!(told(&with("i5e")), Err(FileTreeError::NoEntry(a())));
        assert_eq!(told(&with("d0:i5ee")), Err(FileTreeError::NoEntry(a())));
        assert_eq!(told(&with("d0:d6:lengthi0ee1:bdee")), Err(FileTreeError::Both(a())));
        assert_eq!(told(&with("d0:dee")), Err(FileTreeError::NoLength(a())));
        assert_eq!(told(&with("d0:d6:lengthi-1eee")), Err(FileTreeError::NoLength(a())));
        assert_eq!(told(&with("d0:d6:lengthi1eee")), Err(FileTreeError::NoRoot(a())));
        let zero = "d0:d6:lengthi1e11:pieces root32:".to_owned() + &"\0".repeat(32) + "ee";
        assert_eq!(told(&with(&zero)), Err(FileTreeError::NoRoot(a())));
    }
}
