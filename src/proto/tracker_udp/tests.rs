//! Encoding and decoding of datagrams.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::*;
use crate::base::PeerId;
use crate::proto::announce::AnnounceEvent;

fn sample() -> Announce {
    Announce {
        info_hash: InfoHashes::from_v1([b'h'; 20]),
        peer_id: PeerId([b'p'; 20]),
        port: 0x1234,
        uploaded: 3,
        downloaded: 1,
        left: 2,
        event: AnnounceEvent::Started,
        key: 0xdead_beef,
        numwant: None,
        ip: Some("1.2.3.4".parse().unwrap()),
        tracker_id: None,
    }
}

#[test]
fn datagrams_are_laid_out_as_agreed() {
    let connect = Request::Connect { transaction: 0x0102_0304 };
    assert_eq!(connect.encode(), [0, 0, 4, 0x17, 0x27, 0x10, 0x19, 0x80, 0, 0, 0, 0, 1, 2, 3, 4]);
    let announce = Request::Announce {
        connection: 7,
        transaction: 9,
        announce: sample(),
        url_data: [b'u'; 300].to_vec(),
    };
    let bytes = announce.encode();
    assert_eq!(bytes.len(), 98 + 300 + 4);
    assert_eq!(bytes[..16], [0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 9]);
    assert_eq!(bytes[56..80], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
    assert_eq!(bytes[80..88], [0, 0, 0, 2, 1, 2, 3, 4]);
    assert_eq!(bytes[88..98], [0xde, 0xad, 0xbe, 0xef, 255, 255, 255, 255, 0x12, 0x34]);
    assert_eq!((bytes[98..100].to_vec(), bytes[355..357].to_vec()), (vec![2, 255], vec![2, 45]));
    assert_eq!(Request::decode(&bytes), Ok(announce));
}

#[test]
fn options_are_read_to_the_end_mark() {
    let announce = Request::Announce { connection: 1, transaction: 2, announce: sample(), url_data: vec![] };
    let with = |options: &[u8]| match Request::decode(&[announce.encode().as_slice(), options].concat()) {
        Ok(Request::Announce { url_data, .. }) => Ok(url_data),
        Ok(other) => panic!("{other:?}"),
        Err(error) => Err(error),
    };
    assert_eq!(with(&[1, 1, 2, 1, b'a', 2, 1, b'b', 0, 9]), Ok(b"ab".to_vec()));
    assert_eq!(with(&[2, 0]), Ok(vec![]));
    assert_eq!(
        [with(&[2]), with(&[2, 3, b'a'])],
        [Err(DatagramError::Length(99)), Err(DatagramError::Length(101))]
    );
}

#[test]
fn datagrams_of_wrong_length_or_kind_are_refused() {
    use DatagramError::{Action, Announce, Length, Magic};
    let v4 = |bytes: &[u8]| Response::decode(bytes, Family::V4).unwrap_err();
    assert_eq!(v4(&[]), Length(0));
    assert_eq!(v4(&[0; 15]), Length(15));
    assert_eq!(v4(&[0; 17]), Length(17));
    assert_eq!(v4(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), Length(12));
    assert_eq!(v4(&[[0, 0, 0, 1].as_slice(), &[0; 17]].concat()), Length(21));
    assert_eq!(v4(&[[0, 0, 0, 2].as_slice(), &[0; 5]].concat()), Length(9));
    assert_eq!(v4(&[0, 0, 0, 9, 0, 0, 0, 0]), Action(9));
    let request = |bytes: &[u8]| Request::decode(bytes).unwrap_err();
    assert_eq!(request(&[0; 16]), Magic);
    assert_eq!(request(&[Request::Connect { transaction: 1 }.encode(), vec![0]].concat()), Length(17));
    let of =
        |announce| Request::Announce { connection: 1, transaction: 2, announce, url_data: vec![] }.encode();
    assert_eq!(request(&of(sample())[..97]), Length(97));
    assert_eq!(request(&of(super::Announce { port: 0, ..sample() })), Announce);
    assert_eq!(
        request(&[[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0].as_slice(), &[1; 21]].concat()),
        Length(37)
    );
}

#[test]
fn answers_are_tamed() {
    let mut bytes = vec![0, 0, 0, 1, 0, 0, 0, 5, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 3];
    bytes.extend([1, 2, 3, 4, 0, 80, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 80]);
    let Ok(Response::Announce { reply, transaction: 5 }) = Response::decode(&bytes, Family::V4) else {
        panic!()
    };
    assert_eq!((reply.interval.as_secs(), reply.claimed_interval), (60, Some(-1)));
    assert_eq!((reply.leechers, reply.seeds), (None, Some(3)));
    assert_eq!(reply.peers, ["1.2.3.4:80".parse::<SocketAddr>().unwrap()]);
    let error = [[0, 0, 0, 3, 0, 0, 0, 5].as_slice(), &[b'x'; 5000]].concat();
    let Ok(Response::Error { refusal, .. }) = Response::decode(&error, Family::V6) else { panic!() };
    assert_eq!(refusal.reason.raw().len(), 200);
}

#[test]
fn patience_doubles_and_ends() {
    assert_eq!((response_timeout(0).unwrap().as_secs(), response_timeout(1).unwrap().as_secs()), (15, 30));
    assert_eq!(
        (response_timeout(8).unwrap().as_secs(), response_timeout(9), response_timeout(u32::MAX)),
        (3840, None, None)
    );
}

proptest! {
    #[test]
    fn answers_are_read_back(
        transaction: u32, connection: u64, v6: bool, ports in prop::collection::vec(1_u16.., 0..9), counts: [u16; 3],
    ) {
        let family = if v6 { Family::V6 } else { Family::V4 };
        let ip: IpAddr = if v6 { "2001:db8::1" } else { "1.2.3.4" }.parse().unwrap();
        let [seeds, downloaded, leechers] = counts.map(|n| Some(u32::from(n)));
        let reply = AnnounceReply {
            interval: Duration::from_secs(1800), claimed_interval: Some(1800), seeds, leechers,
            peers: ports.into_iter().map(|port| SocketAddr::new(ip, port)).collect(), ..AnnounceReply::default()
        };
        for response in [
            Response::Connect { transaction, connection },
            Response::Announce { transaction, reply },
            Response::Scrape { transaction, counts: vec![ScrapeCounts { seeds, downloaded, leechers }; 3] },
            Response::Error { transaction, refusal: "no".into() },
        ] {
            prop_assert_eq!(Response::decode(&response.encode(family), family), Ok(response));
        }
    }

    #[test]
    fn requests_are_read_back(transaction: u32, connection: u64, hashes in prop::collection::vec(any::<[u8; 20]>(), 1..74)) {
        let torrents = hashes.into_iter().map(InfoHashes::from_v1).collect();
        for request in [Request::Connect { transaction }, Request::Scrape { connection, transaction, torrents }] {
            prop_assert_eq!(request.transaction(), transaction);
            prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
    }

    #[test]
    fn noise_is_read_or_refused(action in 0_u8..5, noise in prop::collection::vec(any::<u8>(), 0..200)) {
        for bytes in [noise.clone(), [&[0, 0, 0, action], noise.as_slice()].concat()] {
            let _ = Response::decode(&bytes, Family::V4);
            let _ = Response::decode(&bytes, Family::V6);
            let _ = Request::decode(&bytes);
            let _ = Request::decode(&[[0; 8].as_slice(), &bytes].concat());
        }
    }
}
