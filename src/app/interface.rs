//! The address that `--bind` means. What it names has to be there: with a tunnel that is down nothing may
//! leave another way.

use std::net::IpAddr;

use super::{Error, Remedy, reason};
use crate::base::Untrusted;
use crate::engine::interfaces::{self, Interface};

/// An address as it is, or that of a network interface: IPv4 before IPv6.
pub fn address(text: &str, ipv6: bool) -> Result<IpAddr, Error> {
    let found = match text.parse() {
        Ok(address) => address,
        Err(_) => chosen(text, &of_system(text)?, ipv6)?,
    };
    if found.is_ipv6() && !ipv6 {
        let message = format!("{found} is an IPv6 address, but IPv6 is switched off");
        return Err(Error::usage(message).remedy(Remedy::SwitchIpv6On));
    }
    Ok(found)
}

/// Those that lead anywhere, by their names, with their addresses that mean something by themselves; none where
/// the system does not list them.
pub fn all() -> Vec<(String, Vec<IpAddr>)> {
    let all = interfaces::list().unwrap_or_default().into_iter().filter(|interface| interface.runs);
    all.map(|interface| {
        let own = interface.addresses.iter().filter(|address| !address.link).map(|address| address.ip);
        (interface.name, own.collect())
    })
    .collect()
}

fn of_system(name: &str) -> Result<Vec<Interface>, Error> {
    interfaces::list().map_err(|error| {
        let name = Untrusted::new(name);
        Error::usage(format!("cannot find the network interface '{name}': {}", reason(&error)))
            .hint("give its address instead; `ip addr` lists it")
    })
}

fn chosen(name: &str, interfaces: &[Interface], ipv6: bool) -> Result<IpAddr, Error> {
    let shown = Untrusted::new(name);
    let Some(found) = interfaces.iter().find(|interface| interface.name == name) else {
        let names = interfaces.iter().take(20).map(|other| Untrusted::new(other.name.as_str()).fit(15));
        let names: Vec<String> = names.collect();
        return Err(Error::usage(format!("network interface not found: '{shown}'"))
            .hint(format!("there are: {}", names.join(", "))));
    };
    // An address of the link alone means something only together with its interface.
    let mut all = found.addresses.iter().filter(|address| !address.link).map(|address| address.ip);
    let v4 = all.clone().find(IpAddr::is_ipv4);
    let v6 = all.find(|ip| ip.is_ipv6() && ipv6);
    v4.or(v6).ok_or_else(|| {
        Error::usage(format!("the network interface '{shown}' has no usable address"))
            .hint("check with `ip addr` that it is up; torr uses no other interface")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ErrorKind;
    use crate::engine::interfaces::Address;

    #[test]
    fn addresses_are_taken_as_they_are() {
        assert_eq!(address("192.0.2.7", true), Ok("192.0.2.7".parse().unwrap()));
        assert_eq!(address("::1", true), Ok("::1".parse().unwrap()));
        assert_eq!(address("::1", false).unwrap_err().kind, ErrorKind::Usage);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_interface_means_its_address_or_nothing_at_all() {
        assert_eq!(address("lo", true), Ok("127.0.0.1".parse().unwrap()));
        let failure = address("torr-none", true).unwrap_err();
        assert_eq!(failure.message, "network interface not found: 'torr-none'");
        assert!(failure.sentence().unwrap().contains("lo"));
    }

    #[test]
    fn one_without_a_fitting_address_is_refused() {
        let own = |ip: &str, link| Address { ip: ip.parse().unwrap(), bits: 64, link };
        let both = Interface {
            number: 2,
            name: "wg0".to_owned(),
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
        assert!(chosen("down", &all, true).unwrap_err().message.contains("no usable address"));
    }
}
