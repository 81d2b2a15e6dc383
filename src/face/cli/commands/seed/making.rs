//! Flags for making a torrent of what is shared.

use clap::Args;

use crate::app::Error;
use crate::app::making::ScanOptions;
use crate::app::making::plan::Format;
use crate::app::making::values::{PieceSize, piece_size};
use crate::face::cli::making::patterns;

/// Flags for the torrent that a file or a folder becomes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "For files and folders")]
pub struct MakingArgs {
    /// Exclude files matching GLOB; can be repeated
    #[arg(short = 'x', long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Include files matching GLOB, even if they would be excluded otherwise; can be repeated
    #[arg(long, value_name = "GLOB")]
    pub include: Vec<String>,
    /// Include hidden files
    #[arg(long)]
    pub hidden: bool,
    /// Include junk files (.DS_Store, Thumbs.db, desktop.ini)
    #[arg(long)]
    pub junk: bool,
    /// Make the torrent private: peers come only from the trackers and the link (BEP 27)
    #[arg(long)]
    pub private: bool,
    /// Comment to store in the torrent
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// Version of the torrent format
    #[arg(long, value_name = "FORMAT", default_value = "v1")]
    pub format: Format,
    /// Piece size: auto, or a size, usually a power of two from 16K to 16M
    #[arg(long, value_name = "SIZE", value_parser = piece_size, default_value = "auto")]
    pub piece_size: PieceSize,
    /// Create a new torrent, even if a known torrent has the same data
    #[arg(long)]
    pub new: bool,
    /// Hash all files again, even unchanged ones
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
    pub fn wishes(&self, follow: bool) -> Result<ScanOptions, Error> {
        Ok(ScanOptions {
            hidden: self.hidden,
            junk: self.junk,
            follow,
            include: patterns("--include", &self.include)?,
            exclude: patterns("--exclude", &self.exclude)?,
            ..ScanOptions::default()
        })
    }

    /// Whether files are chosen by their names.
    pub const fn chooses(&self) -> bool {
        !self.exclude.is_empty() || !self.include.is_empty()
    }
}
