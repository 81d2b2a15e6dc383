//! Tokens (BEP 5): a node must receive at an address before it can announce from it.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::{Moment, NodeId};
use crate::hash::sha256;

use super::secrets::Secrets;

/// The time for which a secret makes new tokens; they stay valid for as long again.
const LIFE: Duration = Duration::from_secs(300);
/// The length of a token, in bytes.
pub(super) const LEN: usize = 8;

#[derive(Clone)]
pub(super) struct Tokens {
    current: [u8; 32],
    last: [u8; 32],
    since: Moment,
}

impl Tokens {
    pub(super) fn new(now: Moment, secrets: &mut Secrets) -> Self {
        Self { current: secrets.draw(), last: secrets.draw(), since: now }
    }

    /// Changes the secret when it is due.
    pub(super) fn rotate(&mut self, now: Moment, secrets: &mut Secrets) {
        let age = now.since(self.since);
        if age >= LIFE {
            self.last = if age >= 2 * LIFE { secrets.draw() } else { self.current };
            self.current = secrets.draw();
            self.since = now;
        }
    }

    /// Returns the token that allows an address to announce or put at a target.
    pub(super) fn make(&self, ip: IpAddr, target: &NodeId) -> [u8; LEN] {
        digest(&self.current, ip, target)
    }

    /// Whether the token was issued to this address for this target within the last ten minutes.
    pub(super) fn is_valid(&self, token: &[u8], ip: IpAddr, target: &NodeId) -> bool {
        [&self.current, &self.last].into_iter().any(|secret| digest(secret, ip, target) == token)
    }
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tokens(since {:?})", self.since)
    }
}

fn digest(secret: &[u8; 32], ip: IpAddr, target: &NodeId) -> [u8; LEN] {
    let mut bytes = Vec::with_capacity(68);
    bytes.extend(secret);
    match ip.to_canonical() {
        IpAddr::V4(v4) => bytes.extend(v4.octets()),
        IpAddr::V6(v6) => bytes.extend(v6.octets()),
    }
    bytes.extend(target.0);
    let digest = sha256(&bytes);
    std::array::from_fn(|at| digest[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_address_and_place_and_some_minutes() {
        let mut secrets = Secrets::new([1; 32]);
        let start = Moment::START;
        let mut tokens = Tokens::new(start, &mut secrets);
        let (ip, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let (place, elsewhere) = (NodeId([1; 20]), NodeId([2; 20]));
        let token = tokens.make(ip, &place);
        assert!(tokens.is_valid(&token, ip, &place));
        assert!(tokens.is_valid(&token, "::ffff:10.0.0.1".parse().unwrap(), &place));
        assert!(!tokens.is_valid(&token, other, &place) && !tokens.is_valid(&token, ip, &elsewhere));
        assert!(!tokens.is_valid(b"", ip, &place) && !tokens.is_valid(&[0; 8], ip, &place));
        tokens.rotate(start + LIFE, &mut secrets);
        assert!(tokens.is_valid(&token, ip, &place));
        assert_ne!(tokens.make(ip, &place), token);
        tokens.rotate(start + 2 * LIFE, &mut secrets);
        assert!(!tokens.is_valid(&token, ip, &place));
    }

    #[test]
    fn after_a_long_sleep_nothing_old_is_good() {
        let mut secrets = Secrets::new([1; 32]);
        let mut tokens = Tokens::new(Moment::START, &mut secrets);
        let token = tokens.make(IpAddr::from([10, 0, 0, 1]), &NodeId([1; 20]));
        tokens.rotate(Moment::START + 3 * LIFE, &mut secrets);
        assert!(!tokens.is_valid(&token, IpAddr::from([10, 0, 0, 1]), &NodeId([1; 20])));
    }
}
