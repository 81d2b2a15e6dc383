//! The keys of a torrent file outside its info dictionary. All are optional, so a malformed one is left out.

use std::collections::BTreeSet;

use super::Note;
use super::wire::{Loose, RawOuter};
use crate::base::Untrusted;

/// The keys of a torrent file outside its info dictionary, not covered by the info-hash.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Extras {
    /// Tracker URLs in tiers (BEP 12), at most 200, none twice.
    pub trackers: Vec<Vec<Untrusted>>,
    /// Web seed URLs of BEP 19 (`url-list`), at most 200.
    pub web_seeds: Vec<Untrusted>,
    /// Web seed URLs of BEP 17 (`httpseeds`), at most 200; shown but not used.
    pub http_seeds: Vec<Untrusted>,
    /// DHT nodes (BEP 5) by host and port, at most 200.
    pub nodes: Vec<(Untrusted, u16)>,
    /// The author's comment.
    pub comment: Option<Untrusted>,
    /// The program that made the torrent.
    pub created_by: Option<Untrusted>,
    /// The creation date in seconds since 1970, from 0 to the end of the year 9999.
    pub creation_date: Option<i64>,
    /// The encoding of texts that are not UTF-8; shown but not used.
    pub encoding: Option<Untrusted>,
}

/// The end of the year 9999 in seconds since 1970, the last date that is shown.
const LAST_DATE: i64 = 253_402_300_799;

/// Validates the keys outside the info dictionary, and notes those that are left out.
pub(super) fn extras(outer: &RawOuter, notes: &mut Vec<Note>) -> Extras {
    let mut seen = BTreeSet::new();
    let mut fresh = |url: &Vec<u8>| -> Option<Untrusted> {
        let url = url.trim_ascii();
        (!url.is_empty() && seen.insert(url.to_vec())).then(|| Untrusted::from_bytes(url))
    };
    let tiers = outer.announce_list.kept.iter().map(|tier| tier.iter().filter_map(&mut fresh).collect());
    let mut trackers: Vec<Vec<Untrusted>> = tiers.filter(|tier: &Vec<_>| !tier.is_empty()).collect();
    if let (true, Loose::Bytes(url)) = (trackers.is_empty(), &outer.announce) {
        trackers.extend(fresh(url).map(|url| vec![url]));
    }
    let urls = |list: &[Vec<u8>]| -> Vec<Untrusted> {
        list.iter()
            .map(|url| url.trim_ascii())
            .filter(|url| !url.is_empty())
            .map(Untrusted::from_bytes)
            .collect()
    };
    let mut nodes = Vec::new();
    for (host, port) in &outer.nodes.kept {
        if let (false, Ok(port @ 1..)) = (host.is_empty(), u16::try_from(*port)) {
            nodes.push((Untrusted::from_bytes(host), port));
        }
    }
    let no_nodes = outer.nodes.kept.len() - nodes.len();
    let dropped = [
        (outer.announce_list.dropped, Note::TrackersDropped as fn(usize) -> Note),
        (outer.url_list.dropped + outer.httpseeds.dropped, Note::WebSeedsDropped),
        (outer.nodes.dropped + no_nodes, Note::NodesDropped),
    ];
    notes.extend(dropped.iter().filter(|(n, _)| *n > 0).map(|(n, note)| note(*n)));
    Extras {
        trackers,
        web_seeds: urls(&outer.url_list.kept),
        http_seeds: urls(&outer.httpseeds.kept),
        nodes,
        comment: text(&outer.comment_utf8).or_else(|| text(&outer.comment)),
        created_by: text(&outer.created_by),
        creation_date: outer.creation_date.int().filter(|date| (0..=LAST_DATE).contains(date)),
        encoding: text(&outer.encoding),
    }
}

pub(super) fn text(value: &Loose) -> Option<Untrusted> {
    value.bytes().filter(|bytes| !bytes.is_empty()).map(Untrusted::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::bencode::{DictWriter, dict};
    use crate::proto::metainfo::Metainfo;

    fn outer(change: impl FnOnce(&mut DictWriter)) -> Metainfo {
        let bytes = dict(|d| {
            d.raw("info", "d6:lengthi1e4:name1:n12:piece lengthi9e6:pieces20:aaaaaaaaaaaaaaaaaaaae");
            change(d);
        });
        Metainfo::parse(&bytes).unwrap()
    }

    fn raw_texts(texts: &[Untrusted]) -> Vec<&str> {
        texts.iter().map(Untrusted::raw).collect()
    }

    #[test]
    fn trackers_come_in_tiers() {
        let read = outer(|d| {
            d.bytes("announce", "http://z").list("announce-list", |tiers| {
                tiers.list(|t| {
                    t.bytes(" http://a ").bytes("http://b").bytes("http://a").int(5);
                });
                tiers.list(|t| {
                    t.bytes("");
                });
                tiers.bytes("udp://flat").int(3);
            });
        });
        let tiers: Vec<_> = read.extras().trackers.iter().map(|tier| raw_texts(tier)).collect();
        assert_eq!(tiers, [vec!["http://a", "http://b"], vec!["udp://flat"]]);
        for odd in ["le", "lle", "i5e", "d1:a1:be", "ll0:ee"] {
            let odd = if odd == "lle" { "llee" } else { odd };
            let read = outer(|d| {
                d.bytes("announce", "http://z").raw("announce-list", odd);
            });
            assert_eq!(read.extras().trackers, [vec![Untrusted::new("http://z")]], "{odd}");
        }
    }

    #[test]
    fn the_rest_is_read_and_never_refused() {
        let read = outer(|d| {
            d.bytes("comment", "c").bytes("created by", "torr").int("creation date", 1_700_000_000);
            d.bytes("encoding", "UTF-8").bytes("url-list", "http://w/").raw("httpseeds", "l1:hi3ee");
            d.raw("nodes", "ll4:hosti6881eel4:hosti0eel4:hosti70000eeli5ei5eei7e0:e");
        });
        let extras = read.extras();
        assert_eq!(extras.comment, Some("c".into()));
        assert_eq!(
            (extras.created_by.clone(), extras.encoding.clone()),
            (Some("torr".into()), Some("UTF-8".into()))
        );
        assert_eq!(extras.creation_date, Some(1_700_000_000));
        assert_eq!(
            (raw_texts(&extras.web_seeds), raw_texts(&extras.http_seeds)),
            (vec!["http://w/"], vec!["h"])
        );
        assert_eq!(extras.nodes, [("host".into(), 6881)]);
        assert_eq!(read.notes(), [Note::NodesDropped(2)]);
        for odd in ["i5e", "le", "de", "lllleeee", "d1:xd1:yleee"] {
            let keys =
                ["announce", "announce-list", "comment", "created by", "url-list", "nodes", "encoding"];
            let read = outer(|d| {
                for key in keys {
                    d.raw(key, odd);
                }
            });
            assert_eq!(read.extras(), &Extras::default(), "{odd}");
        }
        for date in [-1, i64::MIN, i64::MAX, LAST_DATE + 1] {
            assert_eq!(
                outer(|d| {
                    d.int("creation date", date);
                })
                .extras()
                .creation_date,
                None
            );
        }
        let utf8 = outer(|d| {
            d.bytes("comment", b"\xff").bytes("comment.utf-8", "é").raw(b"\xff\xfe", "i1e");
        });
        assert_eq!(utf8.extras().comment, Some("é".into()));
    }

    #[test]
    fn twenty_thousand_trackers_are_capped() {
        let read = outer(|d| {
            d.list("announce-list", |tiers| {
                for n in 0..10_000 {
                    tiers.list(|t| {
                        t.bytes(format!("http://a{n}")).bytes(format!("http://b{n}"));
                    });
                }
            });
            d.list("url-list", |l| {
                for n in 0..300 {
                    l.bytes(format!("http://{n}"));
                }
            });
            d.list("nodes", |l| {
                for _ in 0..300 {
                    l.list(|n| {
                        n.bytes("h").int(1);
                    });
                }
            });
            d.bytes("comment", vec![b'c'; 4 << 20]);
        });
        assert_eq!(read.extras().trackers.iter().flatten().count(), 200);
        assert_eq!((read.extras().web_seeds.len(), read.extras().nodes.len()), (200, 200));
        let notes = [Note::TrackersDropped(19_800), Note::WebSeedsDropped(100), Note::NodesDropped(100)];
        assert_eq!(read.notes(), notes);
        assert_eq!(notes[0].to_string(), "19 800 trackers beyond the first 200 left out");
    }
}
