//! The address that `--bind` means. What it names has to be there: with a tunnel that is down nothing may
//! leave another way.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use super::error::{Failure, reason};
use crate::base::Untrusted;
use crate::engine::interfaces::{self, Interface};

/// The most addresses of ours that others are told.
const MOST_TOLD: usize = 4;

/// Beginnings of the names of interfaces that lead to nobody but what runs on this machine.
const INNER: [&str; 14] = [
    "docker", "br-", "veth", "virbr", "vnet", "vmnet", "vboxnet", "lxcbr", "lxdbr", "cni", "flannel",
    "podman", "cali", "kube",
];

/// An address as it is, or that of a network interface: IPv4 before IPv6.
pub fn address(text: &str, ipv6: bool) -> Result<IpAddr, Failure> {
    let found = match text.parse() {
        Ok(address) => address,
        Err(_) => chosen(text, &of_system(text)?, ipv6)?,
    };
    if found.is_ipv6() && !ipv6 {
        let message = format!("{found} is an IPv6 address, but IPv6 is switched off");
        return Err(Failure::usage(message).hint("--ipv6 switches it on"));
    }
    Ok(found)
}

/// The addresses at which others reach us, the best first: those of the local network, then those of the
/// Internet, IPv4 before IPv6. Where everything goes out from one address it is that one. The addresses of
/// this machine alone are told where there are no others.
pub fn own(bind: Option<IpAddr>, ipv6: bool) -> Vec<IpAddr> {
    // Where they cannot be listed, none is told.
    told(bind, ipv6, &interfaces::list().unwrap_or_default())
}

fn told(bind: Option<IpAddr>, ipv6: bool, interfaces: &[Interface]) -> Vec<IpAddr> {
    if let Some(only) = bind.filter(|bind| !bind.is_unspecified()) {
        return vec![only];
    }
    let fits = |address: &IpAddr| match bind {
        Some(any) => any.is_ipv4() == address.is_ipv4() || (any.is_ipv6() && ipv6),
        None => address.is_ipv4() || ipv6,
    };
    let inner = |name: &str| INNER.iter().any(|start| name.starts_with(start));
    let outer = interfaces.iter().filter(|interface| interface.runs && !inner(&interface.name));
    let all = outer.flat_map(|interface| &interface.addresses).filter(|address| !address.link);
    let all = all.map(|address| address.ip).filter(fits);
    let (mut here, mut found): (Vec<IpAddr>, Vec<IpAddr>) = all.partition(IpAddr::is_loopback);
    found.retain(|address| is_of_use(*address));
    found.sort_by_key(|address| (address.is_ipv6(), !is_local(*address)));
    let mut seen = BTreeSet::new();
    found.retain(|address| seen.insert(*address));
    found.truncate(MOST_TOLD);
    if found.is_empty() {
        here.truncate(1);
        return here;
    }
    found
}

/// Whether it belongs to a network that is nobody else's: RFC 1918, 4193 and 6598.
pub fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => is_unique_local(v6),
    }
}

fn is_unique_local(v6: Ipv6Addr) -> bool {
    v6.segments()[0] & 0xfe00 == 0xfc00
}

/// Whether anybody can connect to it from another machine by what it is alone.
fn is_of_use(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified() && !v4.is_multicast(),
        IpAddr::V6(v6) => is_unique_local(v6) || v6.segments()[0] & 0xe000 == 0x2000,
    }
}

fn of_system(name: &str) -> Result<Vec<Interface>, Failure> {
    interfaces::list().map_err(|error| {
        let name = Untrusted::new(name);
        Failure::usage(format!("cannot find the network interface '{name}': {}", reason(&error)))
            .hint("give its address instead; `ip addr` tells it")
    })
}

fn chosen(name: &str, interfaces: &[Interface], ipv6: bool) -> Result<IpAddr, Failure> {
    let shown = Untrusted::new(name);
    let Some(found) = interfaces.iter().find(|interface| interface.name == name) else {
        let names = interfaces.iter().take(20).map(|other| Untrusted::new(other.name.as_str()).fit(15));
        let names: Vec<String> = names.collect();
        return Err(Failure::usage(format!("there is no network interface '{shown}'"))
            .hint(format!("there are: {}", names.join(", "))));
    };
    // An address of the link alone means something only together with its interface.
    let mut all = found.addresses.iter().filter(|address| !address.link).map(|address| address.ip);
    let v4 = all.clone().find(IpAddr::is_ipv4);
    let v6 = all.find(|ip| ip.is_ipv6() && ipv6);
    v4.or(v6).ok_or_else(|| {
        Failure::usage(format!("the network interface '{shown}' has no address to leave from"))
            .hint("is it up? `ip addr` tells; nothing leaves another way")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::interfaces::Address;
    use crate::face::cli::exit::Exit;

    fn own(ip: &str, link: bool) -> Address {
        Address { ip: ip.parse().unwrap(), bits: 64, link }
    }

    #[test]
    fn addresses_are_taken_as_they_are() {
        assert_eq!(address("192.0.2.7", true), Ok("192.0.2.7".parse().unwrap()));
        assert_eq!(address("::1", true), Ok("::1".parse().unwrap()));
        assert_eq!(address("::1", false).unwrap_err().exit, Exit::Usage);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_interface_means_its_address_or_nothing_at_all() {
        assert_eq!(address("lo", true), Ok("127.0.0.1".parse().unwrap()));
        let failure = address("torr-none", true).unwrap_err();
        assert_eq!(failure.message, "there is no network interface 'torr-none'");
        assert!(failure.hint.unwrap().contains("lo"));
    }

    #[test]
    fn one_without_a_fitting_address_is_refused() {
        let both = Interface {
            number: 2,
            name: "wg0".to_owned(),
            runs: true,
            addresses: vec![own("fe80::7", true), own("2001:db8::7", false), own("10.0.0.7", false)],
            ..Interface::default()
        };
        let six =
            Interface { name: "wg6".to_owned(), addresses: both.addresses[..2].to_vec(), ..both.clone() };
        let none = Interface { name: "down".to_owned(), ..Interface::default() };
        let all = [both.clone(), six, none];
        assert_eq!(chosen("wg0", &all, true), Ok(both.addresses[2].ip));
        assert_eq!(chosen("wg6", &all, true), Ok(both.addresses[1].ip));
        assert!(chosen("wg6", &all, false).is_err());
        assert!(chosen("down", &all, true).unwrap_err().message.contains("no address to leave from"));
    }

    #[test]
    fn others_are_told_what_leads_to_us_the_local_network_first() {
        let of = |name: &str, addresses: &[&str]| Interface {
            name: name.to_owned(),
            runs: name != "down",
            addresses: addresses.iter().map(|ip| own(ip, false)).collect(),
            ..Interface::default()
        };
        let all = [
            of("lo", &["127.0.0.1", "::1"]),
            of("docker0", &["172.17.0.1"]),
            of("down", &["192.168.9.9"]),
            of("eth0", &["2001:db8::7", "fd00::7", "203.0.113.40", "192.168.1.20", "169.254.3.4"]),
            of("wlan0", &["10.0.0.7", "192.168.1.20"]),
        ];
        let tell = |bind: Option<&str>, ipv6, interfaces: &[Interface]| -> Vec<String> {
            let bind = bind.map(|bind| bind.parse().unwrap());
            told(bind, ipv6, interfaces).iter().map(ToString::to_string).collect()
        };
        let four = ["192.168.1.20", "10.0.0.7", "203.0.113.40"];
        assert_eq!(tell(None, true, &all), [&four[..], &["fd00::7"]].concat());
        assert_eq!(tell(None, false, &all), four);
        assert_eq!(tell(Some("0.0.0.0"), true, &all), four);
        assert_eq!(tell(Some("10.0.0.7"), true, &all), ["10.0.0.7"]);
        assert_eq!(tell(Some("127.0.0.1"), true, &all), ["127.0.0.1"]);
        assert_eq!(tell(None, true, &all[..3]), ["127.0.0.1"]);
        assert!(tell(None, true, &[]).is_empty());
        assert!(is_local("100.64.0.1".parse().unwrap()) && !is_local("100.128.0.1".parse().unwrap()));
    }
}
