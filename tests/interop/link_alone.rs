//! The link alone: two torrs on machines of their own, on one wire, that share nothing but a link. No tracker, no
//! name server, nobody to begin with.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use super::client::SETTLE;
use super::namespace::{isolated, test_name};
use super::wire::{Inside, machines};
use crate::support::content::Content;
use crate::support::program::{self, Program};
use crate::support::wait::wait_for;

/// Where the third machine has a node of the DHT, in the test in which there is one.
const NODE: &[SocketAddrV4] = &[SocketAddrV4::new(Ipv4Addr::new(10, 99, 1, 3), 6881)];
const NSENTER: &str = "nsenter";
/// For one to find the other and to take everything.
const TRANSFER: Duration = Duration::from_secs(60);

/// Shares a folder on one machine with `torr seed PATH`, and fetches it on the other with `torr get LINK`, where
/// `make` has made the link of the one that was printed. Both with these ways to find others.
fn shared(dir: &Path, machines: [Inside; 2], ways: &[&str], make: impl Fn(&str) -> String) {
    let content = Content::awkward(1);
    content.write(dir);
    let torr = |name: &str, machine: Inside, arguments: &[&str]| {
        let home = dir.join(name);
        let mut command = program::torr(&home);
        command.args(arguments).args(ways).arg("-vv").env("TORR_NETWORK_DHT_BOOTSTRAP", nodes(NODE));
        Program::start(name, &mut machine.command(&command), &home)
    };
    let data = dir.join(content.name());
    let mut seeder = torr("seeder", machines[0], &["seed", data.to_str().expect("UTF-8")]);
    let link = wait_for("a link is printed", SETTLE, || {
        seeder.assert_running();
        seeder.output().lines().find(|line| line.starts_with("magnet:")).map(str::to_owned)
    });
    let link = make(&link);
    let mut leecher = torr("leecher", machines[1], &["get", &link, "-o", "got", "--timeout", "50s"]);
    let ended = wait_for("everything comes", TRANSFER, || leecher.ended());
    assert!(ended.success(), "{link}: {ended}");
    assert_eq!(content.difference(&dir.join("leecher/got"), false), None);
}

/// Where the DHT begins, as the configuration has it.
fn nodes(list: &[SocketAddrV4]) -> String {
    let list: Vec<String> = list.iter().map(|node| format!("\"{node}\"")).collect();
    format!("[{}]", list.join(", "))
}

/// The same link without anybody's address.
fn without_address(link: &str) -> String {
    let parts: Vec<&str> = link.split('&').filter(|part| !part.starts_with("x.pe=")).collect();
    let bare = parts.join("&");
    assert_ne!(bare, link, "the link that is printed names us");
    bare
}

#[test]
fn the_address_in_it_is_enough() {
    isolated(test_name!(), &[NSENTER], |dir| {
        let machines = machines(dir, 2);
        let both = [machines[0].inside, machines[1].inside];
        shared(dir, both, &["--no-lsd", "--no-dht", "--no-pex"], |link| {
            assert!(link.contains(&format!("x.pe={}", both[0].ip)), "{link}");
            link.to_owned()
        });
    });
}

#[test]
fn the_local_network_is_enough() {
    isolated(test_name!(), &[NSENTER], |dir| {
        let machines = machines(dir, 2);
        let both = [machines[0].inside, machines[1].inside];
        shared(dir, both, &["--no-dht", "--no-pex"], without_address);
    });
}

#[test]
fn one_node_of_the_dht_is_enough() {
    isolated(test_name!(), &[NSENTER], |dir| {
        let machines = machines(dir, 3);
        let [one, two, three] = [0, 1, 2].map(|number: usize| machines[number].inside);
        let home = dir.join("node");
        let mut command = program::torr(&home);
        command.args(["dht", "node", "--json", "--port", &NODE[0].port().to_string()]);
        command.env("TORR_NETWORK_DHT_BOOTSTRAP", nodes(&[]));
        let node = Program::start("node", &mut three.command(&command), &home);
        wait_for("the node is there", SETTLE, || node.output().contains("listening").then_some(()));
        shared(dir, [one, two], &["--no-lsd", "--no-pex"], without_address);
    });
}
