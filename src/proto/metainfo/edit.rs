//! Editing of torrent files.
//!
//! Only the edited values change. Unknown keys, malformed values and the order of keys stay as they are; an
//! info dictionary without edits stays identical byte for byte, and so does the info-hash.

use super::check::{self, Version};
use super::entries::{Entries, number, text, texts, tiers};
use super::fields::{Field, Fields};
use super::{Metainfo, MetainfoError};
use crate::base::{InfoHashes, Untrusted};
use crate::hash::{sha1, sha256};
use crate::proto::bencode::{self, Limits, Tree, scan};

/// A torrent file that is being edited.
#[derive(Clone, Debug)]
pub struct Edit {
    outer: Entries,
    info: Entries,
    raw_info: Vec<u8>,
    version: Version,
    /// The current values of all fields that can be edited.
    fields: Fields,
    /// The original bytes of texts that are not UTF-8, by the form in which they are shown.
    odd: Vec<(Untrusted, Vec<u8>)>,
    trailing: usize,
}

/// Reasons why an edit fails.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum EditError {
    /// The file is not a valid torrent, or would not be one after the edit.
    #[error("{0}")]
    Malformed(#[from] MetainfoError),
    /// The keys of the v2 info dictionary are out of order, so clients disagree about its hash.
    #[error("the keys of its v2 info dictionary are out of order, so a change of it has no agreed hash")]
    Unsorted,
    /// The name of the single file in the file tree differs from the torrent's name.
    #[error("the name in its v2 part is not that of its v1 part, so it cannot be renamed")]
    NamesDiffer,
}

impl Edit {
    /// Opens a torrent file of any version.
    pub fn new(bytes: &[u8]) -> Result<Self, EditError> {
        let version = check::version(bytes)?;
        // A v2-only torrent is edited without being validated.
        if version != Version::V2 {
            Metainfo::parse(bytes)?;
        }
        let tree = Tree::parse(bytes, Limits::TORRENT).map_err(MetainfoError::from)?;
        let info = tree.root().get(b"info").ok_or(MetainfoError::NoInfo)?;
        let mut edit = Self {
            outer: Entries::of(&tree.root()),
            info: Entries::of(&info),
            raw_info: info.raw().to_vec(),
            version,
            fields: Fields::default(),
            odd: Vec::new(),
            trailing: tree.rest().len(),
        };
        edit.fields = edit.read();
        Ok(edit)
    }

    /// Returns the current values of all fields that can be edited.
    pub const fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Returns the info-hash.
    pub fn info_hash(&self) -> InfoHashes {
        match self.version {
            Version::V1 => InfoHashes::from_v1(sha1(&self.raw_info)),
            Version::V2 => InfoHashes::from_v2(sha256(&self.raw_info)),
            Version::Hybrid => InfoHashes::hybrid(sha1(&self.raw_info), sha256(&self.raw_info)),
        }
    }

    /// The number of bytes after the end of the torrent; they are not written.
    pub const fn trailing(&self) -> usize {
        self.trailing
    }

    /// Sets all fields to `wanted`, and returns those that changed. After an error nothing has changed.
    pub fn apply(&mut self, wanted: &Fields) -> Result<Vec<Field>, EditError> {
        let mut next = self.clone();
        let changed = next.change(wanted)?;
        let info_changed = changed.iter().any(|field| field.is_of_info());
        if info_changed {
            next.raw_info = next.info.to_bytes();
            let found = scan(&next.raw_info, Limits::TORRENT, b"").map_err(MetainfoError::from)?;
            if next.version != Version::V1 && found.unsorted.is_some() {
                return Err(EditError::Unsorted);
            }
        }
        // The result is parsed again: the edits must not have changed what kind of torrent it is.
        let again = Self::new(&next.to_bytes())?;
        if again.version != self.version {
            return Err(MetainfoError::NoInfo.into());
        }
        debug_assert!(info_changed || again.raw_info == self.raw_info);
        *self = Self { trailing: self.trailing, ..again };
        Ok(changed)
    }

    /// Returns the torrent file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut outer = self.outer.clone();
        outer.put("info", Some(self.raw_info.clone()));
        outer.to_bytes()
    }

    fn change(&mut self, wanted: &Fields) -> Result<Vec<Field>, EditError> {
        let old = self.fields.clone();
        let mut changed = Vec::new();
        let mut differs = |field, differs: bool| {
            if differs {
                changed.push(field);
            }
            differs
        };
        if differs(Field::Trackers, wanted.trackers != old.trackers) {
            self.put_trackers(&wanted.trackers);
        }
        if differs(Field::WebSeeds, wanted.web_seeds != old.web_seeds) {
            let list = bencode::list(|list| {
                for url in &wanted.web_seeds {
                    list.bytes(self.bytes_of(url));
                }
            });
            self.outer.put("url-list", (!wanted.web_seeds.is_empty()).then_some(list));
        }
        if differs(Field::Comment, wanted.comment != old.comment) {
            let value = wanted.comment.as_ref().map(|text| self.string_of(text));
            put_text(&mut self.outer, "comment", "comment.utf-8", value);
        }
        if differs(Field::CreatedBy, wanted.created_by != old.created_by) {
            let value = wanted.created_by.as_ref().map(|text| self.string_of(text));
            self.outer.put("created by", value);
        }
        if differs(Field::CreationDate, wanted.creation_date != old.creation_date) {
            self.outer.put("creation date", wanted.creation_date.map(bencode::int));
        }
        if differs(Field::Name, wanted.name != old.name) {
            self.put_name(&wanted.name)?;
        }
        if differs(Field::Private, wanted.private != old.private) {
            self.info.put("private", wanted.private.then(|| bencode::int(1)));
        }
        if differs(Field::Source, wanted.source != old.source) {
            let value = wanted.source.as_ref().map(|text| self.string_of(text));
            self.info.put("source", value);
        }
        Ok(changed)
    }

    fn put_trackers(&mut self, tiers: &[Vec<Untrusted>]) {
        let mut all = tiers.iter().flatten();
        let first = all.next().map(|url| self.string_of(url));
        let listed = all.next().is_some() || self.outer.has("announce-list");
        let list = bencode::list(|list| {
            for tier in tiers {
                list.list(|list| {
                    for url in tier {
                        list.bytes(self.bytes_of(url));
                    }
                });
            }
        });
        self.outer.put("announce-list", (first.is_some() && listed).then_some(list));
        self.outer.put("announce", first);
    }

    /// Sets the name. That of a single file is also the only name at the top of its file tree (BEP 52).
    fn put_name(&mut self, name: &Untrusted) -> Result<(), EditError> {
        let one_file = match self.version {
            Version::V1 => false,
            Version::Hybrid => !self.info.has("files"),
            Version::V2 => self.is_v2_file(),
        };
        let new = self.bytes_of(name);
        if one_file {
            let tree = self.info.get("file tree").unwrap_or_default().to_vec();
            let old = self.info.get("name").and_then(text).unwrap_or_default();
            let mut tree = entries(&tree);
            if !tree.rename_only(&old, &new) {
                return Err(EditError::NamesDiffer);
            }
            self.info.put("file tree", Some(tree.to_bytes()));
        }
        put_text(&mut self.info, "name", "name.utf-8", Some(bencode::string(new)));
        Ok(())
    }

    /// Whether the file tree consists of a single file with the torrent's name.
    fn is_v2_file(&self) -> bool {
        let name = self.info.get("name").and_then(text).unwrap_or_default();
        let tree = self.info.get("file tree").unwrap_or_default();
        let Ok(tree) = Tree::parse(tree, Limits::TORRENT) else { return false };
        let mut top = tree.root().dict();
        match (top.next(), top.next()) {
            (Some((key, value)), None) => key == name && value.get(b"").is_some(),
            _ => false,
        }
    }

    fn read(&mut self) -> Fields {
        let announce = self.outer.get("announce").and_then(text);
        let mut trackers = self.outer.get("announce-list").map(tiers).unwrap_or_default();
        if let Some(announce) = announce.filter(|url| !trackers.iter().flatten().any(|other| other == url)) {
            trackers.insert(0, vec![announce]);
        }
        let web_seeds = self.outer.get("url-list").map(texts).unwrap_or_default();
        let date = self.outer.get("creation date").and_then(number);
        let private = self.info.get("private").and_then(number).is_some_and(|flag| flag != 0);
        let name = first_text(&self.info, "name.utf-8", "name");
        let comment = first_text(&self.outer, "comment.utf-8", "comment");
        let created_by = self.outer.get("created by").and_then(text);
        let source = self.info.get("source").and_then(text);
        let mut shown = |bytes: Vec<u8>| {
            let shown = Untrusted::from_bytes(&bytes);
            if shown.raw().as_bytes() != bytes {
                self.odd.push((shown.clone(), bytes));
            }
            shown
        };
        Fields {
            trackers: trackers.into_iter().map(|tier| tier.into_iter().map(&mut shown).collect()).collect(),
            web_seeds: web_seeds.into_iter().map(&mut shown).collect(),
            comment: comment.map(&mut shown),
            created_by: created_by.map(&mut shown),
            creation_date: date,
            name: name.map(&mut shown).unwrap_or_default(),
            private,
            source: source.map(&mut shown),
        }
    }

    /// Returns the bytes of a text: the original ones, if it came from the file.
    fn bytes_of(&self, text: &Untrusted) -> Vec<u8> {
        let odd = self.odd.iter().find(|(shown, _)| shown == text);
        odd.map_or_else(|| text.raw().as_bytes().to_vec(), |(_, bytes)| bytes.clone())
    }

    fn string_of(&self, text: &Untrusted) -> Vec<u8> {
        bencode::string(self.bytes_of(text))
    }
}

/// Sets a text, and its copy under the `.utf-8` key of old clients if the file has that key.
fn put_text(entries: &mut Entries, key: &str, utf8_key: &str, value: Option<Vec<u8>>) {
    if entries.has(utf8_key) {
        entries.put(utf8_key, value.clone());
    }
    entries.put(key, value);
}

fn first_text(entries: &Entries, first: &str, second: &str) -> Option<Vec<u8>> {
    entries.get(first).and_then(text).or_else(|| entries.get(second).and_then(text))
}

fn entries(raw: &[u8]) -> Entries {
    Tree::parse(raw, Limits::TORRENT).map(|tree| Entries::of(&tree.root())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An info dictionary out of order, with a key nobody knows and numbers of a key that is no text.
    const ODD_INFO: &[u8] =
        b"d6:pieces20:aaaaaaaaaaaaaaaaaaaa6:lengthi1e4:name1:n12:piece lengthi9e2:\xff\xfei7e1:xd0:leee";

    fn with_info(info: &[u8], before: &[u8], after: &[u8]) -> Vec<u8> {
        [b"d".as_slice(), before, b"4:info", info, after, b"e"].concat()
    }

    fn changed(bytes: &[u8], change: impl FnOnce(&mut Fields)) -> (Vec<Field>, Vec<u8>) {
        let mut edit = Edit::new(bytes).unwrap();
        let mut fields = edit.fields().clone();
        change(&mut fields);
        let changed = edit.apply(&fields).unwrap();
        assert_eq!(edit.fields(), &fields, "what was wanted is what is said");
        (changed, edit.to_bytes())
    }

    #[test]
    fn nothing_changed_is_nothing_changed() {
        let odd = with_info(ODD_INFO, b"1:zle7:comment2:\xffq1:a0:", b"3:xyzi5e1:z0:");
        assert_eq!(changed(&odd, |_| {}), (vec![], odd.clone()));
        let trailing = [odd.as_slice(), b"\r\n"].concat();
        assert_eq!(changed(&trailing, |_| {}).1, odd);
        assert_eq!(Edit::new(&trailing).unwrap().trailing(), 2);
    }

    #[test]
    fn outside_of_info_the_hash_stays_whatever_info_is() {
        let odd = with_info(ODD_INFO, b"8:announce2:u:1:zle", b"");
        let before = Metainfo::parse(&odd).unwrap();
        let (fields, bytes) = changed(&odd, |fields| {
            fields.comment = Some("hello".into());
            fields.created_by = Some("torr".into());
            fields.creation_date = Some(7);
            fields.trackers.push(vec!["udp://a:1".into(), "udp://b:1".into()]);
            fields.web_seeds.push("http://w/".into());
        });
        assert_eq!(fields.len(), 5);
        assert!(!fields.iter().any(|field| field.is_of_info()));
        let after = Metainfo::parse(&bytes).unwrap();
        assert_eq!((after.info_hash(), after.raw_info()), (before.info_hash(), ODD_INFO));
        let lists = b"8:announce2:u:13:announce-listll2:u:el9:udp://a:19:udp://b:1ee7:comment5:hello10:created by4:torr13:creation datei7e8:url-listl9:http://w/e1:zle";
        assert_eq!(bytes, with_info(ODD_INFO, lists, b"").as_slice());
        assert_eq!(changed(&bytes, |fields| *fields = Edit::new(&odd).unwrap().fields).1, {
            let list = b"8:announce2:u:13:announce-listll2:u:ee1:zle";
            with_info(ODD_INFO, list, b"")
        });
    }

    #[test]
    fn within_info_only_the_value_changes() {
        let file = with_info(ODD_INFO, b"", b"");
        let (fields, bytes) = changed(&file, |fields| {
            fields.name = "new".into();
            fields.private = true;
            fields.source = Some("s".into());
        });
        assert_eq!(fields, [Field::Name, Field::Private, Field::Source]);
        let info = b"d6:pieces20:aaaaaaaaaaaaaaaaaaaa6:lengthi1e4:name3:new12:piece lengthi9e7:privatei1e6:source1:s2:\xff\xfei7e1:xd0:leee";
        assert_eq!(bytes, with_info(info, b"", b""));
        assert_eq!(Edit::new(&bytes).unwrap().info_hash(), Metainfo::parse(&bytes).unwrap().info_hash());
        assert_eq!(
            changed(&bytes, |fields| {
                fields.name = "n".into();
                fields.private = false;
                fields.source = None;
            })
            .1,
            file
        );
    }

    #[test]
    fn texts_that_are_not_utf8_survive_a_change_beside_them() {
        let file = with_info(ODD_INFO, b"8:url-listl4:\xffab/e", b"");
        let (_, bytes) = changed(&file, |fields| fields.web_seeds.push("http://w/".into()));
        assert_eq!(bytes, with_info(ODD_INFO, b"8:url-listl4:\xffab/9:http://w/e", b""));
    }

    #[test]
    fn an_announce_that_is_in_no_tier_is_not_lost() {
        let file = with_info(ODD_INFO, b"8:announce2:u:13:announce-listll2:v:1: ei5e2:w:e", b"");
        let tiers = |edit: &Edit| edit.fields().trackers.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(tiers(&Edit::new(&file).unwrap()), [1, 1, 1]);
        let (_, bytes) = changed(&file, |fields| drop(fields.trackers.remove(1)));
        assert_eq!(bytes, with_info(ODD_INFO, b"8:announce2:u:13:announce-listll2:u:el2:w:ee", b""));
        let (_, bytes) = changed(&bytes, |fields| fields.trackers.clear());
        assert_eq!(bytes, with_info(ODD_INFO, b"", b""));
    }

    #[test]
    fn names_for_old_clients_change_as_well() {
        let info = b"d6:lengthi1e4:name1:n10:name.utf-81:m12:piece lengthi9e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
        let (_, bytes) = changed(&with_info(info, b"", b""), |fields| fields.name = "o".into());
        let read = Metainfo::parse(&bytes).unwrap();
        assert_eq!(read.name().raw(), "o");
        assert!(String::from_utf8_lossy(&bytes).contains("4:name1:o10:name.utf-81:o"));
    }

    const V2_FILE: &[u8] = b"d9:file treed1:nd0:d6:lengthi1e11:pieces root32:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaeee12:meta versioni2e4:name1:n12:piece lengthi16384ee";

    #[test]
    fn a_v2_torrent_is_changed_without_being_understood() {
        let file = with_info(V2_FILE, b"", b"12:piece layersde");
        let before = Edit::new(&file).unwrap().info_hash();
        assert_eq!(before, InfoHashes::from_v2(sha256(V2_FILE)));
        let (_, bytes) = changed(&file, |fields| fields.comment = Some("c".into()));
        assert_eq!(Edit::new(&bytes).unwrap().info_hash(), before);
        let (_, bytes) = changed(&file, |fields| fields.name = "other".into());
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains("9:file treed5:otherd0:d") && text.contains("4:name5:other"), "{text}");
        assert_ne!(Edit::new(&bytes).unwrap().info_hash(), before);
        // Of a folder the name stands in one place only.
        let folder = String::from_utf8(V2_FILE.to_vec()).unwrap().replace("d1:nd0:", "d1:nd1:kd0:");
        let folder = folder.replace("eee12:meta", "eeee12:meta");
        let (_, bytes) = changed(&with_info(folder.as_bytes(), b"", b""), |fields| fields.name = "x".into());
        assert!(String::from_utf8(bytes).unwrap().contains("9:file treed1:nd1:kd0:"));
    }

    #[test]
    fn a_hybrid_file_is_renamed_in_both_parts() {
        let hybrid = |tree: &str| {
            let text = String::from_utf8(V2_FILE.to_vec()).unwrap();
            let text = text.replace("d9:file treed1:n", &format!("d9:file treed{}:{tree}", tree.len()));
            let text = text.replace("12:meta", "6:lengthi1e12:meta");
            let text = text.replace("i16384ee", "i16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae");
            with_info(text.as_bytes(), b"", b"")
        };
        let (_, bytes) = changed(&hybrid("n"), |fields| fields.name = "other".into());
        let (edit, read) = (Edit::new(&bytes).unwrap(), Metainfo::parse(&bytes).unwrap());
        assert_eq!((edit.info_hash(), read.name().raw()), (read.info_hash(), "other"));
        assert!(read.info_hash().v2().is_some());
        assert!(String::from_utf8(bytes).unwrap().contains("9:file treed5:otherd0:d"));
        assert!(matches!(Edit::new(&hybrid("m")), Err(EditError::Malformed(_))));
    }

    #[test]
    fn an_unsorted_v2_info_is_left_alone() {
        let text = String::from_utf8(V2_FILE.to_vec()).unwrap().replace("4:name1:n", "");
        let unsorted = text.replace("i16384ee", "i16384e4:name1:ne");
        let mut edit = Edit::new(&with_info(unsorted.as_bytes(), b"", b"")).unwrap();
        let wanted = Fields { private: true, ..edit.fields().clone() };
        assert_eq!(edit.apply(&wanted), Err(EditError::Unsorted));
        let wanted = Fields { comment: Some("c".into()), ..edit.fields().clone() };
        assert_eq!(edit.apply(&wanted), Ok(vec![Field::Comment]));
    }

    #[test]
    fn what_is_no_torrent_is_refused() {
        for bad in [b"".as_slice(), b"x", b"de", b"d4:infodee", b"le"] {
            assert!(Edit::new(bad).is_err());
        }
        let mut edit = Edit::new(&with_info(ODD_INFO, b"", b"")).unwrap();
        let wanted = Fields { comment: Some("c".repeat(17 << 20).into()), ..edit.fields().clone() };
        assert!(matches!(edit.apply(&wanted), Err(EditError::Malformed(_))));
    }
}
