//! How a driver goes on with the connections of the search that found the torrent's metadata.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::open::Opened;
use super::reads::Reads;
use super::report::Reporter;
use super::{Driver, Inbox, Link, ToDriver};
use crate::engine::command::Add;
use crate::engine::finder::Estate;
use crate::engine::shared::{Listing, Shared};
use crate::swarm::event::TrackerKey;

/// A driver that has taken over what a search had; it is to run with this inbox.
pub(super) fn succeed(
    shared: Arc<Shared>,
    add: Box<Add>,
    opened: Opened,
    estate: Estate,
    orders: mpsc::UnboundedReceiver<ToDriver>,
    reporter: Reporter,
) -> (Driver, Inbox, Listing) {
    let (facts, facts_in) = estate.facts;
    let (reports, reports_in) = estate.reports;
    let mut driver = Driver::new(shared, add, opened, facts, reports, reporter);
    // The tasks of the connections heed these limits already.
    estate.limits.down.set(driver.add.down);
    estate.limits.up.set(driver.add.up);
    driver.limits = estate.limits;
    for (key, link) in estate.links {
        let link = Link { orders: link.orders, reads: Reads::default(), _member: link.member };
        driver.peers.insert(key, link);
    }
    let place = |url: &String| estate.urls.iter().position(|known| known == url).map(TrackerKey);
    let same: Vec<Option<TrackerKey>> = driver.urls.iter().map(place).collect();
    // What we say to a tracker comes behind what the search has said to it.
    let mut speaking = estate.speaking;
    let ends = same
        .iter()
        .enumerate()
        .filter_map(|(at, theirs)| Some((TrackerKey(at), speaking.remove(&(*theirs)?)?)));
    driver.speaking = ends.collect();
    let now = driver.now();
    driver.torrent.take_over(now, estate.heritage, &same, &mut driver.out);
    driver.carry_out();
    if driver.add.metainfo.is_private() {
        driver.shared.turn_private(driver.id);
    }
    let inbox = Inbox { orders, facts: facts_in, reports: reports_in, callers: estate.callers };
    (driver, inbox, estate.listing)
}
