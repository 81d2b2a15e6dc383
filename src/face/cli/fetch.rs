//! The torrent of a link in full, for commands that want no more of it: what is not remembered is asked of the
//! swarm.

use std::time::Duration;

use super::args::global::GlobalArgs;
use super::config;
use super::output::Output;
use super::signals;
use super::transfer::{Lookups, Prompt};
use crate::app::Error;
use crate::app::door::Add;
use crate::app::input::{Link, Torrent};
use crate::app::session_settings::{NetworkOptions, SessionSettings};

/// How long the swarm may take unless `--timeout` says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// One who waits until something comes, or until a signal ends the process.
struct Alone;

impl Prompt for Alone {}

/// Fetches the metadata of a link. A signal ends the process meanwhile: there is nothing to put away.
pub fn torrent(
    link: Link,
    network: NetworkOptions,
    patience: Duration,
    global: &GlobalArgs,
    output: &Output,
) -> Result<Torrent, Error> {
    let config = config::load(global, output)?;
    let settings = SessionSettings::new(&config, network, global.state_dir())?;
    link.can_be_found()?;
    if let Some(metainfo) = link.stored(settings.state_dir()) {
        return Ok(link.torrent(metainfo));
    }
    let add = Add { metadata_timeout: Some(patience), ..settings.link_to_add(&link)? };
    let ending = signals::end_at_once(output).tell_scripts();
    let mut lookups = Lookups::start(&settings, 1, output)?;
    lookups.add(add);
    let (_, found) = lookups.next(&Alone).expect("one is looked for");
    lookups.stop();
    ending.leave();
    found.map(|metainfo| link.torrent(metainfo))
}
