//! What every client can do for a test, whatever its program is called and however it is steered.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::opentracker::{By, Tracker};
use crate::support::bencode::v1_torrent;
use crate::support::content::Content;
use crate::support::wait::wait_for;

/// For one transfer. On an idle machine each takes a few seconds.
pub const TRANSFER: Duration = Duration::from_secs(120);
/// For a program to come up, and for finished bytes to reach the files.
pub const SETTLE: Duration = Duration::from_secs(30);
pub const PIECE_LEN: usize = 64 << 10;

/// A client with one torrent.
pub trait Client {
    /// The programs it needs.
    fn name(&self) -> &'static str;

    /// Begins to share the torrent file in `save`. What already lies there is to be checked and kept.
    fn add(&mut self, torrent: &Path, save: &Path);

    /// True when it says itself that it has every piece and shares them. Panics when it ended.
    fn has_all(&mut self) -> bool;

    /// The info-hash under which it knows the torrent, in lower-case hexadecimal; `None` as long as it does not.
    fn info_hash(&mut self) -> Option<String>;
}

/// Where a client lives.
#[derive(Clone)]
pub struct Place {
    /// For its configuration, state and logs.
    pub home: PathBuf,
    /// Where peers reach it. The port 1000 above is for its control interface.
    pub at: SocketAddrV4,
}

impl Place {
    /// The place of the client of this number, 1 to 200.
    pub fn new(dir: &Path, number: u8) -> Self {
        let at = SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, number + 10), 51000 + u16::from(number));
        Self { home: dir.join(format!("client{number}")), at }
    }

    pub fn ip(&self) -> String {
        self.at.ip().to_string()
    }

    pub fn port(&self) -> String {
        self.at.port().to_string()
    }

    pub fn control(&self) -> SocketAddrV4 {
        SocketAddrV4::new(*self.at.ip(), self.at.port() + 1000)
    }

    /// Where it keeps the files of torrents.
    pub fn save(&self) -> PathBuf {
        self.home.join("data")
    }
}

/// Starts a client, idle.
pub type Start = fn(Place) -> Box<dyn Client>;

/// A torrent of awkward content with a tracker that knows it.
pub struct Scene {
    pub content: Content,
    pub torrent: PathBuf,
    pub hash: String,
    pub tracker: Tracker,
    dir: PathBuf,
    clients: u8,
}

impl Scene {
    pub fn new(dir: &Path, by: By) -> Self {
        let content = Content::awkward(1);
        let (bytes, hash) = v1_torrent(&content, PIECE_LEN, &by.url());
        let torrent = dir.join("scene.torrent");
        std::fs::write(&torrent, bytes).expect("a torrent file");
        let tracker = Tracker::start(dir, &[&hash]);
        Self { content, torrent, hash, tracker, dir: dir.to_owned(), clients: 0 }
    }

    /// A place for one more client.
    pub fn place(&mut self) -> Place {
        self.clients += 1;
        let place = Place::new(&self.dir, self.clients);
        std::fs::create_dir_all(place.save()).expect("a directory for data");
        place
    }

    /// `seeder` has everything, `leecher` nothing; in the end both have the same bytes and the tracker knows two
    /// seeds.
    pub fn transfer(&mut self, seeder: Start, leecher: Start) {
        let (from, to) = (self.place(), self.place());
        self.content.write(&from.save());
        let mut seeder = seeder(from.clone());
        seeder.add(&self.torrent, &from.save());
        let (name, limit) = (seeder.name(), SETTLE);
        wait_for(&format!("{name} has checked its files"), limit, || seeder.has_all().then_some(()));
        self.tracker.wait_for_peers(&self.hash, 1, 0);
        let mut leecher = leecher(to.clone());
        leecher.add(&self.torrent, &to.save());
        wait_for(&format!("{} has downloaded from {name}", leecher.name()), TRANSFER, || {
            seeder.has_all();
            leecher.has_all().then_some(())
        });
        self.assert_arrived(leecher.name(), &to.save());
    }

    /// Compares the files of a client that says it has all. A client may say so before the last write.
    #[track_caller]
    pub fn assert_arrived(&self, name: &str, save: &Path) {
        let mut difference = None;
        let start = std::time::Instant::now();
        while start.elapsed() < SETTLE {
            difference = self.content.difference(save);
            if difference.is_none() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{name}: {}", difference.unwrap_or_default());
    }
}
