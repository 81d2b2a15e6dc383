//! Magnet links (BEP 9, BEP 53).

use torr::proto::magnet::Magnet;

pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok((magnet, notes)) = Magnet::parse_with_notes(&text) else { return };
    for count in [magnet.trackers.len(), magnet.web_seeds.len(), magnet.peers.len(), magnet.named_peers.len()]
    {
        assert!(count <= 200);
    }
    assert!(magnet.select.len() <= 2000 && magnet.select.iter().all(|range| range.start() <= range.end()));
    assert!(magnet.peers.iter().all(|peer| peer.port() != 0));
    for note in notes {
        assert!(!note.to_string().is_empty());
    }
    let link = magnet.to_string();
    assert!(link.bytes().all(|byte| byte.is_ascii_graphic()), "a link is printable");
    assert_eq!(Magnet::parse_with_notes(&link), Ok((magnet, Vec::new())), "what is written is read");
}
