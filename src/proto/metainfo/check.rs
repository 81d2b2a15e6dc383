//! Validation of torrent files and info dictionaries.

use super::extras::{extras, text};
use super::naming::{original, resolve};
use super::wire::{self, Loose, RawFile, RawFiles, RawInfo};
use super::{Attributes, Extras, File, Metainfo, MetainfoError, Note, PieceHashes, hybrid, layers, v2};
use crate::base::{Geometry, InfoHashes, Sha1Digest, Untrusted};
use crate::hash::{sha1, sha256};
use crate::proto::bencode::{Limits, Scan, Tree, scan};
use crate::proto::paths::{self, SafePath};

/// The BitTorrent versions of a torrent (BEP 52).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Version {
    V1,
    V2,
    Hybrid,
}

/// Validates a torrent file.
pub(super) fn file(bytes: &[u8]) -> Result<Metainfo, MetainfoError> {
    let (found, raw_info) = outer(bytes)?;
    let torrent = read(&bytes[raw_info.clone()], Some(&bytes[..found.len]));
    let torrent = torrent.map_err(|error| error.shifted(raw_info.start))?;
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

/// Validates an info dictionary.
pub(super) fn info(raw: &[u8]) -> Result<Metainfo, MetainfoError> {
    read(raw, None)
}

/// Returns the version that a torrent file claims, without validating anything else.
pub(super) fn version(bytes: &[u8]) -> Result<Version, MetainfoError> {
    let (_, raw_info) = outer(bytes)?;
    let info = Info::new(&bytes[raw_info.clone()]).map_err(|error| error.shifted(raw_info.start))?;
    Ok(info.version)
}

/// Scans the outermost dictionary, and returns the range of the info dictionary in it.
fn outer(bytes: &[u8]) -> Result<(Scan, std::ops::Range<usize>), MetainfoError> {
    let mut found = scan(bytes, Limits::TORRENT, b"info")?;
    if bytes.first() != Some(&b'd') {
        return Err(MetainfoError::NoDictionary);
    }
    let raw_info = found.wanted.take().ok_or(MetainfoError::NoInfo)?;
    Ok((found, raw_info))
}

/// An info dictionary that is well-formed bencode.
struct Info {
    found: Scan,
    read: RawInfo,
    version: Version,
}

impl Info {
    fn new(raw: &[u8]) -> Result<Self, MetainfoError> {
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
        let has_v1_part = found.wanted.is_some() || read.files.is_some() || !read.length.is_absent();
        let version = match read.meta_version.int() {
            None | Some(1) if has_v1_part || read.file_tree.is_absent() => Version::V1,
            Some(2) if has_v1_part => Version::Hybrid,
            None | Some(1 | 2) => Version::V2,
            Some(other) => return Err(MetainfoError::UnknownVersion(other)),
        };
        Ok(Self { found, read, version })
    }

    /// Computes the info-hashes. A v2 part with unsorted keys is refused, as other clients would hash it in
    /// another form.
    fn hashes(&self, raw: &[u8]) -> Result<InfoHashes, MetainfoError> {
        let v2 = || match self.found.unsorted {
            _ if self.read.meta_version.int() != Some(2) => Err(MetainfoError::Missing("meta version")),
            Some(at) => Err(MetainfoError::OutOfOrder { at }),
            None if self.read.file_tree != Loose::Other => Err(lacks(&self.read.file_tree, "file tree")),
            None => Ok(sha256(raw)),
        };
        Ok(match self.version {
            Version::V1 => InfoHashes::from_v1(sha1(raw)),
            Version::V2 => InfoHashes::from_v2(v2()?),
            Version::Hybrid => InfoHashes::hybrid(sha1(raw), v2()?),
        })
    }
}

/// Validates an info dictionary, and the piece layers of the torrent file around it, if there is one.
fn read(raw: &[u8], outer: Option<&[u8]>) -> Result<Metainfo, MetainfoError> {
    let info = Info::new(raw)?;
    let info_hash = info.hashes(raw)?;
    let Info { found, read, version } = info;
    let name = match read.name_utf8.bytes().or(read.name.bytes()) {
        None if version == Version::V2 => &[],
        name => name.ok_or(lacks(&read.name, "name"))?,
    };
    // Without a name, the torrent is called by its info-hash.
    let name = if name.is_empty() { info_hash.to_string().into_bytes() } else { name.to_vec() };
    let tree = (version != Version::V1).then(|| Tree::parse(raw, Limits::TORRENT)).transpose()?;
    let file_tree = tree.as_ref().and_then(|tree| tree.root().get(b"file tree"));

    let mut notes = Vec::new();
    let (files, single) = match (&read.files, &read.length, file_tree) {
        (None, Loose::Absent, Some(tree)) if version == Version::V2 => v2::files(tree, &name, &mut notes)?,
        (Some(_), length, _) if !length.is_absent() => return Err(MetainfoError::OneAndSeveral),
        (Some(several), ..) => (self::files(several, &name, &mut notes)?, false),
        (None, length, _) => (vec![one_file(length, &read.attr, &name)?], true),
    };
    let piece_len = read.piece_length.int().ok_or(lacks(&read.piece_length, "piece length"))?;
    let piece_len = u64::try_from(piece_len).unwrap_or(0);
    let lens = files.iter().map(|file| (file.len, !file.is_stored()));
    let (geometry, digests) = if version == Version::V2 {
        (Geometry::aligned(piece_len, lens)?, None)
    } else {
        let geometry = Geometry::new(piece_len, lens)?;
        let digests = digests(raw, &found, &geometry)?;
        (geometry, Some(digests))
    };
    let (mut roots, mut piece_layers) = (None, None);
    if let Some(file_tree) = file_tree {
        if version == Version::Hybrid {
            let v1 = hybrid::V1 { name: &name, several: read.files.as_ref(), files: &files, piece_len };
            hybrid::compare(&v1, file_tree)?;
        }
        let outer = outer.map(|bytes| Tree::parse(bytes, Limits::TORRENT)).transpose()?;
        let layers = outer.as_ref().and_then(|outer| outer.root().get(b"piece layers"));
        roots = Some(layers::roots(layers, file_tree, geometry.piece_len())?);
        piece_layers = layers.map(|layers| layers.raw().into());
    }
    if found.unsorted.is_some() {
        notes.push(Note::OutOfOrder);
    }
    Ok(Metainfo {
        info_hash,
        raw_info: raw.into(),
        // Merkle trees need a piece length that is a power of two; any other leaves only the v1 half usable.
        piece_hashes: PieceHashes::new(digests, roots.filter(|_| geometry.has_trees())),
        piece_layers,
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

/// Returns the SHA-1 digests in `pieces`, if their number fits the geometry.
fn digests(raw: &[u8], found: &Scan, geometry: &Geometry) -> Result<Vec<Sha1Digest>, MetainfoError> {
    let value = found.wanted.clone().ok_or(MetainfoError::Missing("pieces"))?;
    if !raw[value.start].is_ascii_digit() {
        return Err(MetainfoError::WrongType("pieces"));
    }
    let prefix = raw[value.clone()].iter().take_while(|&&b| b != b':').count() + 1;
    let content = &raw[value.start + prefix..value.end];
    if content.len() as u64 != u64::from(geometry.piece_count()) * 20 {
        return Err(MetainfoError::digests(geometry, content.len()));
    }
    Ok(content.as_chunks::<20>().0.to_vec())
}

fn one_file(length: &Loose, attr: &Loose, name: &[u8]) -> Result<File, MetainfoError> {
    let len = length.int().ok_or(lacks(length, "length"))?;
    let len = u64::try_from(len).map_err(|_| MetainfoError::NegativeLength { file: 1, len })?;
    let path = SafePath::single(name);
    // A torrent with padding or a link as its only file would have nothing to store.
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
    resolve(&mut files, |at| Some(std::iter::once(name).chain(raw.path(&raw.list[at])?)), notes)?;
    Ok(files)
}

/// Reads a file of a multi-file torrent. Its path is provisional: it may equal that of another file.
fn several_file(raw: &RawFiles, number: usize, one: &RawFile, name: &[u8]) -> Result<File, MetainfoError> {
    let mut attributes = Attributes::from_letters(&one.attr);
    let len = match one.len {
        Some(len) => u64::try_from(len).map_err(|_| MetainfoError::NegativeLength { file: number, len })?,
        None if attributes.is_link() => 0,
        None => return Err(MetainfoError::NoLength { file: number }),
    };
    if len > 0 {
        // A link with content is stored as a file, since its bytes are part of pieces.
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

/// Returns the error for a value that is missing or of the wrong type.
fn lacks(value: &Loose, key: &'static str) -> MetainfoError {
    if value.is_absent() { MetainfoError::Missing(key) } else { MetainfoError::WrongType(key) }
}
