//! The torrent of a link in full, for commands that want no more of it: what is not remembered is asked of the
//! swarm.

use std::net::SocketAddr;
use std::time::Duration;

use super::args::global::GlobalArgs;
use super::args::network::NetworkArgs;
use super::output::Output;
use super::signals;
use super::transfer::{Lookups, Prompt, Setup};
use crate::app::Error;
use crate::app::input::{Link, Torrent};

/// How long the swarm may take unless `--timeout` says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// Who is asked beside those whom the link names.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// Peers by their addresses.
    pub peers: Vec<SocketAddr>,
    /// Peers by host and port.
    pub named_peers: Vec<(String, u16)>,
    /// Nobody outside the local network.
    pub lan: bool,
}

/// One who waits until something comes, or until a signal ends the process.
struct Alone;

impl Prompt for Alone {}

/// Fetches the metadata of a link. A signal ends the process meanwhile: there is nothing to put away.
pub fn torrent(
    link: Link,
    who: Who,
    patience: Duration,
    global: &GlobalArgs,
    output: &Output,
) -> Result<Torrent, Error> {
    let setup = Setup::new(&NetworkArgs::default(), global, output)?.local(who.lan);
    link.can_be_found()?;
    if let Some(metainfo) = link.stored(setup.state_dir()) {
        return Ok(link.torrent(metainfo));
    }
    let mut add = setup.lookup(&link)?;
    add.peers.extend(who.peers);
    add.named_peers.extend(who.named_peers);
    add.metadata_timeout = Some(patience);
    let ending = signals::end_at_once(output).tell_scripts();
    let mut lookups = Lookups::start(&setup, 1, output)?;
    lookups.add(add);
    let (_, found) = lookups.next(&Alone).expect("one is looked for");
    lookups.stop();
    ending.leave();
    found.map(|metainfo| link.torrent(metainfo))
}
