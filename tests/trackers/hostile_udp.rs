//! UDP trackers that are silent, forged, cut short or restarted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use torr::net::tracker::{TrackerConfig, Trackers};
use torr::swarm::event::TrackerFailure;

use super::{HASH, hasty, patient, started, unreachable};

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const ERROR: u32 = 3;
const MAGIC: u64 = 0x0417_2710_1980;

/// What a request says: its first eight bytes, action and transaction.
fn head(packet: &[u8]) -> (u64, u32, u32) {
    let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().expect("four bytes"));
    (u64::from(word(0)) << 32 | u64::from(word(4)), word(8), word(12))
}

fn connected(tid: u32, id: u64) -> Vec<u8> {
    [&CONNECT.to_be_bytes()[..], &tid.to_be_bytes(), &id.to_be_bytes()].concat()
}

/// An answer with interval 1800, 1 leecher, 2 seeds and one peer.
fn announced(tid: u32) -> Vec<u8> {
    let words = [ANNOUNCE, tid, 1800, 1, 2].map(u32::to_be_bytes).concat();
    [&words[..], &[10, 0, 0, 1, 0x1a, 0xe1]].concat()
}

/// A UDP server that answers each packet with the packets the script gives; it ends when it is dropped.
struct Script {
    addr: SocketAddr,
    heard: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Script {
    async fn start(mut script: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
        let addr = socket.local_addr().expect("an address");
        let heard = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&heard);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((length, source)) = socket.recv_from(&mut buffer).await {
                counter.fetch_add(1, Ordering::SeqCst);
                for packet in script(&buffer[..length]) {
                    let _ = socket.send_to(&packet, source).await;
                }
            }
        });
        Self { addr, heard, _tasks: tasks }
    }

    fn url(&self) -> String {
        format!("udp://{}/announce", self.addr)
    }
}

#[tokio::test]
async fn packets_that_do_not_fit_are_passed_over() {
    let script = Script::start(|packet| {
        let (_, action, tid) = head(packet);
        let good = if action == CONNECT { connected(tid, 7) } else { announced(tid) };
        let wrong_action = [&9_u32.to_be_bytes()[..], &good[4..]].concat();
        let other_action = if action == CONNECT { announced(tid) } else { connected(tid, 8) };
        vec![
            Vec::new(),
            vec![0],
            good[..7].to_vec(),
            good[..good.len().min(15)].to_vec(),
            if action == CONNECT { connected(tid ^ 1, 9) } else { announced(tid.wrapping_add(1)) },
            wrong_action,
            other_action,
            [&ERROR.to_be_bytes()[..], &(!tid).to_be_bytes(), b"go away"].concat(),
            good,
        ]
    })
    .await;
    let reply = patient().announce(&script.url(), &started(1)).await.expect("the last packet is right");
    assert_eq!(reply.peers, ["10.0.0.1:6881".parse().expect("an address")]);
    assert_eq!((reply.seeds, reply.leechers), (Some(2), Some(1)));
}

#[tokio::test]
async fn an_answer_from_elsewhere_is_not_heard() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let addr = socket.local_addr().expect("an address");
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let forger = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
        let mut buffer = [0; 2048];
        while let Ok((length, source)) = socket.recv_from(&mut buffer).await {
            let (_, action, tid) = head(&buffer[..length]);
            let good = if action == CONNECT { connected(tid, 7) } else { announced(tid) };
            let _ = forger.send_to(&good, source).await;
        }
    });
    unreachable(hasty().announce(&format!("udp://{addr}/announce"), &started(1)).await);
}

#[tokio::test]
async fn a_lost_packet_is_sent_again() {
    let mut seen = 0;
    let script = Script::start(move |packet| {
        seen += 1;
        let (first, action, tid) = head(packet);
        match action {
            // The first connect, and the first announce, are lost.
            _ if seen == 1 || seen == 3 => Vec::new(),
            CONNECT => {
                assert_eq!(first, MAGIC);
                vec![connected(tid, 7)]
            }
            _ => vec![announced(tid)],
        }
    })
    .await;
    let trackers = Trackers::new(TrackerConfig {
        udp_first_wait: Duration::from_millis(100),
        ..TrackerConfig::default()
    });
    trackers.announce(&script.url(), &started(1)).await.expect("an answer in the end");
    assert!(script.heard.load(Ordering::SeqCst) >= 4);
}

#[tokio::test]
async fn a_silent_tracker_and_a_closed_port_are_given_up() {
    let silent = Script::start(|_| Vec::new()).await;
    let sentence = unreachable(hasty().announce(&silent.url(), &started(1)).await);
    assert!(sentence.contains("in time"), "{sentence}");

    let closed = UdpSocket::bind("127.0.0.1:0").await.expect("loopback").local_addr().expect("an address");
    let sentence = unreachable(patient().announce(&format!("udp://{closed}/announce"), &started(1)).await);
    assert!(sentence.contains("was refused"), "{sentence}");
}

#[tokio::test]
async fn a_connection_id_is_used_again_and_dropped_when_it_is_refused() {
    let connects = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connects);
    let mut used = 0;
    let script = Script::start(move |packet| {
        let (id, action, tid) = head(packet);
        if action == CONNECT {
            return vec![connected(tid, counter.fetch_add(1, Ordering::SeqCst) as u64)];
        }
        // The first id is good for two requests, the second for ever.
        used += usize::from(id == 0);
        if id == 0 && used > 2 {
            vec![[&ERROR.to_be_bytes()[..], &tid.to_be_bytes(), b"unknown connection"].concat()]
        } else {
            vec![announced(tid)]
        }
    })
    .await;
    let trackers = patient();
    for connected_so_far in [1, 1, 2, 2] {
        trackers.announce(&script.url(), &started(1)).await.expect("an answer");
        assert_eq!(connects.load(Ordering::SeqCst), connected_so_far);
    }
}

#[tokio::test]
async fn a_refusal_is_heard_and_cut() {
    let script = Script::start(|packet| {
        let (_, action, tid) = head(packet);
        if action == CONNECT {
            return vec![connected(tid, 7)];
        }
        vec![[&ERROR.to_be_bytes()[..], &tid.to_be_bytes(), &[b'x'; 8000]].concat()]
    })
    .await;
    match patient().announce(&script.url(), &started(1)).await {
        Err(TrackerFailure::Refused(reason, None)) => assert_eq!(reason.raw(), "x".repeat(200)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(patient().scrape(&script.url(), HASH).await, Err(TrackerFailure::Refused(..))));
}

#[tokio::test]
async fn the_path_travels_along() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let script = Script::start(move |packet| {
        let (_, action, tid) = head(packet);
        if action == CONNECT {
            return vec![connected(tid, 7)];
        }
        if let Some(tell) = tell.take() {
            let _ = tell.send(packet.to_vec());
        }
        vec![announced(tid)]
    })
    .await;
    let url = format!("{}?passkey=abc", script.url());
    patient().announce(&url, &started(1)).await.expect("an answer");
    let packet = told.await.expect("an announce");
    assert_eq!(&packet[98..100], &[2, 21]);
    assert_eq!(&packet[100..121], b"/announce?passkey=abc");
}
