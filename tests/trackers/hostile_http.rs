//! HTTP trackers that lie, stall, flood or lead elsewhere.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::FutureExt;
use torr::net::tracker::{TrackerConfig, Trackers};
use torr::proto::announce::{
    AnnounceEvent, AnnounceReply, DEFAULT_INTERVAL, MAX_INTERVAL, MAX_TEXT, MIN_INTERVAL,
};
use torr::swarm::event::TrackerFailure;

use super::script::{Act, Script};
use super::{HASH, hasty, patient, say, started, unreachable};

const EMPTY: &[u8] = b"d8:intervali1800e5:peers0:e";

/// Announces to a server that answers like this.
async fn fate(act: Act) -> Result<AnnounceReply, TrackerFailure> {
    let script = Script::start(act).await;
    patient().announce(&script.url(), &started(1)).await
}

#[tokio::test]
async fn a_request_is_what_the_standards_ask_for() {
    let script = Script::start(Act::ok(EMPTY)).await;
    let url = format!("{}?passkey=a%20b", script.url());
    patient().announce(&url, &started(6881)).await.expect("a good answer");
    let head = script.requests().remove(0);
    let line = head.lines().next().expect("a request line");
    assert!(line.starts_with("GET /announce?passkey=a%20b&"), "{line}");
    let query = line.split(['?', ' ']).nth(2).expect("a query");
    let pairs: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    for (key, value) in [
        ("info_hash", "]".repeat(20).as_str()),
        ("port", "6881"),
        ("uploaded", "1"),
        ("downloaded", "2"),
        ("left", "100"),
        ("event", "started"),
        ("compact", "1"),
    ] {
        assert_eq!(pairs.get(key).map(String::as_str), Some(value), "{key} in {line}");
    }
    let head = head.to_ascii_lowercase();
    assert!(head.contains("user-agent: torr/"), "{head}");
    assert!(head.contains("accept-encoding: gzip"), "{head}");
    assert!(!head.contains("referer"), "{head}");
}

#[tokio::test]
async fn a_gzip_bomb_is_cut_while_it_inflates() {
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b'0'; 1 << 20];
    for _ in 0..64 {
        bomb.write_all(&zeros).expect("memory");
    }
    let bomb = bomb.finish().expect("memory");
    assert!(bomb.len() < 100_000);
    let sentence = unreachable(fate(Act::page("200 OK", "Content-Encoding: gzip\r\n", &bomb)).await);
    assert!(sentence.contains("1 MiB"), "{sentence}");
}

#[tokio::test]
async fn a_zipped_answer_is_read() {
    let mut zip = GzEncoder::new(Vec::new(), Compression::best());
    zip.write_all(EMPTY).expect("memory");
    let zip = zip.finish().expect("memory");
    let reply = fate(Act::page("200 OK", "Content-Encoding: gzip\r\n", &zip)).await.expect("a good answer");
    assert_eq!(reply.interval, Duration::from_secs(1800));
}

#[tokio::test]
async fn endless_bodies_chunks_and_headers_end() {
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let body = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"1000\r\n".as_slice(), &[b'x'; 0x1000], b"\r\n"].concat();
    let extension = [b"1;".as_slice(), &[b'x'; 4096]].concat();
    for (name, first, then) in [
        ("headers", head.clone(), b"X: y\r\n".repeat(100)),
        ("one header", [head.as_slice(), b"X: "].concat(), vec![b'y'; 4096]),
        ("no end of the status line", b"HTTP/1.1 200 ".to_vec(), vec![b'O'; 4096]),
        ("body", body, vec![b'x'; 65_536]),
        ("chunks", chunked.clone(), chunk),
        ("chunk extension", chunked, extension),
    ] {
        let sentence = unreachable(fate(Act::Pour(first, then)).await);
        assert!(!sentence.contains("in time"), "{name}: {sentence}");
    }
}

#[tokio::test]
async fn a_body_of_framing_alone_ends() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let script = Script::start(Act::Pour(chunked, vec![b'0'; 4096])).await;
    let trackers = Trackers::new(TrackerConfig {
        stall_timeout: Duration::from_millis(100),
        ..TrackerConfig::default()
    });
    let sentence = unreachable(trackers.announce(&script.url(), &started(1)).await);
    assert!(sentence.contains("stalled"), "{sentence}");
}

#[tokio::test]
async fn wrong_lengths_are_found_out() {
    for bytes in [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nd8:intervali1800e5:peers0:e".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nd8:intervali1800e5:peers0:e".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nd1:xe".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 27\r\n\r\nd8:intervali1800e5:peers0:e"
            .to_vec(),
        b"HTTP/1.1 2\r\n\r\n".to_vec(),
        b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(),
        b"\0\0\0\0".to_vec(),
        Vec::new(),
    ] {
        unreachable(fate(Act::Say(bytes)).await);
    }
}

#[tokio::test]
async fn redirects_are_followed_five_times_and_no_more() {
    let script = Script::start(Act::redirect("/announce")).await;
    let sentence = unreachable(patient().announce(&script.url(), &started(1)).await);
    assert!(sentence.contains("too often"), "{sentence}");
    assert_eq!(script.requests().len(), 6);

    let script = Script::with(|line| {
        let hops = line.matches("hop").count();
        if hops < 5 {
            Act::redirect(&format!("/announce?{}", "hop".repeat(hops + 1)))
        } else {
            Act::ok(EMPTY)
        }
    })
    .await;
    patient().announce(&script.url(), &started(1)).await.expect("the fifth redirect is followed");
}

#[tokio::test]
async fn redirects_that_break_a_rule_are_not_followed() {
    let target = Script::start(Act::ok(EMPTY)).await;
    for location in [
        format!("http://{}/admin", target.addr),
        format!("http://{}/", target.addr),
        format!("udp://{}/announce", target.addr),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1/announce".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://".to_owned(),
        format!("http://{}/x{}", target.addr, "y".repeat(5000)),
    ] {
        unreachable(fate(Act::redirect(&location)).await);
    }
    assert_eq!(target.requests(), Vec::<String>::new());
    fate(Act::redirect(&target.url())).await.expect("from local to a local tracker is allowed");
}

#[tokio::test]
async fn forbidden_addresses_are_not_even_connected_to() {
    let script = Script::start(Act::ok(EMPTY)).await;
    let host = script.addr;
    for url in [
        format!("http://{host}/"),
        format!("http://{host}/reboot"),
        format!("http://{host}/announce?info_hash=x"),
        format!("http://{host}/announce?a=b&EVENT=stopped"),
        format!("http://localhost:{}/admin", host.port()),
        format!("http://[::ffff:127.0.0.1]:{}/admin", host.port()),
        format!("ftp://{host}/announce"),
        format!("ws://{host}/announce"),
        "not an address".to_owned(),
        String::new(),
    ] {
        unreachable(patient().announce(&url, &started(1)).await);
        assert!(patient().scrape(&url, HASH).await.is_err(), "{url}");
    }
    assert_eq!(script.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn who_stalls_is_given_up() {
    for bytes in
        [b"".as_slice(), b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nd8:"]
    {
        let script = Script::start(Act::Stall(bytes.to_vec())).await;
        let sentence = unreachable(hasty().announce(&script.url(), &started(1)).await);
        assert!(sentence.contains("in time"), "{sentence}");
    }
}

#[tokio::test]
async fn a_dead_tracker_does_not_delay_another() {
    let (dead, alive) = (Script::start(Act::Stall(Vec::new())).await, Script::start(Act::ok(EMPTY)).await);
    let (trackers, dead_url) = (patient(), dead.url());
    let mut stuck: Vec<_> = (0..50)
        .map(|n| {
            Box::pin({
                let (trackers, url) = (&trackers, &dead_url);
                async move { trackers.announce(url, &started(n)).await }
            })
        })
        .collect();
    for one in &mut stuck {
        assert!(one.now_or_never().is_none());
    }
    trackers.announce(&alive.url(), &started(1)).await.expect("a good answer");
}

#[tokio::test]
async fn what_is_no_trackers_answer_is_said_to_be_none() {
    for body in [
        b"<!DOCTYPE html><html><body>It works!</body></html>".as_slice(),
        b"",
        b"d",
        b"i1e",
        b"le",
        b"d8:intervali1800e5:peers5:\x01\x02\x03\x04\x05",
        &vec![b'l'; 200_000],
        &vec![b'd'; 200_000],
    ] {
        unreachable(fate(Act::ok(body)).await);
    }
}

#[tokio::test]
async fn numbers_without_sense_are_clamped() {
    for (interval, waited) in [
        ("i0e", MIN_INTERVAL),
        ("i-1e", MIN_INTERVAL),
        ("i2147483648e", MAX_INTERVAL),
        ("i9223372036854775807e", MAX_INTERVAL),
        ("i1800e", Duration::from_secs(1800)),
    ] {
        let body = format!("d8:completei-5e10:incompletei99999999999e8:interval{interval}5:peers0:e");
        let reply = fate(Act::ok(body.as_bytes())).await.expect("a usable answer");
        assert_eq!((reply.interval, reply.seeds, reply.leechers), (waited, None, None), "{interval}");
    }
    let reply = fate(Act::ok(b"d5:peers0:e")).await.expect("a usable answer");
    assert_eq!(reply.interval, DEFAULT_INTERVAL);
}

#[tokio::test]
async fn peers_of_an_odd_length_do_not_harm() {
    // Ten bytes: one address and a bit.
    let body = b"d8:intervali1800e5:peers10:\x0a\x00\x00\x01\x1a\xe1\x00\x00\x00\x00e";
    if let Ok(reply) = fate(Act::ok(body)).await {
        assert!(reply.peers.len() <= 1, "{reply:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_heard_whatever_the_status_and_cut() {
    let long = "x\u{1b}[2J".repeat(100_000);
    let body = format!("d14:failure reason{}:{long}8:retry in5:nevere", long.len());
    for status in ["200 OK", "400 Bad Request", "403 Forbidden", "503 Service Unavailable"] {
        match fate(Act::page(status, "", body.as_bytes())).await {
            Err(TrackerFailure::Refused(reason, again)) => {
                assert!(reason.raw().chars().count() <= MAX_TEXT, "{status}");
                assert!(!reason.to_string().contains('\u{1b}'), "{status}");
                assert_eq!(again, Some(Duration::MAX), "{status}");
            }
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_error_status_is_a_sentence() {
    for (status, shown) in
        [("404 Not Found", "404 Not Found"), ("500 <script>", "500"), ("204 No Content", "")]
    {
        let sentence = unreachable(fate(Act::page(status, "", b"")).await);
        assert!(sentence.contains(shown) && !sentence.contains("script"), "{sentence}");
    }
    // An announce that is not for an error status is none, whatever the body says.
    assert!(fate(Act::page("500 Oops", "", EMPTY)).await.is_err());
}

#[tokio::test]
async fn a_goodbye_is_not_waited_for_long() {
    let script = Script::start(Act::Stall(Vec::new())).await;
    let trackers = Trackers::new(TrackerConfig {
        stopped_deadline: Duration::from_millis(100),
        ..TrackerConfig::default()
    });
    unreachable(trackers.announce(&script.url(), &say(1, 0, AnnounceEvent::Stopped)).await);
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let cert = include_bytes!("self_signed.cert.der").to_vec().into();
    let key =
        rustls::pki_types::PrivatePkcs8KeyDer::from(include_bytes!("self_signed.key.der").to_vec()).into();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the default versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .expect("the certificate fits the key");
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("an address").port();
    let served = std::thread::spawn(move || {
        let config = Arc::new(config);
        let mut served = 0;
        for _ in 0..2 {
            let (mut tcp, _) = listener.accept().expect("a client");
            let mut tls = rustls::ServerConnection::new(Arc::clone(&config)).expect("a session");
            let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
            served += usize::from(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nd5:peers0:e").is_ok());
        }
        served
    });
    for host in ["127.0.0.1", "localhost"] {
        let sentence =
            unreachable(patient().announce(&format!("https://{host}:{port}/announce"), &started(1)).await);
        assert!(sentence.contains("certificate") || sentence.contains("encrypted"), "{sentence}");
    }
    // Without system certificates no connection is attempted, so the server would wait for ever.
    for _ in 0..2 {
        let _ = std::net::TcpStream::connect(("127.0.0.1", port));
    }
    assert!(served.join().is_ok());
}
