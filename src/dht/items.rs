//! The items that others have given us to keep (BEP 44).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::{Moment, NodeId};
use crate::proto::krpc::{ErrorCode, Item, ItemError};

/// An item is kept for so long after it was last put.
const LIFE: Duration = Duration::from_secs(2 * 3600);
/// The most items.
const MOST: usize = 1000;

#[derive(Clone, Debug, Default)]
pub(super) struct Items {
    kept: BTreeMap<NodeId, (Moment, Item)>,
}

impl Items {
    /// Keeps an item that was checked, unless a newer one is kept or the one to be replaced is not there.
    pub(super) fn put(&mut self, now: Moment, item: Item, instead_of: Option<i64>) -> Result<(), ErrorCode> {
        item.check().map_err(|error| match error {
            ItemError::TooLong => ErrorCode::TOO_LONG,
            ItemError::SaltTooLong => ErrorCode::SALT_TOO_LONG,
            ItemError::NotCanonical => ErrorCode::PROTOCOL,
            ItemError::BadSignature => ErrorCode::BAD_SIGNATURE,
        })?;
        let target = item.target();
        if let (Some(new), Some((_, known))) = (item.seq(), self.kept.get(&target))
            && let Some(old) = known.seq()
        {
            if instead_of.is_some_and(|seq| seq != old) {
                return Err(ErrorCode::NOT_THAT_ONE);
            }
            // Of equal numbers the same value may come again, to be kept for longer.
            if new < old || (new == old && known.value() != item.value()) {
                return Err(ErrorCode::OUTDATED);
            }
        }
        if !self.kept.contains_key(&target) && self.kept.len() >= MOST {
            let oldest = self.kept.iter().min_by_key(|(_, (at, _))| *at).map(|(&key, _)| key);
            oldest.map(|key| self.kept.remove(&key));
        }
        self.kept.insert(target, (now, item));
        Ok(())
    }

    /// The item that is kept at this place.
    pub(super) fn get(&self, target: &NodeId) -> Option<&Item> {
        self.kept.get(target).map(|(_, item)| item)
    }

    /// Forgets what is too old.
    pub(super) fn forget(&mut self, now: Moment) {
        self.kept.retain(|_, (at, _)| now.since(*at) < LIFE);
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

    #[test]
    fn only_newer_items_replace_others() {
        let now = Moment::START;
        let mut items = Items::default();
        assert_eq!(items.put(now, mutable(2, b"1:a"), None), Ok(()));
        assert_eq!(items.put(now, mutable(2, b"1:a"), None), Ok(()));
        assert_eq!(items.put(now, mutable(2, b"1:b"), None), Err(ErrorCode::OUTDATED));
        assert_eq!(items.put(now, mutable(1, b"1:a"), None), Err(ErrorCode::OUTDATED));
        assert_eq!(items.put(now, mutable(3, b"1:c"), Some(1)), Err(ErrorCode::NOT_THAT_ONE));
        assert_eq!(items.put(now, mutable(3, b"1:c"), Some(2)), Ok(()));
        let target = mutable(3, b"1:c").target();
        assert_eq!(items.get(&target).unwrap().value(), b"1:c");
        let Item::Mutable { key, salt, seq, value, .. } = mutable(4, b"1:d") else { unreachable!() };
        let forged = Item::Mutable { key, salt, seq, value, signature: [1; 64] };
        assert_eq!(items.put(now, forged, None), Err(ErrorCode::BAD_SIGNATURE));
        items.forget(now + LIFE);
        assert_eq!(items.get(&target), None);
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut items = Items::default();
        for n in 0..MOST as u64 + 10 {
            let item = Item::Immutable(format!("i{n}e").into_bytes());
            items.put(Moment::START + Duration::from_secs(n), item, None).unwrap();
        }
        assert_eq!(items.kept.len(), MOST);
        assert_eq!(items.get(&Item::Immutable(b"i3e".to_vec()).target()), None);
        assert_eq!(
            items.put(Moment::START, Item::Immutable(b"nonsense".to_vec()), None),
            Err(ErrorCode::PROTOCOL)
        );
    }
}
