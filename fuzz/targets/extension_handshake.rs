//! The handshake of extensions (BEP 10).

use torr::proto::extended::{ExtendedHandshake, Extension, MAX_CLIENT_CHARS};

pub fn run(data: &[u8]) {
    let Ok(hand) = ExtendedHandshake::decode(data) else { return };
    assert!(hand.ids.len() <= Extension::ALL.len());
    for extension in Extension::ALL {
        assert!(hand.ids.iter().filter(|(known, _)| *known == extension).count() <= 1, "each once");
        assert_ne!(hand.id_of(extension), Some(0));
    }
    assert_ne!(hand.port, Some(0));
    assert!(hand.client.as_ref().is_none_or(|client| client.raw().chars().count() <= MAX_CLIENT_CHARS));

    let bytes = hand.encode();
    let again = ExtendedHandshake::decode(&bytes).expect("what is written can be read");
    let mut sorted = hand.clone();
    sorted.ids.sort_by_key(|(extension, _)| extension.name());
    assert_eq!(again, sorted);
}
