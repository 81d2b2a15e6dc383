//! The other clients among themselves: when these fail, it is not torr's fault.

use super::client::{Scene, Start};
use super::namespace::{isolated, test_name};
use super::opentracker::{self, By};
use super::{aria2, libtorrent, qbittorrent, rtorrent, transmission};

/// Every client once gives and once takes.
const RING: [(&str, Start); 5] = [
    (transmission::NAME, transmission::start),
    (aria2::NAME, aria2::start),
    (rtorrent::NAME, rtorrent::start),
    (qbittorrent::NAME, qbittorrent::start),
    (libtorrent::NAME, libtorrent::start),
];

fn ring(test: &str, by: By) {
    let mut needs: Vec<_> = RING.iter().map(|client| client.0).collect();
    needs.push(opentracker::NAME);
    isolated(test, &needs, |dir| {
        for (index, (from, seeder)) in RING.iter().enumerate() {
            let (to, leecher) = RING[(index + 1) % RING.len()];
            let at = std::time::Instant::now();
            let dir = dir.join(index.to_string());
            std::fs::create_dir(&dir).expect("a directory for a transfer");
            Scene::new(&dir, by).transfer(*seeder, leecher);
            println!("{from} to {to}, {by:?}: {:?}", at.elapsed());
        }
    });
}

#[test]
fn the_others_serve_one_another_over_udp() {
    ring(test_name!(), By::Udp);
}

#[test]
fn the_others_serve_one_another_over_http() {
    ring(test_name!(), By::Http);
}
