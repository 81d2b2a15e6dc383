//! The peers of the demo: seeds with different habits, and a leecher on a slow line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use crate::app::Error;
use crate::app::door::{
    Add, After, Command, ContentOptions, Door, EngineConfig, Events, ExistingFiles, PeerRow, PeerSource, Row,
    SeedGoal, State, View,
};
use crate::base::{TorrentId, units};
use crate::face::cli::progress::amounts::percent;
use crate::face::cli::style::{Style, pad, pad_left, width};
use crate::proto::metainfo::Metainfo;

use super::content;

/// A peer of the demo.
#[derive(Debug)]
pub struct Member {
    /// The name of the peer.
    pub name: &'static str,
    /// The habit of the peer, in a few words.
    pub habit: &'static str,
    /// The upload rate of the peer, in bytes per second.
    up: u64,
    /// The download rate of the peer in bytes per second, if it is not a seed.
    down: Option<u64>,
    /// Whether the peer uses the DHT. Peers that join while the tracker works do without.
    dht: bool,
    /// The only peer that it knows, if so; then it uses neither the tracker nor the DHT.
    pub knows: Option<&'static str>,
    /// The part of the download at which the peer joins, from 0 to 1.
    pub comes: f64,
    /// The part of the download at which the peer leaves, from 0 to 1.
    pub goes: Option<f64>,
    /// The peer's engine, while it is there.
    pub engine: Option<Door>,
    /// The number of bytes uploaded by the peer.
    pub gave: u64,
    /// Whether the peer has left.
    pub gone: bool,
    /// The source through which the peer and the downloader found each other.
    pub met: Option<PeerSource>,
    rate: f64,
}

/// With less than this to move everybody gives more slowly, so that there is time to come and to be found …
const FULL_PACE: u64 = 96 << 20;
/// … but never more slowly than with this much: a demo should not be long.
const SLOWEST: u64 = 8 << 20;

/// All of them, none there yet, for so much to move.
pub fn members(size: u64) -> [Member; 5] {
    let size = size.clamp(SLOWEST, FULL_PACE);
    let member = |name, habit, mib: u64, comes| Member {
        name,
        habit,
        up: (mib << 20) * size / FULL_PACE,
        down: None,
        dht: false,
        knows: None,
        comes,
        goes: None,
        engine: None,
        gave: 0,
        gone: false,
        met: None,
        rate: 0.0,
    };
    [
        Member { goes: Some(0.5), ..member("ann", "leaves half-way", 12, 0.0) },
        member("bob", if size < FULL_PACE { "throttled" } else { "throttled to 4 MiB/s" }, 4, 0.0),
        Member { dht: true, ..member("eve", "joins when the tracker is dead", 10, 0.25) },
        Member { knows: Some("max"), ..member("joe", "joins late and knows only max", 8, 0.35) },
        Member { down: Some(128 << 10), ..member("max", "takes one song on a slow line", 1, 0.0) },
    ]
}

impl Member {
    /// Comes: an engine of its own that gives what is in this folder, or takes a little into another one.
    pub async fn come(
        &mut self,
        torrent: &Metainfo,
        given: &Path,
        own: &Path,
        nodes: &[String],
        known: Option<SocketAddr>,
    ) -> Result<(), Error> {
        let nodes = if self.dht { nodes } else { &[] };
        let (engine, _) = engine(Some(self.up), self.down, nodes).await?;
        let takes = self.down.is_some();
        let options = ContentOptions {
            priorities: if takes { content::one_song() } else { Vec::new() },
            seed_only: !takes,
            // They have just been hashed.
            existing: if takes { ExistingFiles::Check } else { ExistingFiles::Trust },
            after: After::Seed(SeedGoal::default()),
            ..ContentOptions::new(if takes { own } else { given }.to_owned())
        };
        let mut add = Add::new(torrent.clone(), options);
        add.use_trackers = self.knows.is_none();
        add.peers = known.into_iter().collect();
        let id = engine.add(add);
        engine.send(Command::ShowDetail(Some(id)));
        self.engine = Some(engine);
        Ok(())
    }

    /// Where it can be reached while it is there.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.engine.as_ref().and_then(addr)
    }

    /// Goes, and leaves behind what it gave in all.
    pub async fn go(&mut self) {
        if let Some(engine) = &self.engine {
            engine.stop().await;
            self.look();
            self.engine = None;
            self.gone = true;
            self.rate = 0.0;
        }
    }

    /// Takes note of what it gives.
    pub fn look(&mut self) {
        if let Some(engine) = &self.engine
            && let Some(row) = engine.view().torrents.first()
        {
            self.gave = row.sent;
            self.rate = row.up;
        }
    }

    /// Takes note of how it and the one that downloads met: the side that called knows. Says whether that is
    /// new.
    pub fn notice(&mut self, downloader: &Door) -> bool {
        let (Some(engine), None) = (&self.engine, self.met) else { return false };
        let called = |view: &View, other| {
            view.detail.as_ref().and_then(|detail| {
                let to = |row: &&PeerRow| !row.incoming && Some(row.addr) == other;
                detail.peers.iter().find(to).and_then(|row| row.source)
            })
        };
        self.met =
            called(&engine.view(), addr(downloader)).or_else(|| called(&downloader.view(), addr(engine)));
        self.met.is_some()
    }

    /// A line about it, shorter than `room` columns where that can be: its habit is told elsewhere too.
    pub fn line(&self, style: Style, room: usize) -> String {
        let now = match (&self.engine, self.gone) {
            (Some(_), _) => format!("{} {}", style.up(), pad_left(&units::rate(self.rate), 11)),
            (None, true) => pad("left", 13),
            (None, false) => pad("not here yet", 13),
        };
        let line =
            format!("  {}  {now}   uploaded {}", pad(self.name, 4), pad_left(&units::size(self.gave), 8));
        let told = format!("{line}   {}", self.habit);
        if width(&told) < room { told } else { line }
    }
}

/// An engine on loopback that remembers nothing; without nodes to begin with it does without the DHT.
pub async fn engine(up: Option<u64>, down: Option<u64>, nodes: &[String]) -> Result<(Door, Events), Error> {
    let config = EngineConfig {
        bind: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ipv6: false,
        up,
        down,
        dht: !nodes.is_empty(),
        dht_bootstrap: nodes.to_vec(),
        pex: true,
        ..EngineConfig::default()
    };
    Door::open(config).await
}

/// Where an engine can be reached.
fn addr(engine: &Door) -> Option<SocketAddr> {
    engine.view().port.map(|port| (Ipv4Addr::LOCALHOST, port).into())
}

/// The torrent of this id as an engine sees it.
pub fn row(engine: &Door, id: TorrentId) -> Option<Row> {
    engine.view().torrents.iter().find(|row| row.id == id).cloned()
}

/// A line about the one that takes, for a log.
pub fn download_line(row: &Row) -> String {
    match row.state {
        State::Downloading => format!("{}  {}", percent(row.progress()), units::rate(row.down)),
        state => format!("{}  {}", percent(row.progress()), state.word()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_whether_one_is_there() {
        let [mut ann, ..] = members(1 << 20);
        assert_eq!(
            ann.line(Style::default(), 80),
            "  ann   not here yet    uploaded      0 B   leaves half-way"
        );
        ann.gone = true;
        ann.gave = 64 << 20;
        assert_eq!(
            ann.line(Style::default(), 80),
            "  ann   left            uploaded   64 MiB   leaves half-way"
        );
        assert_eq!(ann.line(Style::default(), 40), "  ann   left            uploaded   64 MiB");
    }
}
