//! What the tests play: transfers from one client to another, a swarm of many, and the loading of a torrent.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{Client, Place, SETTLE, Start};
use super::opentracker::{By, Tracker};
use crate::support::bencode::v1_torrent;
use crate::support::content::Content;
use crate::support::wait::{poll, wait_for};

/// For one transfer. On an idle machine most take two seconds; transmission decides only every ten seconds whom it
/// serves and from whom it wants something.
pub const TRANSFER: Duration = Duration::from_secs(120);
/// For a swarm in which everybody needs something of everybody.
const SWARM: Duration = Duration::from_secs(200);
pub const PIECE_LEN: usize = 64 << 10;

/// A torrent with its content.
pub struct Share {
    pub content: Content,
    pub torrent: PathBuf,
    pub hash: String,
}

impl Share {
    /// A torrent file in `dir`, made without torr. Every number is another content.
    pub fn new(dir: &Path, number: u8, by: By) -> Self {
        Self::of(dir, number, by, Content::awkward(number.into()))
    }

    /// A torrent file of this content.
    pub fn of(dir: &Path, number: u8, by: By, content: Content) -> Self {
        let (bytes, hash) = v1_torrent(&content, PIECE_LEN, &by.url());
        let torrent = dir.join(format!("{number}.torrent"));
        fs::write(&torrent, bytes).expect("a torrent file");
        Self { content, torrent, hash }
    }

    /// Compares the files of a client that says it has all. It may say so before its last write.
    #[track_caller]
    pub fn assert_arrived(&self, client: &dyn Client, save: &Path) {
        let mut difference = None;
        poll(SETTLE, || {
            difference = self.content.difference(save, client.omits_empty_files());
            difference.is_none().then_some(())
        });
        assert!(difference.is_none(), "{}: {difference:?}", client.name());
    }
}

/// A transfer: how the tracker is reached, who has everything, who has nothing.
pub type Transfer = (By, Start, Start);

/// Plays transfers, all at once, each with a torrent of its own. In the end the one who had nothing has the same bytes
/// and says so.
pub fn transfers(dir: &Path, transfers: &[Transfer]) {
    let shares: Vec<_> =
        (0..).zip(transfers).map(|(number, transfer)| Share::new(dir, number, transfer.0)).collect();
    let tracker = Tracker::start(dir, shares.iter().map(|share| share.hash.as_str()));
    thread::scope(|scope| {
        for ((number, share), &(by, from, to)) in (0..).zip(&shares).zip(transfers) {
            let places = [2 * number, 2 * number + 1].map(|number| Place::new(dir, number));
            let tracker = &tracker;
            scope.spawn(move || transfer(share, tracker, by, &places, from, to));
        }
    });
}

fn transfer(share: &Share, tracker: &Tracker, by: By, places: &[Place; 2], from: Start, to: Start) {
    let start = Instant::now();
    let [there, here] = places.each_ref().map(Place::save);
    share.content.write(&there);
    let mut seeder = from(&places[0]);
    seeder.add(&share.torrent, &there);
    let name = seeder.name();
    wait_for(&format!("{name} has checked its files"), SETTLE, || seeder.has_all().then_some(()));
    tracker.wait_for_seeds(&share.hash, 1);
    let mut leecher = to(&places[1]);
    leecher.add(&share.torrent, &here);
    wait_for(&format!("{} has downloaded from {name}, {by:?}", leecher.name()), TRANSFER, || {
        assert!(seeder.has_all(), "{name} has lost something");
        leecher.has_all().then_some(())
    });
    share.assert_arrived(&*leecher, &here);
    println!("{name} to {} by {by:?}: {:?}", leecher.name(), start.elapsed());
}

/// Plays a swarm in which each has a part of the pieces that no other has; in the end all have all.
pub fn swarm(dir: &Path, by: By, starts: &[Start]) {
    let share = Share::new(dir, 0, by);
    let _tracker = Tracker::start(dir, [share.hash.as_str()]);
    let mut members = Vec::new();
    for (number, start) in (0..).zip(starts) {
        let place = Place::new(dir, number);
        let save = place.save();
        share.content.write_part(&save, PIECE_LEN, |piece| piece % starts.len() == usize::from(number));
        members.push((start(&place), save));
    }
    let start = Instant::now();
    for (client, save) in &mut members {
        client.add(&share.torrent, save);
    }
    let mut lacking: Vec<usize> = (0..members.len()).collect();
    wait_for("everybody in the swarm has all", SWARM, || {
        lacking.retain(|&index| {
            let client = &mut members[index].0;
            let has_all = client.has_all();
            if has_all {
                println!("{} has all after {:?}", client.name(), start.elapsed());
            }
            !has_all
        });
        lacking.is_empty().then_some(())
    });
    for (client, save) in &members {
        share.assert_arrived(&**client, save);
    }
}

/// Lets clients load a torrent whose content lies in `data`: each knows it by `hash` and finds every piece good.
pub fn load(dir: &Path, starts: &[Start], torrent: &Path, data: &Path, hash: &str) {
    for (number, start) in (0..).zip(starts) {
        let mut client = start(&Place::new(dir, number));
        client.add(torrent, data);
        let name = client.name();
        let found = wait_for(&format!("{name} loads the torrent"), SETTLE, || client.info_hash());
        assert_eq!(found, hash, "{name}");
        wait_for(&format!("{name} finds every piece good"), SETTLE, || client.has_all().then_some(()));
    }
}
