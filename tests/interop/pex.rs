//! Peers that torr and another client hear of by peer exchange alone (BEP 11): no tracker, and one of three
//! knows both others.
//!
//! The one in the middle moves hardly any bytes, so whoever completes has met the one who has everything.

use std::path::Path;
use std::time::Duration;

use super::client::{Client, Exchanging, Place, SETTLE};
use super::namespace::{isolated, test_name};
use super::opentracker::By;
use super::scene::Share;
use super::{libtorrent, torr, transmission};
use crate::support::wait::wait_for;

/// libtorrent tells of its peers once a minute, transmission every ninety seconds.
const WORD_OF_MOUTH: Duration = Duration::from_secs(120);

type Start = fn(&Place, bool) -> Box<dyn Exchanging>;

/// A torrent whose tracker is not there, and three places: of the one who has everything, of the one in the
/// middle, and of the one who knows the middle only.
fn scene(dir: &Path) -> (Share, [Place; 3]) {
    let share = Share::new(dir, 0, By::Udp);
    let places = [0, 1, 2].map(|number| Place::new(dir, number));
    share.content.write(&places[0].save());
    (share, places)
}

fn completes(share: &Share, taker: &mut dyn Client, place: &Place, middle: &mut dyn Client) {
    let name = taker.name();
    wait_for(&format!("{name} hears of a peer and completes"), WORD_OF_MOUTH, || {
        taker.has_all().then_some(())
    });
    assert!(!middle.has_all(), "the bytes came from another");
    let difference = || share.content.difference(&place.save(), taker.omits_empty_files());
    wait_for(&format!("the files of {name}"), SETTLE, || difference().is_none().then_some(()));
}

/// torr is told of a peer by the other.
fn torr_learns(dir: &Path, start: Start) {
    let (share, [all, middle, taker]) = scene(dir);
    let mut teller = start(&middle, true);
    teller.add(&share.torrent, &middle.save());
    let at = middle.at.to_string();
    let mut giver = torr::with(&all, true, &["--no-trackers", "--peer", &at]);
    giver.add(&share.torrent, &all.save());
    wait_for("they have met", SETTLE, || (teller.peers() > 0).then_some(()));
    let mut torr = torr::with(&taker, false, &["--no-trackers", "--pex", "--peer", &at]);
    torr.add(&share.torrent, &taker.save());
    completes(&share, &mut torr, &taker, &mut *teller);
}

/// The other is told of a peer by torr.
fn torr_teaches(dir: &Path, start: Start) {
    let (share, [all, middle, taker]) = scene(dir);
    let mut giver = torr::with(&all, true, &["--no-trackers"]);
    giver.add(&share.torrent, &all.save());
    let mut other = start(&taker, false);
    other.add(&share.torrent, &taker.save());
    let (giver_at, other_at) = (all.at.to_string(), taker.at.to_string());
    let flags =
        ["--no-trackers", "--pex", "--down", "4K", "--up", "4K", "--peer", &giver_at, "--peer", &other_at];
    let mut teller = torr::with(&middle, false, &flags);
    teller.add(&share.torrent, &middle.save());
    completes(&share, &mut *other, &taker, &mut teller);
}

#[test]
fn torr_hears_of_a_peer_from_libtorrent() {
    isolated(test_name!(), &[libtorrent::NAME], |dir| torr_learns(dir, libtorrent::exchanging));
}

#[test]
fn torr_hears_of_a_peer_from_transmission() {
    isolated(test_name!(), &[transmission::NAME], |dir| torr_learns(dir, transmission::exchanging));
}

#[test]
fn libtorrent_hears_of_a_peer_from_torr() {
    isolated(test_name!(), &[libtorrent::NAME], |dir| torr_teaches(dir, libtorrent::exchanging));
}

#[test]
fn transmission_hears_of_a_peer_from_torr() {
    isolated(test_name!(), &[transmission::NAME], |dir| torr_teaches(dir, transmission::exchanging));
}
