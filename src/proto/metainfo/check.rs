//! From what stands in a file to what can be relied on.

use super::extras::{extras, text};
use super::wire::{self, Loose, RawFile, RawFiles, RawInfo};
use super::{Attributes, Extras, File, Metainfo, MetainfoError, Note, hybrid, layers};
use crate::base::{Geometry, InfoHash, Untrusted};
use crate::hash::{sha1, sha256};
use crate::proto::bencode::{Limits, Scan, Tree, scan};
use crate::proto::paths::{self, SafePath};

/// Checks a torrent file.
pub(super) fn file(bytes: &[u8]) -> Result<Metainfo, MetainfoError> {
    let found = scan(bytes, Limits::TORRENT, b"info")?;
    if bytes.first() != Some(&b'd') {
        return Err(MetainfoError::NoDictionary);
    }
    let raw_info = found.wanted.ok_or(MetainfoError::NoInfo)?;
    let torrent = info(&bytes[raw_info.clone()]).map_err(|error| error.shifted(raw_info.start))?;
    if torrent.info_hash.sha256().is_some() {
        layers(&bytes[..found.len], torrent.geometry.piece_len())?;
    }
    let mut notes = Vec::new();
    let extras = extras(&wire::read(&bytes[..found.len]), &mut notes);
    if found.len < bytes.len() {
        notes.push(Note::TrailingBytes(bytes.len() - found.len));
    }
    if found.unsorted.is_some() {
        notes.push(Note::OutOfOrder);
    }
    notes.extend(torrent.notes.iter().filter(|&&note| note != Note::OutOfOrder));
    Ok(Metainfo { extras, notes, ..torrent })
}

/// Checks an info dictionary.
pub(super) fn info(raw: &[u8]) -> Result<Metainfo, MetainfoError> {
    let found = scan(raw, Limits::TORRENT, b"pieces")?;
    if raw.first() != Some(&b'd') {
        return Err(MetainfoError::NoInfo);
    }
    if found.len < raw.len() {
        return Err(MetainfoError::BytesAfter { at: found.len });
    }
    if let Some(at) = found.duplicates.iter().copied().min() {
        return Err(MetainfoError::RepeatedKey { at });
    }
    let read: RawInfo = wire::read(raw);
    let info_hash = identity(raw, &read, &found)?;
    let name = read.name_utf8.bytes().or(read.name.bytes()).ok_or(lacks(&read.name, "name"))?;
    // A torrent must be called something.
    let name = if name.is_empty() { info_hash.to_string().into_bytes() } else { name.to_vec() };
    let mut notes = Vec::new();
    let (files, single) = match (&read.files, &read.length) {
        (Some(_), length) if !length.is_absent() => return Err(MetainfoError::OneAndSeveral),
        (Some(several), _) => (self::files(several, &name, &mut notes)?, false),
        (None, length) => (vec![one_file(length, &read.attr, &name)?], true),
    };
    let piece_len = read.piece_length.int().ok_or(lacks(&read.piece_length, "piece length"))?;
    let lens = files.iter().map(|file| (file.len, !file.is_stored()));
    let geometry = Geometry::new(u64::try_from(piece_len).unwrap_or(0), lens)?;
    let digests = digests(raw, &found, &geometry)?;
    if info_hash.sha256().is_some() {
        let piece_len = u64::from(geometry.piece_len());
        let v1 = hybrid::V1 { name: &name, several: read.files.as_ref(), files: &files, piece_len };
        let tree = Tree::parse(raw, Limits::TORRENT)?;
        let file_tree = tree.root().get(b"file tree").ok_or(MetainfoError::Missing("file tree"))?;
        hybrid::agree(&v1, file_tree)?;
    }
    if found.unsorted.is_some() {
        notes.push(Note::OutOfOrder);
    }
    Ok(Metainfo {
        info_hash,
        raw_info: raw.into(),
        digests,
        name: Untrusted::from_bytes(&name),
        geometry,
        files,
        single,
        renamed: false,
        private: read.private.int().is_some_and(|flag| flag != 0),
        source: text(&read.source),
        extras: Extras::default(),
        notes,
    })
}

/// Checks the piece layers of a hybrid torrent, where it brings them.
fn layers(bytes: &[u8], piece_len: u32) -> Result<(), MetainfoError> {
    let tree = Tree::parse(bytes, Limits::TORRENT)?;
    let file_tree = tree.root().get(b"info").and_then(|info| info.get(b"file tree"));
    match (tree.root().get(b"piece layers"), file_tree) {
        (Some(there), Some(file_tree)) => layers::check(there, file_tree, piece_len),
        _ => Ok(()),
    }
}

/// The info-hash, after a look at which versions of torrents this is.
fn identity(raw: &[u8], info: &RawInfo, found: &Scan) -> Result<InfoHash, MetainfoError> {
    let has_v1_part = found.wanted.is_some() || info.files.is_some() || !info.length.is_absent();
    let v1 = sha1(raw);
    match info.meta_version.int() {
        None | Some(1) if !has_v1_part && !info.file_tree.is_absent() => Err(MetainfoError::V2Only),
        None | Some(1) => Ok(InfoHash::v1(v1)),
        Some(2) if !has_v1_part => Err(MetainfoError::V2Only),
        Some(2) => match found.unsorted {
            Some(at) => Err(MetainfoError::OutOfOrder { at }),
            None if info.file_tree != Loose::Other => Err(lacks(&info.file_tree, "file tree")),
            None => Ok(InfoHash::hybrid(v1, sha256(raw))),
        },
        Some(other) => Err(MetainfoError::UnknownVersion(other)),
    }
}

/// Where the content of `pieces` lies, if it fits the geometry.
fn digests(raw: &[u8], found: &Scan, geometry: &Geometry) -> Result<std::ops::Range<usize>, MetainfoError> {
    let value = found.wanted.clone().ok_or(MetainfoError::Missing("pieces"))?;
    if !raw[value.start].is_ascii_digit() {
        return Err(MetainfoError::WrongType("pieces"));
    }
    let prefix = raw[value.clone()].iter().take_while(|&&b| b != b':').count() + 1;
    let content = value.start + prefix..value.end;
    if content.len() as u64 != u64::from(geometry.piece_count()) * 20 {
        return Err(MetainfoError::digests(geometry, content.len()));
    }
    Ok(content)
}

fn one_file(length: &Loose, attr: &Loose, name: &[u8]) -> Result<File, MetainfoError> {
    let len = length.int().ok_or(lacks(length, "length"))?;
    let len = u64::try_from(len).map_err(|_| MetainfoError::NegativeLength { file: 1, len })?;
    let path = SafePath::single(name);
    // A torrent that is nothing but padding or a link would have nothing to store.
    let attributes = Attributes::from_letters(attr.bytes().unwrap_or_default());
    let attributes = attributes.without(Attributes::PAD).without(Attributes::LINK);
    let original = original(&path, std::iter::once(name));
    Ok(File { path, len, attributes, original, link: None })
}

fn files(raw: &RawFiles, name: &[u8], notes: &mut Vec<Note>) -> Result<Vec<File>, MetainfoError> {
    let mut files = Vec::with_capacity(raw.list.len());
    for (number, one) in raw.list.iter().enumerate() {
        files.push(several_file(raw, number + 1, one, name)?);
    }
    // Padding and links are never stored, so they take no name from anybody.
    let stored: Vec<usize> = (0..files.len()).filter(|&n| files[n].is_stored()).collect();
    let wanted = stored.iter().filter_map(|&n| Some(std::iter::once(name).chain(raw.path(&raw.list[n])?)));
    let resolved = paths::resolve(wanted)?;
    let mut renamed = 0;
    for (&number, path) in stored.iter().zip(resolved) {
        if let Some(components) = raw.path(&raw.list[number]) {
            files[number].original = original(&path, std::iter::once(name).chain(components));
            renamed += usize::from(files[number].original.is_some());
        }
        files[number].path = path;
    }
    if renamed > 0 {
        notes.push(Note::Renamed(renamed));
    }
    let links = files.iter().filter(|file| file.attributes.is_link()).count();
    if links > 0 {
        notes.push(Note::LinksSkipped(links));
    }
    Ok(files)
}

/// One of several files, with a path that may still be that of another.
fn several_file(raw: &RawFiles, number: usize, one: &RawFile, name: &[u8]) -> Result<File, MetainfoError> {
    let mut attributes = Attributes::from_letters(&one.attr);
    let len = match one.len {
        Some(len) => u64::try_from(len).map_err(|_| MetainfoError::NegativeLength { file: number, len })?,
        None if attributes.is_link() => 0,
        None => return Err(MetainfoError::NoLength { file: number }),
    };
    if len > 0 {
        // Bytes that are in the pieces must be stored somewhere.
        attributes = attributes.without(Attributes::LINK);
    }
    let has_path = raw.path(one).is_some();
    if !has_path && !attributes.is_pad() {
        return Err(MetainfoError::NoPath { file: number });
    }
    let link = if attributes.is_link() { raw.link(one) } else { None };
    let link = link.and_then(|target| paths::resolve([std::iter::once(name).chain(target)]).ok()?.pop());
    let path = SafePath::single(raw.path(one).and_then(Iterator::last).unwrap_or(b"pad"));
    Ok(File { path, len, attributes, original: None, link })
}

/// The components as they were given, where the path has others.
fn original<'a>(path: &SafePath, given: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Box<[Untrusted]>> {
    if given.clone().eq(path.components().map(str::as_bytes)) {
        return None;
    }
    Some(given.map(Untrusted::from_bytes).collect())
}

/// What to say of a value that is not as it must be.
fn lacks(value: &Loose, key: &'static str) -> MetainfoError {
    if value.is_absent() { MetainfoError::Missing(key) } else { MetainfoError::WrongType(key) }
}
