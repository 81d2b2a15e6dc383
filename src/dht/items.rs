//! Items that other nodes have stored with us (BEP 44).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::base::{Moment, NodeId};
use crate::proto::krpc::{ErrorCode, Item, ItemError};

use super::shares::{Owner, choose_evicted};

/// The time for which an item is kept after its last put.
const LIFE: Duration = Duration::from_secs(2 * 3600);
/// The most items.
const MAX_ITEMS: usize = 1000;
/// The most items from one network.
const MAX_PER_NETWORK: usize = 50;

#[derive(Clone, Debug, Default)]
pub(super) struct Items {
    items: BTreeMap<NodeId, StoredItem>,
}

#[derive(Clone, Debug)]
struct StoredItem {
    /// The time of the last put.
    at: Moment,
    item: Item,
    owner: Owner,
}

impl Items {
    /// Stores an item that was put from address `by`. Returns an error if the item is invalid, a newer one is
    /// stored, or the stored one is not the one to be replaced.
    pub(super) fn put(
        &mut self,
        now: Moment,
        by: IpAddr,
        item: Item,
        instead_of: Option<i64>,
    ) -> Result<(), ErrorCode> {
        item.check().map_err(|error| match error {
            ItemError::TooLong => ErrorCode::TOO_LONG,
            ItemError::SaltTooLong => ErrorCode::SALT_TOO_LONG,
            ItemError::NotCanonical => ErrorCode::PROTOCOL,
            ItemError::BadSignature => ErrorCode::BAD_SIGNATURE,
        })?;
        let target = item.target();
        if let Some(known) = self.items.get_mut(&target) {
            if let (Some(new), Some(old)) = (item.seq(), known.item.seq()) {
                if instead_of.is_some_and(|seq| seq != old) {
                    return Err(ErrorCode::CAS_MISMATCH);
                }
                // A put with the same sequence number and value renews the item.
                if new < old || (new == old && known.item.value() != item.value()) {
                    return Err(ErrorCode::OUTDATED);
                }
            }
            (known.at, known.item) = (now, item);
            known.owner.record_again(by);
            return Ok(());
        }
        let all = self.items.iter().map(|(&key, kept)| (key, &kept.owner, kept.at));
        if let Some(key) = choose_evicted(all, by, MAX_PER_NETWORK, MAX_ITEMS) {
            self.items.remove(&key);
        }
        self.items.insert(target, StoredItem { at: now, item, owner: Owner::new(by) });
        Ok(())
    }

    /// Returns the item with this target.
    pub(super) fn get(&self, target: &NodeId) -> Option<&Item> {
        self.items.get(target).map(|kept| &kept.item)
    }

    /// Drops expired items.
    pub(super) fn forget(&mut self, now: Moment) {
        self.items.retain(|_, kept| now.since(kept.at) < LIFE);
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    /// As an owner signs it.
    fn mutable(seq: i64, value: &[u8]) -> Item {
        let owner = SigningKey::from_bytes(&[7; 32]);
        let text = [format!("3:seqi{seq}e1:v").as_bytes(), value].concat();
        Item::Mutable {
            key: owner.verifying_key().to_bytes(),
            salt: Vec::new(),
            seq,
            signature: owner.sign(&text).to_bytes(),
            value: value.to_vec(),
        }
    }

    /// Somebody in the n-th network of the Internet.
    fn by(n: u16) -> IpAddr {
        let [high, low] = n.to_be_bytes();
        IpAddr::from([8, high, low, 1])
    }

    #[test]
    fn only_newer_items_replace_others() {
        let now = Moment::START;
        let mut items = Items::default();
        assert_eq!(items.put(now, by(1), mutable(2, b"1:a"), None), Ok(()));
        assert_eq!(items.put(now, by(1), mutable(2, b"1:a"), None), Ok(()));
        assert_eq!(items.put(now, by(1), mutable(2, b"1:b"), None), Err(ErrorCode::OUTDATED));
        assert_eq!(items.put(now, by(1), mutable(1, b"1:a"), None), Err(ErrorCode::OUTDATED));
        assert_eq!(items.put(now, by(1), mutable(3, b"1:c"), Some(1)), Err(ErrorCode::CAS_MISMATCH));
        assert_eq!(items.put(now, by(1), mutable(3, b"1:c"), Some(2)), Ok(()));
        let target = mutable(3, b"1:c").target();
        assert_eq!(items.get(&target).unwrap().value(), b"1:c");
        let Item::Mutable { key, salt, seq, value, .. } = mutable(4, b"1:d") else { unreachable!() };
        let forged = Item::Mutable { key, salt, seq, value, signature: [1; 64] };
        assert_eq!(items.put(now, by(1), forged, None), Err(ErrorCode::BAD_SIGNATURE));
        items.forget(now + LIFE);
        assert_eq!(items.get(&target), None);
    }

    fn number(n: u64) -> Item {
        Item::Immutable(format!("i{n}e").into_bytes())
    }

    fn at(secs: u64) -> Moment {
        Moment::START + Duration::from_secs(secs)
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut items = Items::default();
        for n in 0..MAX_ITEMS as u64 + 10 {
            items.put(at(n), by(n as u16), number(n), None).unwrap();
        }
        assert_eq!(items.items.len(), MAX_ITEMS);
        assert_eq!(items.get(&number(3).target()), None);
        assert_eq!(
            items.put(at(0), by(1), Item::Immutable(b"nonsense".to_vec()), None),
            Err(ErrorCode::PROTOCOL)
        );
    }

    #[test]
    fn one_network_does_not_push_out_the_items_of_others() {
        let mut items = Items::default();
        for n in 0..900 {
            items.put(at(n), by(n as u16), number(n), None).unwrap();
        }
        let loud = |n: u64| IpAddr::from([66, 66, 66, n as u8]);
        for n in 0..5000 {
            items.put(at(1000), loud(n), number(1000 + n), None).unwrap();
        }
        assert_eq!(items.items.len(), 900 + MAX_PER_NETWORK);
        assert!((0..900).all(|n| items.get(&number(n).target()).is_some()));
    }
}
