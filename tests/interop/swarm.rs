//! All clients and two torrs in one swarm.

use super::client::{OTHERS, Start, all_programs};
use super::namespace::{isolated, test_name};
use super::opentracker::By;
use super::{scene, torr};

#[test]
fn all_clients_and_two_torrs_complete_one_another() {
    isolated(test_name!(), &all_programs(), |dir| {
        let mut starts = OTHERS.map(|other| other.1).to_vec();
        // One of the first and the last: one that others come to and one that comes to others.
        starts.insert(0, torr::get_and_stay as Start);
        starts.push(torr::get_and_stay);
        scene::swarm(dir, By::Udp, &starts);
    });
}
