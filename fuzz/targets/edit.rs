//! Changes of a torrent file.

use torr::base::Untrusted;
use torr::proto::metainfo::{Edit, Field, Fields};

use super::draws::Draws;

pub fn run(data: &[u8]) {
    let mut draws = Draws::new(data);
    let (which, text) = (draws.byte(), String::from_utf8_lossy(draws.string()).into_owned());
    let bytes = draws.rest();
    let Ok(mut edit) = Edit::new(bytes) else { return };
    let first = edit.clone();
    assert!(bytes.ends_with(&bytes[bytes.len() - edit.trailing()..]));

    let same = edit.fields().clone();
    assert_eq!(edit.apply(&same), Ok(Vec::new()), "nothing is changed by what is there already");
    assert_eq!(edit.info_hash(), first.info_hash());
    assert_eq!(edit.to_bytes(), first.to_bytes());

    let wanted = change(&same, which, &text);
    let Ok(changed) = edit.apply(&wanted) else {
        assert_eq!(edit.to_bytes(), first.to_bytes(), "a change that cannot be made changes nothing");
        return;
    };
    let of_info = changed.iter().any(|field| field.is_of_info());
    assert!(of_info || edit.info_hash() == first.info_hash(), "only the info dictionary changes the hash");
    assert_eq!(changed.is_empty(), wanted == same);
    assert!(changed.iter().all(|field| !field.name().is_empty()));
    let again = Edit::new(&edit.to_bytes()).expect("what is written can be read");
    assert_eq!((again.fields(), again.info_hash()), (edit.fields(), edit.info_hash()));
    assert_eq!(again.to_bytes(), edit.to_bytes());
    // A text that is a text is said afterwards as it was wanted.
    if changed.contains(&Field::Name) {
        assert_eq!(edit.fields().name, wanted.name);
    }
}

fn change(fields: &Fields, which: u8, text: &str) -> Fields {
    let mut wanted = fields.clone();
    let new = Untrusted::new(text);
    match which % 8 {
        0 => wanted.comment = Some(new).filter(|_| !text.is_empty()),
        1 if !text.is_empty() => wanted.name = new,
        2 => wanted.private = !fields.private,
        3 => wanted.source = Some(new).filter(|_| !text.is_empty()),
        4 => wanted.trackers.push(vec![new]),
        5 => wanted.trackers.clear(),
        6 => wanted.web_seeds.push(new),
        _ => wanted.creation_date = Some(i64::from(which)),
    }
    wanted
}
