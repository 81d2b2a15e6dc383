//! Our client against our own tracker, over every way and family.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use torr::base::InfoHashes;
use torr::net::Bind;
use torr::net::tracker::{TrackerConfig, Trackers};
use torr::net::tracker_server::{Access, PeerEvent, ServerConfig, TrackerServer};
use torr::proto::announce::AnnounceEvent;
use torr::swarm::event::TrackerFailure;

use super::{HASH, patient, say, started, unreachable};

async fn server(host: &str, access: Access) -> TrackerServer {
    let addr: SocketAddr = format!("{host}:0").parse().expect("an address");
    TrackerServer::start(ServerConfig {
        http: Some(addr),
        udp: Some(addr),
        interval: Duration::from_secs(120),
        access,
    })
    .await
    .expect("loopback")
}

async fn peers_meet(url: &str, ours: &str) {
    let trackers = patient();
    let addr = |port| SocketAddr::new(ours.parse().expect("an address"), port);

    let first = trackers.announce(url, &started(1001)).await.expect("an answer");
    assert_eq!(first.peers, []);
    assert_eq!(first.interval, Duration::from_secs(120));
    let second = trackers.announce(url, &say(1002, 0, AnnounceEvent::Started)).await.expect("an answer");
    assert_eq!(second.peers, [addr(1001)]);
    assert_eq!((second.seeds, second.leechers), (Some(1), Some(1)));
    let again = trackers.announce(url, &say(1001, 50, AnnounceEvent::None)).await.expect("an answer");
    assert_eq!(again.peers, [addr(1002)]);
    trackers.announce(url, &say(1001, 0, AnnounceEvent::Completed)).await.expect("an answer");

    let scrape = trackers.scrape(url, HASH).await.expect("an answer");
    let (hash, counts) = scrape.torrents[0];
    assert_eq!((scrape.torrents.len(), hash), (1, HASH));
    assert_eq!((counts.seeds, counts.leechers, counts.downloaded), (Some(2), Some(0), Some(1)));

    let bye = trackers.announce(url, &say(1002, 0, AnnounceEvent::Stopped)).await.expect("an answer");
    assert_eq!(bye.peers, []);
    let last = trackers.announce(url, &started(1003)).await.expect("an answer");
    assert_eq!(last.peers, [addr(1001)]);
}

#[tokio::test]
async fn peers_meet_over_every_way_and_family() {
    for (host, ours) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")] {
        for way in 0..2 {
            let server = server(host, Access::Open).await;
            let mut seen = server.watch();
            peers_meet(&server.announce_urls()[way], ours).await;
            let mut events = Vec::new();
            while let Ok(one) = seen.try_recv() {
                events.push((one.addr.port(), one.event));
            }
            let (joined, completed, left) = (PeerEvent::Joined, PeerEvent::Completed, PeerEvent::Left);
            assert_eq!(
                events,
                [(1001, joined), (1002, joined), (1001, completed), (1002, left), (1003, joined)]
            );
            let stats = server.stats();
            assert_eq!((stats.announces, stats.scrapes, stats.refused), (6, 1, 0));
            assert_eq!((stats.totals.torrents, stats.totals.peers, stats.totals.seeds), (1, 2, 1));
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn both_ways_share_one_swarm() {
    let server = server("127.0.0.1", Access::Open).await;
    let urls = server.announce_urls();
    let trackers = patient();
    trackers.announce(&urls[0], &started(1)).await.expect("an answer");
    assert_eq!(trackers.announce(&urls[1], &started(2)).await.expect("an answer").peers.len(), 1);
}

#[tokio::test]
async fn a_torrent_that_is_not_listed_is_refused() {
    let listed = BTreeSet::from([InfoHashes::from_v1([9; 20])]);
    let server = server("127.0.0.1", Access::Only(listed)).await;
    for url in server.announce_urls() {
        match patient().announce(&url, &started(1)).await {
            Err(TrackerFailure::Refused(reason, _)) => assert!(reason.raw().contains("not"), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.stats().totals.torrents, 0);
}

#[tokio::test]
async fn a_stopped_server_is_gone_even_for_those_in_the_middle() {
    let server = server("127.0.0.1", Access::Open).await;
    let (urls, addr) = (server.announce_urls(), server.http_addr().expect("HTTP"));
    let mut half = TcpStream::connect(addr).await.expect("a connection");
    half.write_all(b"GET /announce?").await.expect("half a request");
    patient().announce(&urls[0], &started(1)).await.expect("an answer");
    server.stop().await;
    let mut rest = Vec::new();
    let _ = half.read_to_end(&mut rest).await;
    assert_eq!(rest, b"");
    for url in urls {
        unreachable(patient().announce(&url, &started(1)).await);
    }
}

#[tokio::test]
async fn who_asks_nonsense_over_http_gets_little_and_nothing_breaks() {
    let server = server("127.0.0.1", Access::Open).await;
    let addr = server.http_addr().expect("HTTP");
    let long = format!("GET /announce?info_hash={} HTTP/1.1\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET /announce HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(500));
    for request in [
        "GET /announce HTTP/1.1\r\n\r\n",
        "GET /announce?info_hash=short&port=1&peer_id=x HTTP/1.1\r\n\r\n",
        "GET /announce?info_hash=%zz%&port=99999&left=-1 HTTP/1.1\r\n\r\n",
        "GET /scrape HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "POST /announce HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n",
        "GET http://example.org/ HTTP/1.1\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        &long,
        &many,
    ] {
        let mut stream = TcpStream::connect(addr).await.expect("a connection");
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.len() < 1000, "{}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(server.stats().announces, 0);
    patient().announce(&server.announce_urls()[0], &started(1)).await.expect("an answer");
}

#[tokio::test]
async fn an_unproven_source_gets_no_more_bytes_than_it_sent() {
    let server = server("127.0.0.1", Access::Open).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    socket.connect(server.udp_addr().expect("UDP")).await.expect("loopback");
    let forged_id = 0x1234_u64.to_be_bytes();
    let mut announce = [&forged_id[..], &1_u32.to_be_bytes(), &77_u32.to_be_bytes()].concat();
    announce.resize(98, 0);
    let scrape = [&forged_id[..], &2_u32.to_be_bytes(), &77_u32.to_be_bytes(), &[0x5d; 20]].concat();
    let unknown = [&forged_id[..], &9_u32.to_be_bytes(), &77_u32.to_be_bytes()].concat();
    let sent = [&b""[..], b"x", &[0; 15], &unknown, &announce[..97], &announce, &scrape];
    for packet in sent {
        socket.send(packet).await.expect("loopback");
    }
    // A proper connect last: its answer shows that everything before has been handled.
    let magic = 0x0417_2710_1980_u64.to_be_bytes();
    let connect = [&magic[..], &0_u32.to_be_bytes(), &78_u32.to_be_bytes()].concat();
    socket.send(&connect).await.expect("loopback");
    let mut received = 0;
    let mut buffer = [0; 2048];
    loop {
        let length = socket.recv(&mut buffer).await.expect("an answer");
        received += length;
        if buffer[4..8] == 78_u32.to_be_bytes() {
            assert_eq!((length, &buffer[..4]), (16, &[0; 4][..]));
            break;
        }
    }
    assert!(received <= sent.iter().map(|packet| packet.len()).sum::<usize>() + connect.len());
    assert_eq!(server.stats().announces + server.stats().scrapes, 0);
}

#[tokio::test]
async fn a_bound_client_leaves_through_its_address() {
    let server = server("127.0.0.1", Access::Open).await;
    let trackers = Trackers::new(TrackerConfig {
        bind: Bind { v4: Some([127, 0, 0, 77].into()), v6: None },
        ..TrackerConfig::default()
    });
    for url in server.announce_urls() {
        let reply = trackers.announce(&url, &started(1)).await.expect("an answer");
        assert_eq!(reply.peers, []);
    }
    let reply = patient().announce(&server.announce_urls()[0], &started(2)).await.expect("an answer");
    assert_eq!(reply.peers, ["127.0.0.77:1".parse().expect("an address")]);
}

#[tokio::test]
async fn a_tracker_with_addresses_of_both_families_hears_of_us_under_both() {
    let server = server("[::]", Access::Open).await;
    let addrs = [server.http_addr().expect("HTTP"), server.udp_addr().expect("UDP")];
    let name = tokio::net::lookup_host(("localhost", 1)).await.expect("localhost has addresses");
    let families: BTreeSet<bool> = name.map(|addr| addr.is_ipv4()).collect();
    let mut peers = 0;
    for (port, (scheme, addr)) in (1..).zip(["http", "udp"].into_iter().zip(addrs)) {
        let url = format!("{scheme}://localhost:{}/announce", addr.port());
        patient().announce(&url, &started(port)).await.expect("an answer");
        peers += families.len();
        assert_eq!(server.stats().totals.peers, peers, "{scheme}");
    }
}
