//! Torrent files, well-formed and hostile.

use proptest::prelude::*;

use super::*;
use crate::base::GeometryError;
use crate::proto::bencode::{DictWriter, Fault, dict};

/// Returns the info dictionary of a single file of 5 bytes, after `change`.
fn info(change: impl FnOnce(&mut DictWriter)) -> Vec<u8> {
    dict(|d| {
        d.bytes("name", "n").int("piece length", 16_384).int("length", 5).bytes("pieces", [1; 20]);
        change(d);
    })
}

fn torrent(change: impl FnOnce(&mut DictWriter)) -> Vec<u8> {
    dict(|d| {
        d.raw("info", info(change));
    })
}

/// Parses a torrent of files with these paths, of a byte each; attributes follow a `|`.
fn with_files(paths: &[&str]) -> Result<Metainfo, MetainfoError> {
    let raw = dict(|d| {
        d.bytes("name", "root").int("piece length", 1 << 20).bytes("pieces", [1; 20]);
        d.list("files", |list| {
            for path in paths {
                let (path, attr) = path.split_once('|').unwrap_or((path, ""));
                list.dict(|file| {
                    file.int("length", i64::from(!attr.contains('l'))).bytes("attr", attr);
                    file.list("path", |list| {
                        for part in path.split('/') {
                            list.bytes(part);
                        }
                    });
                    if attr.contains('l') {
                        file.list("symlink path", |list| {
                            list.bytes("..").bytes("target");
                        });
                    }
                });
            }
        });
    });
    Metainfo::from_info(&raw)
}

fn refusal(bytes: &[u8]) -> MetainfoError {
    Metainfo::parse(bytes).unwrap_err()
}

fn raw_texts(texts: &[Untrusted]) -> Vec<&str> {
    texts.iter().map(Untrusted::raw).collect()
}

#[test]
fn a_plain_torrent_is_read() {
    let bytes = torrent(|_| ());
    let read = Metainfo::parse(&bytes).unwrap();
    assert_eq!(read.raw_info(), info(|_| ()));
    assert_eq!(read.info_hash().to_string(), SHA1_OF_PLAIN);
    assert_eq!((read.name().raw(), read.geometry().total()), ("n", 5));
    assert_eq!(read.piece_hashes().v1(), Some(&[[1; 20]][..]));
    assert!(read.is_single_file() && !read.is_private() && read.notes().is_empty());
    assert_eq!(read.files()[0].path().as_str(), "n");
    assert_eq!(Metainfo::from_info(read.raw_info()).unwrap().info_hash(), read.info_hash());
}

/// The info-hash of the unchanged dictionary, as another program computes it.
const SHA1_OF_PLAIN: &str = "654d603452b946e6b29e314a6d615a3d40cebe50";

#[test]
fn what_is_no_torrent_is_refused_by_name() {
    for bytes in [b"".as_slice(), b"<html>", b"d4:info", &b"l".repeat(1 << 20), b"d4:infoi00ee"] {
        assert!(matches!(refusal(bytes), MetainfoError::Bencode(_)), "{}", refusal(bytes));
    }
    assert_eq!(refusal(b"le"), MetainfoError::NoDictionary);
    assert_eq!(refusal(b"i5e"), MetainfoError::NoDictionary);
    assert_eq!(refusal(b"de"), MetainfoError::NoInfo);
    assert_eq!(refusal(b"d4:infoi1ee"), MetainfoError::NoInfo);
    assert_eq!(refusal(b"d4:infodee"), MetainfoError::Missing("name"));
    let too_long = vec![b' '; (16 << 20) + 1];
    assert!(matches!(refusal(&too_long), MetainfoError::Bencode(e) if e.fault == Fault::TooLong(16 << 20)));
}

#[test]
fn vital_values_are_demanded() {
    let wrong = |key: &'static str| {
        refusal(&torrent(|d| {
            d.list(key, |_| ());
        }))
    };
    for key in ["name", "piece length", "pieces", "length"] {
        assert_eq!(wrong(key), MetainfoError::WrongType(key));
    }
    let lacking = |skip: &str| {
        let raw = dict(|d| {
            for (key, value) in
                [("name", "1:n"), ("piece length", "i5e"), ("length", "i5e"), ("pieces", "0:")]
            {
                if key != skip {
                    d.raw(key, value);
                }
            }
        });
        Metainfo::from_info(&raw).unwrap_err()
    };
    for key in ["name", "piece length", "pieces", "length"] {
        assert_eq!(lacking(key), MetainfoError::Missing(key));
    }
    let both = refusal(&torrent(|d| {
        d.list("files", |_| ());
    }));
    assert_eq!(both, MetainfoError::OneAndSeveral);
}

#[test]
fn numbers_that_make_no_torrent_are_refused() {
    let with = |key: &str, number| {
        refusal(&torrent(|d| {
            d.int(key, number);
        }))
    };
    assert_eq!(with("piece length", 0), GeometryError::PieceLength(0).into());
    assert_eq!(with("piece length", 1 << 32), GeometryError::PieceLength(1 << 32).into());
    assert_eq!(with("piece length", i64::MAX), GeometryError::PieceLength(i64::MAX as u64).into());
    assert_eq!(with("piece length", -1), GeometryError::PieceLength(0).into());
    assert_eq!(with("length", 0), GeometryError::Empty.into());
    assert_eq!(with("length", i64::MAX), GeometryError::TooLong.into());
    assert_eq!(with("length", -1), MetainfoError::NegativeLength { file: 1, len: -1 });
    assert_eq!(with("length", 16_385), MetainfoError::Digests { bytes: 20, pieces: 2, needed: 40 });
    let many = refusal(&torrent(|d| {
        d.int("piece length", 1).int("length", (1 << 21) + 1);
    }));
    assert_eq!(many, GeometryError::TooManyPieces((1 << 21) + 1).into());
    let sum = dict(|d| {
        d.bytes("name", "n").int("piece length", 1).bytes("pieces", "");
        d.list("files", |list| {
            for _ in 0..3 {
                list.dict(|file| {
                    file.int("length", i64::MAX).list("path", |p| {
                        p.bytes("a");
                    });
                });
            }
        });
    });
    assert_eq!(Metainfo::from_info(&sum), Err(GeometryError::TooLong.into()));
}

#[test]
fn repeated_keys_are_refused_within_info_only() {
    let twice = b"d4:infod4:name1:n6:lengthi1e4:name1:mee";
    assert_eq!(refusal(twice), MetainfoError::RepeatedKey { at: 30 });
    let inner = torrent(|d| {
        d.raw("x", "d1:ai1e1:ai2ee");
    });
    assert!(matches!(refusal(&inner), MetainfoError::RepeatedKey { .. }));
    let outside = dict(|d| {
        d.raw("info", info(|_| ())).raw("x", "d1:ai1e1:ai2ee");
    });
    let outside = Metainfo::parse(&outside).unwrap();
    assert_eq!(outside.notes(), [Note::OutOfOrder]);
}

#[test]
fn order_and_trailing_bytes_do_not_matter_to_v1() {
    let unsorted = b"d4:infod12:piece lengthi9e6:pieces20:aaaaaaaaaaaaaaaaaaaa4:name1:n6:lengthi7eee\r\n";
    let read = Metainfo::parse(unsorted).unwrap();
    assert_eq!(read.raw_info(), &unsorted[7..unsorted.len() - 3]);
    assert_eq!(read.notes(), [Note::TrailingBytes(2), Note::OutOfOrder]);
    let alone = [read.raw_info(), b"x"].concat();
    assert_eq!(Metainfo::from_info(&alone), Err(MetainfoError::BytesAfter { at: alone.len() - 1 }));
}

#[test]
fn names_in_utf8_come_first_and_empty_ones_are_replaced() {
    let read = Metainfo::parse(&torrent(|d| {
        d.bytes("name", b"\xff").bytes("name.utf-8", "é");
    }))
    .unwrap();
    assert_eq!((read.name().raw(), read.files()[0].path().as_str()), ("é", "é"));
    let nameless = Metainfo::parse(&torrent(|d| {
        d.bytes("name", "");
    }))
    .unwrap();
    assert_eq!(nameless.name().raw(), nameless.info_hash().to_string());
}

#[test]
fn hostile_paths_stay_inside() {
    let read = with_files(&["../../etc/passwd", "a", "A", "a/b", "ok", "_|p", "link|l"]).unwrap();
    let paths: Vec<_> = read.files().iter().take(5).map(|file| file.path().as_str()).collect();
    assert_eq!(paths, ["root/__/__/etc/passwd", "root/a (1)", "root/A (2)", "root/a/b", "root/ok"]);
    assert_eq!(read.notes(), [Note::Renamed(3), Note::LinksSkipped(1)]);
    assert_eq!(raw_texts(read.files()[0].original().unwrap()), ["root", "..", "..", "etc", "passwd"]);
    assert!(read.files()[4].original().is_none());
    assert!(read.geometry().is_pad(FileIndex(5)) && read.files()[5].attributes().is_pad());
    assert_eq!(read.files()[6].link().unwrap().as_str(), "root/__/target");
    assert_eq!(read.file(FileIndex(7)), None);
}

#[test]
fn files_without_path_or_length_are_refused() {
    let one = |file: &str| {
        let raw = format!("d5:filesl{file}e4:name1:n12:piece lengthi9e6:pieces0:e");
        Metainfo::from_info(raw.as_bytes()).unwrap_err()
    };
    assert_eq!(one("d6:lengthi1ee"), MetainfoError::NoPath { file: 1 });
    assert_eq!(one("d6:lengthi1e4:pathlee"), MetainfoError::NoPath { file: 1 });
    assert_eq!(one("d6:lengthi1e4:pathli5eee"), MetainfoError::NoPath { file: 1 });
    assert_eq!(one("d6:lengthi1e4:path1:ae"), MetainfoError::NoPath { file: 1 });
    assert_eq!(one("d4:pathl1:aee"), MetainfoError::NoLength { file: 1 });
    assert_eq!(one("i5e"), MetainfoError::NoLength { file: 1 });
    assert_eq!(one("d6:lengthi-1e4:pathl1:aee"), MetainfoError::NegativeLength { file: 1, len: -1 });
    assert_eq!(one(""), GeometryError::Empty.into());
}

#[test]
fn a_link_with_bytes_is_a_file() {
    let raw = b"d5:filesld4:attr1:l6:lengthi1e4:pathl1:aeee4:name1:n12:piece lengthi9e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    let read = Metainfo::from_info(raw).unwrap();
    assert_eq!(read.files()[0].attributes(), Attributes::NONE);
}

#[test]
fn links_and_padding_take_no_place_among_the_files() {
    let raw = b"d5:filesld4:attr1:l6:lengthi0e4:pathl1:aeed6:lengthi1e4:pathl1:aeee4:name1:n12:piece lengthi9e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    let read = Metainfo::from_info(raw).unwrap();
    assert_eq!(read.files().iter().map(File::is_stored).collect::<Vec<_>>(), [false, true]);
    assert!(read.geometry().is_pad(FileIndex(0)) && !read.geometry().is_pad(FileIndex(1)));
}

#[test]
fn padding_does_not_name_the_data() {
    let raw = b"d5:filesld4:attr1:p6:lengthi1eed6:lengthi1e4:pathl1:aeee4:name1:n12:piece lengthi9e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
    let read = Metainfo::from_info(raw).unwrap();
    assert_eq!(read.files()[0].path().as_str(), "pad");
    assert_eq!((read.top_name(), read.root_name()), ("n", None));
    let renamed = read.with_root_name("m");
    assert_eq!((renamed.top_name(), renamed.root_name()), ("m", Some("m")));
}

#[test]
fn versions_are_told_apart() {
    let v2 = b"d4:infod9:file treede12:meta versioni2e4:name1:n12:piece lengthi16384eee";
    assert_eq!(refusal(v2), GeometryError::Empty.into());
    let hybrid = |d: &mut DictWriter| {
        d.int("meta version", 2)
            .raw("file tree", format!("d1:nd0:d6:lengthi5e11:pieces root32:{}eee", "r".repeat(32)));
    };
    let read = Metainfo::parse(&torrent(hybrid)).unwrap();
    assert!(read.info_hash().v1().is_some() && read.info_hash().v2().is_some());
    assert_eq!(
        refusal(&torrent(|d| {
            d.int("meta version", 2);
        })),
        MetainfoError::Missing("file tree")
    );
    assert_eq!(
        refusal(&torrent(|d| {
            d.int("meta version", 7);
        })),
        MetainfoError::UnknownVersion(7)
    );
    let text = String::from_utf8(torrent(hybrid)).unwrap();
    let unsorted = text.replace("12:meta versioni2e", "").replace("4:name1:n", "4:name1:n12:meta versioni2e");
    assert!(matches!(refusal(unsorted.as_bytes()), MetainfoError::OutOfOrder { .. }));
}

#[test]
fn private_and_source_are_read() {
    let private = |value: &str| {
        Metainfo::parse(&torrent(|d| {
            d.raw("private", value);
        }))
        .unwrap()
        .is_private()
    };
    assert_eq!([private("i1e"), private("i2e"), private("i0e"), private("le")], [true, true, false, false]);
    let read = Metainfo::parse(&torrent(|d| {
        d.bytes("source", "here");
    }))
    .unwrap();
    assert_eq!(read.source(), Some(&"here".into()));
}

#[test]
fn a_million_keys_are_passed_over() {
    let mut bytes = b"d".to_vec();
    bytes.extend((0..1_000_000).flat_map(|n| format!("7:{n:07}i1e").into_bytes()));
    bytes.extend([b"4:info".as_slice(), &info(|_| ()), b"e"].concat());
    assert!(Metainfo::parse(&bytes).is_ok());
}

#[test]
fn attributes_are_letters() {
    let all = Attributes::from_letters(b"xphl?x");
    assert_eq!(all.letters(), "hlpx");
    assert!(all.is_pad() && all.is_executable() && all.is_hidden() && all.is_link());
    assert_eq!(all.without(Attributes::PAD).letters(), "hlx");
    assert_eq!(Attributes::from_letters(b""), Attributes::NONE);
}

proptest! {
    #[test]
    fn noise_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Metainfo::parse(&bytes).is_err());
    }

    #[test]
    fn a_changed_torrent_is_read_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6),
    ) {
        let mut bytes = dict(|d| {
            d.raw("info", with_files(&["a/b", "c|x", "d|p", "e|l"]).unwrap().raw_info());
            d.raw("announce-list", "ll8:udp://t1eli5eee").raw("nodes", "ll4:hosti6881eee").bytes("comment", "c");
        });
        for (place, byte, kind) in changes {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"ilde0123456789:-"[usize::from(byte) % 16]),
                _ => { bytes.remove(at); }
            }
        }
        if let Ok(read) = Metainfo::parse(&bytes) {
            prop_assert_eq!(read.files().len(), read.geometry().file_count() as usize);
            prop_assert_eq!(read.piece_hashes().count(), read.geometry().piece_count() as usize);
        }
    }
}
