//! `torr add`: hand torrents to the daemon and return.

use std::path::PathBuf;

use clap::Args;
use url::Url;

use crate::app::input::{self, Kind};
use crate::app::quoted;
use crate::app::selection::{Select, select};
use crate::app::{Error, ErrorKind};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::daemon;
use crate::face::cli::exit::Exit;
use crate::face::cli::fetching;
use crate::face::cli::output::Output;
use crate::proto::magnet::Magnet;

/// Hand torrents to the daemon and return
///
/// There is no daemon yet, so this ends with exit code 6; torr get downloads without one.
#[derive(Args, Debug)]
#[command(
    hide = true,
    after_help = "Examples:
  torr add ubuntu.torrent -o ~/iso"
)]
pub struct AddArgs {
    /// Torrent files, addresses on the web, magnet links, info hashes, or - for one on standard input
    #[arg(value_name = "TORRENT", required = true)]
    torrents: Vec<PathBuf>,
    /// Where the daemon saves
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Do not start it yet
    #[arg(long)]
    paused: bool,
    /// A word to find it by
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Which files, as in torr get
    #[arg(short, long, value_name = "SPEC", value_parser = select)]
    select: Vec<Select>,
    /// Choose files from a tree before the download starts
    #[arg(short = 'S', long)]
    pick: bool,
}

/// Checks what is to be added, and looks for the daemon.
pub fn run(args: &AddArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    for torrent in &args.torrents {
        check(torrent, output)?;
    }
    Err(daemon::find(global))
}

/// Whether this can be a torrent, as far as can be told without asking others.
fn check(torrent: &std::path::Path, output: &Output) -> Result<(), Error> {
    let bad = |kind, why: String| {
        let message = format!("{}: {why}", quoted(torrent));
        Err(Error::new(ErrorKind::Input, kind, message).hint("check that it was copied completely"))
    };
    match Kind::of(torrent) {
        Kind::File(path) => input::torrent_file(path).map(|_| ()),
        Kind::Stdin => fetching::torrent(torrent, output).map(|_| ()),
        Kind::Hash(_) => Ok(()),
        Kind::Magnet(link) => {
            Magnet::parse(link).map(|_| ()).or_else(|why| bad("bad_magnet", why.to_string()))
        }
        Kind::Web(url) => match Url::parse(url) {
            Ok(url) if url.has_host() => Ok(()),
            Ok(_) => bad("bad_address", "the URL has no host".to_owned()),
            Err(why) => bad("bad_address", why.to_string()),
        },
    }
}
