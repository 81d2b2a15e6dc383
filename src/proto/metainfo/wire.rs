//! The raw values of a torrent file, read by serde_bencode and not validated.
//!
//! Reading never fails: a value of the wrong type becomes [`Loose::Other`], unknown keys are skipped, the
//! first of a repeated key counts, and keys need not be text. The input must have passed
//! [`scan`](crate::proto::bencode::scan), since serde_bencode recurses. File lists are gathered in a few
//! large buffers as they are read, since a value for each string would need several times the memory.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_bytes::ByteBuf;

/// Reads a value that has passed [`scan`](crate::proto::bencode::scan).
pub(super) fn read<T: Lenient>(checked: &[u8]) -> T {
    // No type here demands anything of its value, so serde_bencode has nothing to refuse in valid bencode.
    serde_bencode::from_bytes(checked).map(|As(value)| value).unwrap_or_default()
}

/// The raw values of a torrent file outside its info dictionary.
#[derive(Default, Debug)]
pub(super) struct RawOuter {
    pub announce: Loose,
    pub announce_list: Tiers,
    pub url_list: Texts,
    pub httpseeds: Texts,
    pub nodes: Nodes,
    pub comment: Loose,
    pub comment_utf8: Loose,
    pub created_by: Loose,
    pub creation_date: Loose,
    pub encoding: Loose,
}

/// The raw values of an info dictionary, without its piece digests.
#[derive(Default, Debug)]
pub(super) struct RawInfo {
    pub name: Loose,
    pub name_utf8: Loose,
    pub piece_length: Loose,
    pub length: Loose,
    pub files: Option<RawFiles>,
    pub private: Loose,
    pub source: Loose,
    pub attr: Loose,
    pub meta_version: Loose,
    pub file_tree: Loose,
}

/// A value of any type.
#[derive(Default, Debug, PartialEq, Eq)]
pub(super) enum Loose {
    #[default]
    Absent,
    Int(i64),
    Bytes(Vec<u8>),
    /// A list or dictionary.
    Other,
}

impl Loose {
    pub fn bytes(&self) -> Option<&[u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub fn int(&self) -> Option<i64> {
        if let Self::Int(number) = self { Some(*number) } else { None }
    }

    pub fn is_absent(&self) -> bool {
        *self == Self::Absent
    }
}

/// The most trackers, web seeds and DHT nodes that are kept, each.
const MAX_KEPT: usize = 200;

/// Tracker tiers, and the number of trackers beyond [`MAX_KEPT`].
#[derive(Default, Debug)]
pub(super) struct Tiers {
    pub kept: Vec<Vec<Vec<u8>>>,
    pub dropped: usize,
}

/// A list of strings, and the number beyond [`MAX_KEPT`]; a bare string counts as a list of one.
#[derive(Default, Debug)]
pub(super) struct Texts {
    pub kept: Vec<Vec<u8>>,
    pub dropped: usize,
}

/// DHT nodes by host and port (BEP 5), and the number beyond [`MAX_KEPT`].
#[derive(Default, Debug)]
pub(super) struct Nodes {
    pub kept: Vec<(Vec<u8>, i64)>,
    pub dropped: usize,
}

/// The files of a multi-file torrent.
#[derive(Default, Debug)]
pub(super) struct RawFiles {
    pub list: Vec<RawFile>,
    /// The components of all paths, concatenated.
    texts: Vec<u8>,
    /// The offset in `texts` at which each component ends.
    ends: Vec<u32>,
}

/// A file of a multi-file torrent.
#[derive(Debug)]
pub(super) struct RawFile {
    /// The length; `None` if it is missing or not an integer.
    pub len: Option<i64>,
    /// The components of the path in [`RawFiles`]; `None` if it is missing or not a list of strings.
    path: Option<Range<u32>>,
    link: Option<Range<u32>>,
    pub attr: Vec<u8>,
}

impl RawFiles {
    /// Returns the components of a file's path.
    pub fn path(&self, file: &RawFile) -> Option<impl Iterator<Item = &[u8]> + Clone> {
        self.components(file.path.clone()?)
    }

    /// Returns the components of a symbolic link's target.
    pub fn link(&self, file: &RawFile) -> Option<impl Iterator<Item = &[u8]> + Clone> {
        self.components(file.link.clone()?)
    }

    fn components(&self, range: Range<u32>) -> Option<impl Iterator<Item = &[u8]> + Clone> {
        if range.is_empty() {
            return None;
        }
        Some(range.map(|n| {
            let end = self.ends[n as usize] as usize;
            let begin = if n == 0 { 0 } else { self.ends[n as usize - 1] as usize };
            &self.texts[begin..end]
        }))
    }

    fn add(&mut self, one: OneFile) {
        let path = one.path_utf8.or(one.path).map(|path| self.keep(&path));
        let link = one.link_utf8.or(one.link).map(|path| self.keep(&path));
        let attr = if let Loose::Bytes(attr) = one.attr { attr } else { Vec::new() };
        self.list.push(RawFile { len: one.len.int(), path, link, attr });
    }

    fn keep(&mut self, path: &[Vec<u8>]) -> Range<u32> {
        let first = self.ends.len() as u32;
        for component in path {
            self.texts.extend_from_slice(component);
            self.ends.push(self.texts.len() as u32);
        }
        first..self.ends.len() as u32
    }
}

/// A file that is being read.
#[derive(Default)]
struct OneFile {
    len: Loose,
    path: Option<Vec<Vec<u8>>>,
    path_utf8: Option<Vec<Vec<u8>>>,
    link: Option<Vec<Vec<u8>>>,
    link_utf8: Option<Vec<Vec<u8>>>,
    attr: Loose,
}

/// A type that can be read from any value. A value that it does not expect is skipped and becomes the
/// default.
pub(super) trait Lenient: Default {
    fn int(_number: i64) -> Self {
        Self::default()
    }
    fn bytes(_content: &[u8]) -> Self {
        Self::default()
    }
    fn seq<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
    fn map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

/// An adapter that lets serde read a [`Lenient`] type.
struct As<T>(T);

impl<'de, T: Lenient> Deserialize<'de> for As<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any<T>(PhantomData<T>);
        impl<'de, T: Lenient> Visitor<'de> for Any<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("any value")
            }
            fn visit_i64<E>(self, number: i64) -> Result<T, E> {
                Ok(T::int(number))
            }
            fn visit_bytes<E>(self, content: &[u8]) -> Result<T, E> {
                Ok(T::bytes(content))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<T, A::Error> {
                T::seq(items)
            }
            fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<T, A::Error> {
                T::map(entries)
            }
        }
        from.deserialize_any(Any(PhantomData)).map(As)
    }
}

/// Reads a dictionary: the first value of each listed key goes into its field.
macro_rules! entries {
    ($entries:ident into $target:ident { $($key:literal => $field:ident),+ $(,)? }) => {{
        // One bit per listed key that was seen.
        let mut seen = 0_u32;
        while let Some(key) = $entries.next_key::<ByteBuf>()? {
            let mut bit = 1_u32;
            $(
                if key.as_slice() == $key && seen & bit == 0 {
                    seen |= bit;
                    $target.$field = $entries.next_value::<As<_>>()?.0;
                    continue;
                }
                bit <<= 1;
            )+
            let _ = bit;
            $entries.next_value::<IgnoredAny>()?;
        }
    }};
}

impl Lenient for RawOuter {
    fn map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut outer = Self::default();
        entries!(entries into outer {
            b"announce" => announce,
            b"announce-list" => announce_list,
            b"url-list" => url_list,
            b"httpseeds" => httpseeds,
            b"nodes" => nodes,
            b"comment" => comment,
            b"comment.utf-8" => comment_utf8,
            b"created by" => created_by,
            b"creation date" => creation_date,
            b"encoding" => encoding,
        });
        Ok(outer)
    }
}

impl Lenient for RawInfo {
    fn map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut info = Self::default();
        entries!(entries into info {
            b"name" => name,
            b"name.utf-8" => name_utf8,
            b"piece length" => piece_length,
            b"length" => length,
            b"files" => files,
            b"private" => private,
            b"source" => source,
            b"attr" => attr,
            b"meta version" => meta_version,
            b"file tree" => file_tree,
        });
        Ok(info)
    }
}

impl Lenient for Loose {
    fn int(number: i64) -> Self {
        Self::Int(number)
    }
    fn bytes(content: &[u8]) -> Self {
        Self::Bytes(content.to_vec())
    }
    fn seq<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::Other)
    }
    fn map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::Other)
    }
}

impl Lenient for Texts {
    fn bytes(content: &[u8]) -> Self {
        Self { kept: vec![content.to_vec()], dropped: 0 }
    }
    fn seq<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut texts = Self::default();
        while let Some(As(item)) = items.next_element::<As<Loose>>()? {
            match item {
                Loose::Bytes(text) if texts.kept.len() < MAX_KEPT => texts.kept.push(text),
                Loose::Bytes(_) => texts.dropped += 1,
                _ => {}
            }
        }
        Ok(texts)
    }
}

impl Lenient for Tiers {
    fn bytes(content: &[u8]) -> Self {
        Self { kept: vec![vec![content.to_vec()]], dropped: 0 }
    }
    fn seq<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut tiers = Self::default();
        let mut count = 0;
        while let Some(As(mut tier)) = items.next_element::<As<Texts>>()? {
            let room = MAX_KEPT - count;
            tiers.dropped += tier.dropped + tier.kept.len().saturating_sub(room);
            tier.kept.truncate(room);
            count += tier.kept.len();
            if !tier.kept.is_empty() {
                tiers.kept.push(tier.kept);
            }
        }
        Ok(tiers)
    }
}

impl Lenient for Nodes {
    fn seq<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut nodes = Self::default();
        while let Some(As(OneNode(node))) = items.next_element::<As<OneNode>>()? {
            match node {
                Some(node) if nodes.kept.len() < MAX_KEPT => nodes.kept.push(node),
                Some(_) => nodes.dropped += 1,
                None => {}
            }
        }
        Ok(nodes)
    }
}

/// A DHT node; `None` unless it is a list of a string and an integer.
#[derive(Default)]
struct OneNode(Option<(Vec<u8>, i64)>);

impl Lenient for OneNode {
    fn seq<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let host = items.next_element::<As<Loose>>()?;
        let port = if host.is_some() { items.next_element::<As<Loose>>()? } else { None };
        if port.is_some() {
            while items.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok(Self(match (host, port) {
            (Some(As(Loose::Bytes(host))), Some(As(Loose::Int(port)))) => Some((host, port)),
            _ => None,
        }))
    }
}

impl Lenient for Option<RawFiles> {
    fn seq<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut files = RawFiles::default();
        while let Some(As(one)) = items.next_element::<As<OneFile>>()? {
            files.add(one);
        }
        Ok(Some(files))
    }
}

impl Lenient for OneFile {
    fn map<'de, A: MapAccess<'de>>(mut entries: A) -> Result<Self, A::Error> {
        let mut file = Self::default();
        entries!(entries into file {
            b"length" => len,
            b"path" => path,
            b"path.utf-8" => path_utf8,
            b"symlink path" => link,
            b"symlink path.utf-8" => link_utf8,
            b"attr" => attr,
        });
        Ok(file)
    }
}

/// The components of a path; `None` unless it is a list of strings.
impl Lenient for Option<Vec<Vec<u8>>> {
    fn seq<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Self, A::Error> {
        let mut path = Some(Vec::new());
        while let Some(As(item)) = items.next_element::<As<Loose>>()? {
            match (item, &mut path) {
                (Loose::Bytes(text), Some(path)) => path.push(text),
                _ => path = None,
            }
        }
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::bencode::{Limits, scan};

    proptest! {
        #[test]
        fn checked_bencode_is_never_refused(
            noise in prop::collection::vec(prop::sample::select(b"iillddee0123:-a".to_vec()), 0..60),
            key in prop::sample::select(vec!["5:files", "5:nodes", "13:announce-list", "8:url-list", "4:name"]),
        ) {
            let wrapped = [b"d", key.as_bytes(), noise.as_slice(), b"e"].concat();
            let listed = [b"d", key.as_bytes(), b"l", noise.as_slice(), b"ee"].concat();
            for bytes in [noise, wrapped, listed] {
                if let Ok(found) = scan(&bytes, Limits::KRPC, b"") {
                    let checked = &bytes[..found.len];
                    prop_assert!(serde_bencode::from_bytes::<As<RawOuter>>(checked).is_ok());
                    prop_assert!(serde_bencode::from_bytes::<As<RawInfo>>(checked).is_ok());
                }
            }
        }
    }
}
