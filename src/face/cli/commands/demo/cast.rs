//! Who takes part: three that give, each in their own way.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::base::{InfoHash, units};
use crate::engine::{Add, After, Command, Engine, EngineConfig, Fault, Handle, Row, State, Until};
use crate::face::cli::progress::amounts::percent;
use crate::face::cli::style::{Style, pad, pad_left, width};
use crate::proto::metainfo::Metainfo;

/// One that gives.
#[derive(Debug)]
pub struct Seeder {
    /// The name.
    pub name: &'static str,
    /// What is special.
    pub habit: &'static str,
    /// Bytes per second.
    up: u64,
    /// The part of the download at which it comes.
    pub comes: f64,
    /// The part of the download at which it goes.
    pub goes: Option<f64>,
    /// Its engine while it is there.
    pub engine: Option<Handle>,
    /// Bytes given.
    pub gave: u64,
    /// It was there and is gone.
    pub gone: bool,
    rate: f64,
}

/// The three, none of them there yet.
pub fn seeders() -> [Seeder; 3] {
    let seeder = |name, habit, mib: u64, comes, goes| Seeder {
        name,
        habit,
        up: mib << 20,
        comes,
        goes,
        engine: None,
        gave: 0,
        gone: false,
        rate: 0.0,
    };
    [
        seeder("ann", "leaves half-way", 12, 0.0, Some(0.5)),
        seeder("bob", "throttled to 4 MiB/s", 4, 0.0, None),
        seeder("eve", "comes late", 16, 0.2, None),
    ]
}

impl Seeder {
    /// Comes: an engine of its own that gives what is in this folder.
    pub async fn come(&mut self, torrent: &Metainfo, folder: &Path) -> Result<(), Fault> {
        let engine = engine(Some(self.up)).await?;
        let mut add = Add::new(torrent.clone(), folder.to_owned());
        add.seed_only = true;
        add.after = After::Seed(Until::default());
        engine.send(Command::Add(Box::new(add)));
        self.engine = Some(engine);
        Ok(())
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

    /// A line about it, shorter than `room` columns where that can be: its habit is told elsewhere too.
    pub fn line(&self, style: Style, room: usize) -> String {
        let now = match (&self.engine, self.gone) {
            (Some(_), _) => format!("{} {}", style.up(), pad_left(&units::rate(self.rate), 11)),
            (None, true) => pad("left", 13),
            (None, false) => pad("not here yet", 13),
        };
        let line = format!("  {}  {now}   gave {}", pad(self.name, 4), pad_left(&units::size(self.gave), 8));
        let told = format!("{line}   {}", self.habit);
        if width(&told) < room { told } else { line }
    }
}

/// An engine on loopback that remembers nothing.
pub async fn engine(up: Option<u64>) -> Result<Handle, Fault> {
    let config = EngineConfig {
        bind: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        ipv6: false,
        up,
        ..EngineConfig::default()
    };
    Engine::start(config).await
}

/// The torrent of this id as an engine sees it.
pub fn row(engine: &Handle, id: InfoHash) -> Option<Row> {
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
        let [mut ann, ..] = seeders();
        assert_eq!(ann.line(Style::default(), 80), "  ann   not here yet    gave      0 B   leaves half-way");
        ann.gone = true;
        ann.gave = 64 << 20;
        assert_eq!(ann.line(Style::default(), 80), "  ann   left            gave   64 MiB   leaves half-way");
        assert_eq!(ann.line(Style::default(), 40), "  ann   left            gave   64 MiB");
    }
}
