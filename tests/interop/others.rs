//! The other clients among themselves: when these fail, it is not torr's fault.

use super::client::{OTHERS, Start, all_programs};
use super::namespace::{isolated, test_name};
use super::opentracker::By;
use super::scene::{Share, load, swarm, transfers};

/// Everyone once gives and once takes.
fn ring(by: By) -> Vec<(By, Start, Start)> {
    (0..OTHERS.len()).map(|index| (by, OTHERS[index].1, OTHERS[(index + 1) % OTHERS.len()].1)).collect()
}

#[test]
fn the_others_serve_one_another_over_udp() {
    isolated(test_name!(), &all_programs(), |dir| transfers(dir, &ring(By::Udp)));
}

#[test]
fn the_others_serve_one_another_over_http() {
    isolated(test_name!(), &all_programs(), |dir| transfers(dir, &ring(By::Http)));
}

#[test]
fn the_others_complete_one_another() {
    isolated(test_name!(), &all_programs(), |dir| swarm(dir, By::Udp, &OTHERS.map(|other| other.1)));
}

#[test]
fn the_others_load_a_torrent_by_its_hash() {
    isolated(test_name!(), &all_programs(), |dir| {
        let share = Share::new(dir, 0, By::Http);
        share.content.write(dir);
        load(dir, &OTHERS.map(|other| other.1), &share.torrent, dir, &share.hash);
    });
}
