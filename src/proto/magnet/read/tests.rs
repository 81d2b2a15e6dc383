use proptest::prelude::*;

use super::*;

const HEX: &str = "9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa";

fn of(rest: &str) -> (Magnet, Vec<MagnetNote>) {
    read(&format!("magnet:?xt=urn:btih:{HEX}{rest}")).unwrap()
}

fn refused(link: &str) -> MagnetError {
    read(link).unwrap_err()
}

#[test]
fn a_hash_is_read_however_it_is_written() {
    let wanted = Magnet::new(HEX.parse().unwrap());
    let upper = HEX.to_uppercase();
    // The same twenty bytes in base32.
    let base32 = "T4WEDUFHYPZ7PPSC27D6HNORUC2OBQNK";
    for link in [
        format!("magnet:?xt=urn:btih:{HEX}"),
        format!(" MAGNET:?XT=urn:BTIH:{upper}\n"),
        format!("magnet:?xt=urn:btih:{base32}"),
        format!("magnet:?xt=urn:btih:{}", base32.to_lowercase()),
        format!("magnet:?xt=urn%3Abtih%3A{HEX}"),
        format!("magnet:?xt.1=urn:btih:{HEX}&xt.2=urn:btih:{HEX}"),
        format!("magnet:?xt=urn:ed2k:31D6CFE0D16AE931B73C59D7E0C089C0&xt=urn:btih:{HEX}"),
        format!("magnet:?&&x&kt=a+b&xt=urn:btih:{HEX}&"),
    ] {
        assert_eq!(Magnet::parse(&link), Ok(wanted.clone()), "{link}");
    }
    let v2 = "ab".repeat(32);
    let both = read(&format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btmh:1220{v2}")).unwrap().0;
    assert!(both.info_hash.v1().is_some() && both.info_hash.v2() == Some([0xab; 32]));
    assert_eq!(
        Magnet::parse(&format!("magnet:?xt=urn:btmh:1220{v2}")).unwrap().info_hash,
        InfoHashes::from_v2([0xab; 32])
    );
}

#[test]
fn what_is_no_link_is_refused_by_name() {
    for text in ["", "magnet:", "magnet:x", "http://x", "magnét:?xt", "éééé"] {
        assert_eq!(refused(text), MagnetError::NoMagnet, "{text}");
    }
    for text in ["magnet:?", "magnet:?dn=x", "magnet:?xt=urn:sha1:x", "magnet:?xt=btih:x"] {
        assert_eq!(refused(text), MagnetError::NoHash, "{text}");
    }
    for hash in ["", "x", &HEX[1..], &"1".repeat(32), &"g".repeat(40), &"ab".repeat(32)] {
        assert_eq!(refused(&format!("magnet:?xt=urn:btih:{hash}")), MagnetError::BadV1, "{hash}");
    }
    for hash in ["", "1220", &format!("1114{HEX}"), &"ab".repeat(34)] {
        assert_eq!(refused(&format!("magnet:?xt=urn:btmh:{hash}")), MagnetError::BadV2, "{hash}");
    }
    let other = "ab".repeat(20);
    assert_eq!(refused(&format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{other}")), MagnetError::TwoTorrents);
    assert_eq!(refused("magnet:?dn=100%&xt=urn:btih:%zz"), MagnetError::Percent { at: 28 });
    assert_eq!(refused("magnet:?xt=urn%3abtih:abc%"), MagnetError::Percent { at: 25 });
    assert_eq!(
        refused(&format!("magnet:?xt=urn:btih:{HEX}&dn={}", "x".repeat(4 << 20))),
        MagnetError::TooLong
    );
}

#[test]
fn names_and_addresses_are_read() {
    let (magnet, notes) =
        of("&dn=a+b%2Bc&amp;tr=udp%3A%2F%2Ft%3A1&tr.2=http://u/a+b&tr=udp://t:1&ws=https://w/\
         &x.pe=1.2.3.4:5&x.pe=[::1]:6&x.pe=peer.example:7&so=0,4-6,2");
    assert_eq!(magnet.name, Some("a b+c".into()));
    assert_eq!(magnet.trackers, ["udp://t:1".into(), "http://u/a+b".into()]);
    assert_eq!(magnet.web_seeds, ["https://w/".into()]);
    assert_eq!(magnet.peers, ["1.2.3.4:5".parse().unwrap(), "[::1]:6".parse().unwrap()]);
    assert_eq!(magnet.named_peers, [("peer.example".into(), 7)]);
    assert_eq!(magnet.select, [0..=0, 4..=6, 2..=2]);
    assert_eq!(notes, []);
}

#[test]
fn what_cannot_be_used_is_passed_over() {
    let (magnet, notes) =
        of("&tr=file:///etc/passwd&tr=wss://t&tr=udp://&tr=http://a%0Ab&ws=udp://w&ws=file:///x\
         &x.pe=1.2.3.4&x.pe=1.2.3.4:0&x.pe=0.0.0.0:1&x.pe=a%20b:1&x.pe=:5&so=3-1");
    assert_eq!(magnet, Magnet::new(HEX.parse().unwrap()));
    let wanted =
        [MagnetNote::Trackers(4), MagnetNote::WebSeeds(2), MagnetNote::Peers(5), MagnetNote::NoSelect];
    assert_eq!(notes, wanted);
    let many: Vec<String> = (0..1000).map(|n| format!("&tr=udp://t:{n}&x.pe=1.1.1.1:{}", n + 1)).collect();
    let (magnet, notes) = of(&many.concat());
    assert_eq!((magnet.trackers.len(), magnet.peers.len()), (200, 200));
    assert_eq!(notes, [MagnetNote::Trackers(800), MagnetNote::Peers(800)]);
}

#[test]
fn what_cannot_be_read_of_a_choice_leaves_the_rest() {
    for bad in ["", "-", "1-", "+1", "3-1", "99999999999", "x", "%", "0x1"] {
        let (magnet, notes) = of(&format!("&so=1&so={bad},4-6"));
        assert_eq!((magnet.select, notes), (vec![1..=1, 4..=6], vec![MagnetNote::Select(1)]), "{bad}");
        let (magnet, notes) = of(&format!("&so={bad}"));
        assert_eq!((magnet.select, notes), (vec![], vec![MagnetNote::NoSelect]), "{bad}");
    }
    let many = (0..3000).map(|n| (2 * n).to_string()).collect::<Vec<_>>().join(",");
    let (magnet, notes) = of(&format!("&so={many}"));
    assert_eq!((magnet.select.len(), notes), (MAX_RANGES, vec![MagnetNote::Select(1000)]));
}

#[test]
fn a_percent_sign_stands_for_itself_but_in_the_hash() {
    let (magnet, notes) = of("&dn=100%&tr=udp://t:1/%zz&tr=http://u/%41&x.pe=1.2.3.4:5%&so=0%2C2");
    assert_eq!(magnet.name, Some("100%".into()));
    assert_eq!(magnet.trackers, ["udp://t:1/%zz".into(), "http://u/A".into()]);
    assert_eq!((magnet.select, notes), (vec![0..=0, 2..=2], vec![MagnetNote::Peers(1)]));
}

#[test]
fn ten_thousand_trackers_are_capped() {
    let many: String = (0..10_000)
        .fold(String::new(), |all, n| all + &format!("&tr=udp%3A%2F%2Ftracker-{n}.example.org%3A6969"));
    let (magnet, notes) = of(&many);
    assert_eq!((magnet.trackers.len(), notes), (MAX_KEPT, vec![MagnetNote::Trackers(9800)]));
    // One endless part costs itself, and not the link.
    let long = "x".repeat(MAX_PART);
    let (magnet, notes) = of(&format!("&dn={long}x&tr=udp://{long}&x.pe={long}:1&tr=udp://t:1&dn=n"));
    assert_eq!((magnet.name, magnet.trackers), (Some("n".into()), vec!["udp://t:1".into()]));
    assert_eq!(notes, [MagnetNote::Trackers(1), MagnetNote::Peers(1)]);
}

fn hash() -> impl Strategy<Value = InfoHashes> {
    let (v1, v2) = (any::<[u8; 20]>(), any::<[u8; 32]>());
    (v1, v2, 0..3).prop_map(|(v1, v2, kind)| match kind {
        0 => InfoHashes::from_v1(v1),
        1 => InfoHashes::from_v2(v2),
        _ => InfoHashes::hybrid(v1, v2),
    })
}

prop_compose! {
    fn magnet()(
        info_hash in hash(),
        name in prop::option::of("[^\u{0}]{1,12}".prop_map(Untrusted::new)),
        trackers in prop::collection::btree_set("(udp|http|https)://[a-z0-9:.]{1,9}(/[a-zA-Z0-9?&+%=é]{0,9})?", 0..4),
        web_seeds in prop::collection::btree_set("https?://[a-z]{1,9}/[a-z &]{0,4}[a-z]", 0..3),
        peers in prop::collection::btree_set((any::<std::net::IpAddr>(), 1_u16..), 0..4),
        names in prop::collection::btree_set(("[a-z]{1,9}\\.[a-z]{2}", 1_u16..), 0..3),
        select in prop::collection::vec((0_u32..1000, 0_u32..1000), 0..4),
    ) -> Magnet {
        let texts = |set: std::collections::BTreeSet<String>| -> Vec<Untrusted> {
            set.into_iter().filter(|text| !text.contains(' ')).map(Untrusted::new).collect()
        };
        let usable = |ip: &std::net::IpAddr| !ip.is_unspecified() && !ip.is_multicast();
        Magnet {
            info_hash,
            name,
            trackers: texts(trackers),
            web_seeds: texts(web_seeds),
            peers: peers.into_iter().filter(|(ip, _)| usable(ip)).map(SocketAddr::from).collect(),
            named_peers: names.into_iter().map(|(host, port)| (Untrusted::new(host), port)).collect(),
            select: select.into_iter().map(|(from, more)| from..=from + more).collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn twenty_bytes_are_read_in_either_spelling(bytes in any::<[u8; 20]>(), upper in any::<bool>()) {
        // RFC 4648: five bits a letter, the highest first.
        let bit = |at: usize| (bytes[at / 8] >> (7 - at % 8)) & 1;
        let letter = |n: usize| {
            let value = (0..5).fold(0, |value, at| value << 1 | bit(5 * n + at));
            char::from(if value < 26 { b'a' + value } else { b'2' + value - 26 })
        };
        let base32: String = (0..32).map(letter).collect();
        let cased = |text: String| if upper { text.to_uppercase() } else { text };
        prop_assert_eq!(v1(&cased(base32)), Some(bytes));
        prop_assert_eq!(v1(&cased(InfoHashes::from_v1(bytes).to_string())), Some(bytes));
    }

    #[test]
    fn no_other_text_is_a_hash(text in "[a-zA-Z0-9=é]{0,45}") {
        let base32 = text.len() == 32 && text.bytes().all(|b| b.is_ascii_alphabetic() || (b'2'..=b'7').contains(&b));
        let hex = text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
        prop_assert_eq!(v1(&text).is_some(), base32 || hex);
    }

    #[test]
    fn what_is_written_is_read(magnet in magnet()) {
        prop_assert_eq!(Magnet::parse_with_notes(&magnet.to_string()), Ok((magnet, vec![])));
    }

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,200}", parts in prop::collection::vec(
        prop::sample::select(vec!["xt", "=", "&", "urn:btih:", HEX, "%", "%41", "tr", "udp://x", "so", "0-", "x.pe", ".1", "é", "dn", "+"]), 0..30,
    )) {
        let _ = read(&text);
        let _ = read(&format!("magnet:?{text}"));
        if let Ok((magnet, _)) = read(&format!("magnet:?{}", parts.concat())) {
            prop_assert_eq!(Magnet::parse(&magnet.to_string()), Ok(magnet));
        }
    }
}
