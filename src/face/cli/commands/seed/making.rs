//! Flags for making a torrent of what is shared.

use clap::Args;

use crate::app::Error;
use crate::app::making::Wishes;
use crate::app::making::plan::Format;
use crate::app::making::values::{PieceSize, piece_size};
use crate::face::cli::making::patterns;

/// What a file or a folder becomes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "For files and folders")]
pub struct MakingArgs {
    /// Leave out what this pattern means; may be given several times
    #[arg(short = 'x', long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Take what this pattern means, whatever else would leave it out
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Include hidden files
    #[arg(long)]
    pub hidden: bool,
    /// Include junk files (.DS_Store, Thumbs.db, desktop.ini)
    #[arg(long)]
    pub junk: bool,
    /// Peers come from the trackers and the link only (BEP 27)
    #[arg(long)]
    pub private: bool,
    /// A comment
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// The version of the format
    #[arg(long, value_name = "FORMAT", default_value = "v1")]
    pub format: Format,
    /// The size of a piece: auto, or a power of two from 16K to 16M as a rule
    #[arg(long, value_name = "SIZE", value_parser = piece_size, default_value = "auto")]
    pub piece_size: PieceSize,
    /// Make a new torrent, even if this is the data of one that is known
    #[arg(long)]
    pub new: bool,
    /// Hash everything, even what has not changed since it was hashed
    #[arg(long)]
    pub rehash: bool,
}

impl MakingArgs {
    /// The first flag that was given and means nothing to a torrent that exists.
    pub fn given(&self) -> Option<&'static str> {
        let all = [
            (!self.exclude.is_empty(), "--exclude"),
            (!self.include.is_empty(), "--include"),
            (self.hidden, "--hidden"),
            (self.junk, "--junk"),
            (self.private, "--private"),
            (self.comment.is_some(), "--comment"),
            (self.piece_size.0.is_some(), "--piece-size"),
            (self.new, "--new"),
            (self.rehash, "--rehash"),
        ];
        all.into_iter().find(|(given, _)| *given).map(|(_, flag)| flag)
    }

    /// Which files are wanted.
    pub fn wishes(&self, follow: bool) -> Result<Wishes, Error> {
        Ok(Wishes {
            hidden: self.hidden,
            junk: self.junk,
            follow,
            include: patterns("--include", &self.include)?,
            exclude: patterns("--exclude", &self.exclude)?,
            ..Wishes::default()
        })
    }

    /// Whether files are chosen by their names.
    pub const fn chooses(&self) -> bool {
        !self.exclude.is_empty() || !self.include.is_empty()
    }
}
