//! Magnet links between torr and each other client, in both directions: the one who gets knows an info-hash and where
//! to ask, and takes the info dictionary (BEP 9) from the other before the files.

use std::path::Path;
use std::thread;
use std::time::Instant;

use super::client::{Place, SETTLE, Start};
use super::namespace::{isolated, test_name};
use super::opentracker::{self, By, Tracker};
use super::scene::{Share, TRANSFER};
use super::{aria2, libtorrent, qbittorrent, rtorrent, torr, transmission};
use crate::support::content::Content;
use crate::support::wait::wait_for;

/// How an info dictionary is cut for its way, in bytes (BEP 9).
const INFO_PIECE: u64 = 16 << 10;

/// What the link says besides the info-hash. torr needs no more than an address; of the others, not all read one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    Peer,
    PeerAndTracker,
}

/// Many small files of long names and a large one. Its info dictionary has several pieces.
fn many(seed: u64) -> Content {
    let long = "a name as long as those that people really give to files, ".repeat(2);
    let names: Vec<String> = (0..400).map(|number| format!("{}/{long}{number:03}.txt", number % 7)).collect();
    let small = names.iter().zip(1..).map(|(name, len)| (name.as_str(), len));
    let files: Vec<_> = small.chain([("large", (1 << 20) + 17)]).collect();
    Content::new(seed, "many", &files)
}

/// Who shares, who gets by a link, and what is in it.
type Way = (Start, Start, Names);

/// Both ways, at once.
fn pair(test: &str, other: &str, start: Start) {
    let plan: [Way; 2] = [(start, torr::get, Names::Peer), (torr::seed, start, Names::PeerAndTracker)];
    isolated(test, &[other, opentracker::NAME], |dir| {
        let shares = [0, 1].map(|number| Share::of(dir, number, By::Http, many(number.into())));
        let tracker = Tracker::start(dir, shares.iter().map(|share| share.hash.as_str()));
        thread::scope(|scope| {
            for ((number, share), &(from, to, names)) in (0..).zip(&shares).zip(&plan) {
                let places = [2 * number, 2 * number + 1].map(|number| Place::new(dir, number));
                let tracker = &tracker;
                scope.spawn(move || fetch(share, tracker, &places, from, to, names));
            }
        });
    });
}

/// One shares the torrent file, the other is given a link.
fn fetch(share: &Share, tracker: &Tracker, places: &[Place; 2], from: Start, to: Start, names: Names) {
    let start = Instant::now();
    let size = share.torrent.metadata().expect("the torrent file").len();
    assert!(size > 3 * INFO_PIECE, "an info dictionary of one or two pieces: {size} bytes");
    let [there, here] = places.each_ref().map(Place::save);
    share.content.write(&there);
    let mut seeder = from(&places[0]);
    seeder.add(&share.torrent, &there);
    let name = seeder.name();
    wait_for(&format!("{name} has checked its files"), SETTLE, || seeder.has_all().then_some(()));
    let mut link = format!("magnet:?xt=urn:btih:{}&x.pe={}", share.hash, places[0].at);
    if names == Names::PeerAndTracker {
        tracker.wait_for_seeds(&share.hash, 1);
        link.extend(["&tr=", &By::Http.url().replace(':', "%3A").replace('/', "%2F")]);
    }
    let mut leecher = to(&places[1]);
    leecher.add(Path::new(&link), &here);
    wait_for(&format!("{} has downloaded {link} from {name}", leecher.name()), TRANSFER, || {
        assert!(seeder.has_all(), "{name} has lost something");
        leecher.has_all().then_some(())
    });
    share.assert_arrived(&*leecher, &here);
    println!("{name} to {} by a link: {:?}", leecher.name(), start.elapsed());
}

#[test]
fn torr_and_transmission_need_only_a_link() {
    pair(test_name!(), transmission::NAME, transmission::start);
}

#[test]
fn torr_and_aria2_need_only_a_link() {
    pair(test_name!(), aria2::NAME, aria2::start);
}

#[test]
fn torr_and_rtorrent_need_only_a_link() {
    pair(test_name!(), rtorrent::NAME, rtorrent::start);
}

#[test]
fn torr_and_qbittorrent_need_only_a_link() {
    pair(test_name!(), qbittorrent::NAME, qbittorrent::start);
}

#[test]
fn torr_and_libtorrent_need_only_a_link() {
    pair(test_name!(), libtorrent::NAME, libtorrent::start);
}
