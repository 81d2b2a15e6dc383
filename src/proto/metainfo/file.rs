//! A file of a torrent.

use crate::base::Untrusted;
use crate::proto::paths::SafePath;

/// One file of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    pub(super) path: SafePath,
    pub(super) len: u64,
    pub(super) attributes: Attributes,
    pub(super) original: Option<Box<[Untrusted]>>,
    pub(super) link: Option<SafePath>,
}

impl File {
    /// Where it is stored, below the folder of downloads; for several files it begins with the torrent's
    /// directory. Unlike those of other files, the path of a pad file or a link may be that of another.
    pub const fn path(&self) -> &SafePath {
        &self.path
    }

    /// Its length in bytes.
    #[allow(clippy::len_without_is_empty)]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// What it is besides (BEP 47).
    pub const fn attributes(&self) -> Attributes {
        self.attributes
    }

    /// Whether it is found on a disk: neither padding nor a link.
    pub const fn is_stored(&self) -> bool {
        !self.attributes.is_pad() && !self.attributes.is_link()
    }

    /// The components of its path as they were given (with the torrent's name first), where they differ
    /// from those of [`path`](Self::path): web seeds know the file by them.
    pub fn original(&self) -> Option<&[Untrusted]> {
        self.original.as_deref()
    }

    /// Where a symbolic link points, below the same folder. Links are shown and never made.
    pub const fn link(&self) -> Option<&SafePath> {
        self.link.as_ref()
    }
}

/// The attributes of a file (BEP 47).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Attributes(u8);

impl Attributes {
    /// Nothing but its bytes.
    pub const NONE: Self = Self(0);
    /// Padding: zeros that are never stored.
    pub const PAD: Self = Self(1);
    /// May be run.
    pub const EXECUTABLE: Self = Self(2);
    /// Hidden on systems that know such files.
    pub const HIDDEN: Self = Self(4);
    /// A symbolic link.
    pub const LINK: Self = Self(8);

    const LETTERS: [(u8, Self); 4] =
        [(b'h', Self::HIDDEN), (b'l', Self::LINK), (b'p', Self::PAD), (b'x', Self::EXECUTABLE)];

    /// Reads the letters of `attr`; unknown ones are nothing.
    pub fn from_letters(letters: &[u8]) -> Self {
        let known = Self::LETTERS.iter().filter(|(letter, _)| letters.contains(letter));
        known.fold(Self::NONE, |all, &(_, one)| all.with(one))
    }

    /// The letters as they are written.
    pub fn letters(self) -> String {
        Self::LETTERS.iter().filter(|&&(_, one)| self.has(one)).map(|&(letter, _)| letter as char).collect()
    }

    /// Both.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These but not those.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all of `other` is in it.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether it is padding.
    pub const fn is_pad(self) -> bool {
        self.has(Self::PAD)
    }

    /// Whether it may be run.
    pub const fn is_executable(self) -> bool {
        self.has(Self::EXECUTABLE)
    }

    /// Whether it is hidden.
    pub const fn is_hidden(self) -> bool {
        self.has(Self::HIDDEN)
    }

    /// Whether it is a symbolic link.
    pub const fn is_link(self) -> bool {
        self.has(Self::LINK)
    }
}
