//! Peers of the local network (BEP 14): clients on machines of their own, on one wire, without a tracker that
//! answers, a DHT or anybody who introduces them.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use super::client::{Client, Place, SETTLE, Start};
use super::namespace::{isolated, test_name};
use super::opentracker::By;
use super::scene::Share;
use super::wire::{Inside, TESTER, machines};
use super::{libtorrent, torr, transmission};
use crate::support::program::{self, Program};
use crate::support::wait::wait_for;

/// What the machines need.
const NSENTER: &str = "nsenter";
/// For one client to find the other and to take everything. transmission speaks once a minute.
const TRANSFER: Duration = Duration::from_secs(120);
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);

/// One gives, the other takes; they begin in this order.
fn transfer(dir: &Path, from: (Start, Inside), to: (Start, Inside)) -> [Box<dyn Client>; 2] {
    let share = Share::new(dir, 0, By::Http);
    let (there, here) = (Place::on(dir, "from", from.1), Place::on(dir, "to", to.1));
    share.content.write(&there.save());
    let mut seeder = from.0(&there);
    seeder.add(&share.torrent, &there.save());
    wait_for("it has checked its files", SETTLE, || seeder.has_all().then_some(()));
    let mut leecher = to.0(&here);
    leecher.add(&share.torrent, &here.save());
    let what = format!("{} finds {} and takes everything", leecher.name(), seeder.name());
    wait_for(&what, TRANSFER, || leecher.has_all().then_some(()));
    share.assert_arrived(&*leecher, &here.save());
    [seeder, leecher]
}

/// The torr that lives here has heard the client that lives there.
fn assert_heard(dir: &Path, torr: &str, other: &str, machine: Inside) {
    let other = Place::on(dir, other, machine).at;
    let log = std::fs::read_to_string(dir.join(torr).join("torr.log")).expect("a log");
    assert!(log.contains(&format!("found in the local network addr={other}")), "{other} was not heard");
}

#[test]
fn two_torrs_on_one_wire() {
    isolated(test_name!(), &[NSENTER], |dir| {
        let machines = machines(dir, 2);
        transfer(dir, (torr::seed, machines[0].inside), (torr::get, machines[1].inside));
    });
}

#[test]
fn two_torrs_on_one_machine() {
    isolated(test_name!(), &[NSENTER], |dir| {
        let machines = machines(dir, 1);
        two_torrs(dir, [machines[0].inside; 2]);
    });
}

#[test]
fn two_torrs_with_link_local_addresses_alone() {
    isolated(test_name!(), &[NSENTER], |dir| {
        let machines = machines(dir, 2);
        for machine in &machines {
            machine.inside.forget_ipv4();
        }
        two_torrs(dir, [machines[0].inside, machines[1].inside]);
    });
}

/// Two torrs that are bound to nothing; one gives to the other.
fn two_torrs(dir: &Path, machines: [Inside; 2]) {
    let share = Share::new(dir, 0, By::Http);
    share.content.write(dir);
    let start = |name: &str, machine: Inside, arguments: &[&str]| {
        let home = dir.join(name);
        let mut command = program::torr(&home);
        command.args(arguments).arg(&share.torrent).args(["--no-trackers", "--json", "-vv"]);
        Program::start(name, &mut machine.command(&command), &home)
    };
    let data = dir.to_str().expect("UTF-8");
    let seeder = start("seeder", machines[0], &["seed", "-o", data]);
    wait_for("it seeds", SETTLE, || seeder.output().contains(r#""state":"seeding""#).then_some(()));
    let mut leecher = start("leecher", machines[1], &["get", "-o", "got"]);
    let ended = wait_for("everything comes", TRANSFER, || leecher.ended());
    assert!(ended.success(), "{ended}");
    assert_eq!(share.content.difference(&dir.join("leecher/got"), false), None);
}

#[test]
fn torr_takes_from_libtorrent() {
    isolated(test_name!(), &[NSENTER, libtorrent::NAME], |dir| {
        let machines = machines(dir, 2);
        transfer(dir, (libtorrent::start, machines[0].inside), (torr::get, machines[1].inside));
    });
}

#[test]
fn libtorrent_takes_from_torr() {
    isolated(test_name!(), &[NSENTER, libtorrent::NAME], |dir| {
        let machines = machines(dir, 2);
        transfer(dir, (torr::seed, machines[0].inside), (libtorrent::start, machines[1].inside));
        assert_heard(dir, "from", "to", machines[1].inside);
    });
}

#[test]
fn torr_takes_from_transmission() {
    isolated(test_name!(), &[NSENTER, transmission::NAME], |dir| {
        let machines = machines(dir, 2);
        transfer(dir, (transmission::start, machines[0].inside), (torr::get, machines[1].inside));
    });
}

#[test]
fn transmission_takes_from_torr() {
    isolated(test_name!(), &[NSENTER, transmission::NAME], |dir| {
        let machines = machines(dir, 2);
        transfer(dir, (torr::seed, machines[0].inside), (transmission::start, machines[1].inside));
        assert_heard(dir, "from", "to", machines[1].inside);
    });
}

#[test]
fn nobody_hears_of_a_private_torrent() {
    isolated(test_name!(), &[NSENTER], |dir| {
        let machines = machines(dir, 1);
        let machine = machines[0].inside;
        let group = UdpSocket::bind((GROUP, 6771)).expect("the group's port");
        group.join_multicast_v4(&GROUP, &TESTER).expect("the group");
        group.set_read_timeout(Some(SETTLE)).expect("a limit");
        std::fs::write(dir.join("secret"), vec![7; 100_000]).expect("a file");
        let (code, _) =
            torr::run(dir, &["create", "--private", "-q", "-o", "secret.torrent"], &[&dir.join("secret")]);
        assert_eq!(code, Some(0));
        let share = Share::new(dir, 0, By::Http);
        share.content.write(dir);
        let seed = |name: &str, torrent: &Path| {
            let home = dir.join(name);
            let mut command = program::torr(&home);
            command.arg("seed").arg(torrent).arg("-o").arg(dir).args(["--no-trackers", "--json"]);
            let seeder = Program::start(name, &mut machine.command(&command), &home);
            wait_for("it seeds", SETTLE, || seeder.output().contains(r#""state":"seeding""#).then_some(()));
            seeder
        };
        // What is told of the second comes long after all that could have been told of the first.
        let _seeders = [seed("private", &dir.join("secret.torrent")), seed("open", &share.torrent)];
        let mut buf = [0; 2000];
        let (len, from) = group.recv_from(&mut buf).expect("the open one is told");
        assert_eq!(from.ip(), machine.ip);
        let said = String::from_utf8_lossy(&buf[..len]).into_owned();
        assert!(said.contains(&share.hash) && said.matches("Infohash").count() == 1, "{said}");
    });
}
