//! torr and each other client, in both directions, over a UDP and an HTTP tracker.

use super::client::Start;
use super::namespace::{isolated, test_name};
use super::opentracker::{self, By};
use super::scene::transfers;
use super::{aria2, libtorrent, qbittorrent, rtorrent, torr, transmission};

fn pair(test: &str, other: &str, start: Start) {
    isolated(test, &[other, opentracker::NAME], |dir| {
        let plan =
            [By::Udp, By::Http].map(|by| [(by, start, torr::get as Start), (by, torr::seed as Start, start)]);
        transfers(dir, plan.as_flattened());
    });
}

#[test]
fn torr_and_transmission_serve_one_another() {
    pair(test_name!(), transmission::NAME, transmission::start);
}

#[test]
fn torr_and_aria2_serve_one_another() {
    pair(test_name!(), aria2::NAME, aria2::start);
}

#[test]
fn torr_and_rtorrent_serve_one_another() {
    pair(test_name!(), rtorrent::NAME, rtorrent::start);
}

#[test]
fn torr_and_qbittorrent_serve_one_another() {
    pair(test_name!(), qbittorrent::NAME, qbittorrent::start);
}

#[test]
fn torr_and_libtorrent_serve_one_another() {
    pair(test_name!(), libtorrent::NAME, libtorrent::start);
}
