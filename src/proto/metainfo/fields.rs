//! What can be changed of a torrent file.

use crate::base::Untrusted;

/// What can be changed of a torrent file.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fields {
    /// Trackers in tiers. One that stands in `announce` alone is a tier of its own, the first.
    pub trackers: Vec<Vec<Untrusted>>,
    /// Web seeds (BEP 19).
    pub web_seeds: Vec<Untrusted>,
    /// A comment.
    pub comment: Option<Untrusted>,
    /// The program that made it.
    pub created_by: Option<Untrusted>,
    /// When it was made, in seconds since 1970.
    pub creation_date: Option<i64>,
    /// The name; part of the info dictionary, as are those below.
    pub name: Untrusted,
    /// Peers come from the trackers only (BEP 27).
    pub private: bool,
    /// Where it is first published.
    pub source: Option<Untrusted>,
}

/// The name of one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "they are those of Fields")]
pub enum Field {
    Trackers,
    WebSeeds,
    Comment,
    CreatedBy,
    CreationDate,
    Name,
    Private,
    Source,
}

impl Field {
    /// Its name for scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trackers => "trackers",
            Self::WebSeeds => "web_seeds",
            Self::Comment => "comment",
            Self::CreatedBy => "created_by",
            Self::CreationDate => "creation_date",
            Self::Name => "name",
            Self::Private => "private",
            Self::Source => "source",
        }
    }

    /// Whether it is part of the info dictionary, so that a change of it changes the info-hash.
    pub const fn is_of_info(self) -> bool {
        matches!(self, Self::Name | Self::Private | Self::Source)
    }
}
