//! The values of a torrent file that can be edited.

use crate::base::Untrusted;

/// The values of a torrent file that can be edited.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fields {
    /// Trackers in tiers (BEP 12). A tracker that is only in `announce` is the first tier.
    pub trackers: Vec<Vec<Untrusted>>,
    /// Web seed URLs (BEP 19).
    pub web_seeds: Vec<Untrusted>,
    /// The author's comment.
    pub comment: Option<Untrusted>,
    /// The program that made the torrent.
    pub created_by: Option<Untrusted>,
    /// The creation date, in seconds since 1970.
    pub creation_date: Option<i64>,
    /// The name; part of the info dictionary, like the fields below.
    pub name: Untrusted,
    /// Whether peers may come from trackers only (BEP 27).
    pub private: bool,
    /// The site that the torrent is published on.
    pub source: Option<Untrusted>,
}

/// A field of [`Fields`].
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
    /// Returns the field's name for scripts.
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

    /// Whether the field is part of the info dictionary, so that editing it changes the info-hash.
    pub const fn is_of_info(self) -> bool {
        matches!(self, Self::Name | Self::Private | Self::Source)
    }
}
