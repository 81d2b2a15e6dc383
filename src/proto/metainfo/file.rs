//! A file of a torrent, and its attributes.

use crate::base::Untrusted;
use crate::proto::paths::SafePath;

/// A file of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    pub(super) path: SafePath,
    pub(super) len: u64,
    pub(super) attributes: Attributes,
    pub(super) original: Option<Box<[Untrusted]>>,
    pub(super) link: Option<SafePath>,
}

impl File {
    /// The path below the download directory; in a multi-file torrent it begins with the torrent's directory.
    /// Stored files have distinct paths; that of a pad file or a link may equal another.
    pub const fn path(&self) -> &SafePath {
        &self.path
    }

    /// The length in bytes.
    #[allow(clippy::len_without_is_empty)]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// The attributes (BEP 47).
    pub const fn attributes(&self) -> Attributes {
        self.attributes
    }

    /// Whether the file is stored on disk: it is neither padding nor a link.
    pub const fn is_stored(&self) -> bool {
        !self.attributes.is_pad() && !self.attributes.is_link()
    }

    /// The components of the path as the torrent has them, its name first, if they differ from those of
    /// [`path`](Self::path). Web seeds use these.
    pub fn original(&self) -> Option<&[Untrusted]> {
        self.original.as_deref()
    }

    /// The target of a symbolic link, below the same directory. Links are shown but never created.
    pub const fn link(&self) -> Option<&SafePath> {
        self.link.as_ref()
    }
}

/// The attributes of a file (BEP 47, `attr`).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Attributes(u8);

impl Attributes {
    /// No attributes.
    pub const NONE: Self = Self(0);
    /// Padding: zeros that are never stored.
    pub const PAD: Self = Self(1);
    /// An executable file.
    pub const EXECUTABLE: Self = Self(2);
    /// A hidden file.
    pub const HIDDEN: Self = Self(4);
    /// A symbolic link.
    pub const LINK: Self = Self(8);

    const LETTERS: [(u8, Self); 4] =
        [(b'h', Self::HIDDEN), (b'l', Self::LINK), (b'p', Self::PAD), (b'x', Self::EXECUTABLE)];

    /// Reads the letters of `attr`, and ignores unknown ones.
    pub fn from_letters(letters: &[u8]) -> Self {
        let known = Self::LETTERS.iter().filter(|(letter, _)| letters.contains(letter));
        known.fold(Self::NONE, |all, &(_, one)| all.with(one))
    }

    /// Returns the letters of `attr`.
    pub fn letters(self) -> String {
        Self::LETTERS.iter().filter(|&&(_, one)| self.has(one)).map(|&(letter, _)| letter as char).collect()
    }

    /// Adds the attributes of `other`.
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Removes the attributes of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether all attributes of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the file is padding.
    pub const fn is_pad(self) -> bool {
        self.has(Self::PAD)
    }

    /// Whether the file is executable.
    pub const fn is_executable(self) -> bool {
        self.has(Self::EXECUTABLE)
    }

    /// Whether the file is hidden.
    pub const fn is_hidden(self) -> bool {
        self.has(Self::HIDDEN)
    }

    /// Whether the file is a symbolic link.
    pub const fn is_link(self) -> bool {
        self.has(Self::LINK)
    }
}
