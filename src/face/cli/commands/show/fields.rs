//! The plain output: every value by the name scripts use.

use crate::app::Error;
use crate::app::selection::Listed;
use crate::base::Untrusted;

use super::about::About;

/// Every name of a field, in the order in which they are shown.
pub const NAMES: [&str; 22] = [
    "name",
    "info_hash",
    "info_hash_v2",
    "size",
    "files",
    "pieces",
    "piece_length",
    "private",
    "created",
    "created_by",
    "comment",
    "source",
    "encoding",
    "tracker",
    "web_seed",
    "http_seed",
    "node",
    "peer",
    "select",
    "note",
    "magnet",
    "file",
];

/// Every value by its name, in the order of [`NAMES`]; lists repeat their name. The files are told apart.
pub fn fields(about: &About) -> Vec<(&'static str, String)> {
    let extras = &about.extras;
    let mut fields = Vec::new();
    let mut add = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    let clean = |text: &Option<Untrusted>| text.as_ref().map(Untrusted::clean);
    add("name", clean(&about.name));
    add("info_hash", about.v1());
    add("info_hash_v2", about.v2_hash());
    if let Some(content) = &about.content {
        add("size", Some(content.size.to_string()));
        add("files", Some(content.files.len().to_string()));
        add("pieces", Some(content.pieces.to_string()));
        add("piece_length", Some(content.piece_len.to_string()));
        add("private", Some(if content.private { "yes" } else { "no" }.to_owned()));
    }
    add("created", about.created().map(|at| at.to_string()));
    add("created_by", clean(&extras.created_by));
    add("comment", clean(&extras.comment));
    add("source", about.content.as_ref().and_then(|content| clean(&content.source)));
    add("encoding", clean(&extras.encoding));
    for url in extras.trackers.iter().flatten() {
        add("tracker", Some(url.clean()));
    }
    for url in &extras.web_seeds {
        add("web_seed", Some(url.clean()));
    }
    for url in &extras.http_seeds {
        add("http_seed", Some(url.clean()));
    }
    for (host, port) in &extras.nodes {
        add("node", Some(format!("{host}:{port}")));
    }
    if let Some(hints) = &about.link {
        for peer in &hints.peers {
            add("peer", Some(peer.clone()));
        }
        add("select", hints.select.clone());
    }
    for note in &about.notes {
        add("note", Some(note.clone()));
    }
    add("magnet", Some(about.magnet.to_string()));
    fields
}

/// The files with tabs between number, size and path.
pub fn files(about: &About) -> impl Iterator<Item = String> + '_ {
    about.listed().map(|listed| file(&listed))
}

/// One file with tabs between number, size and path.
pub fn file(file: &Listed<'_>) -> String {
    format!("{}\t{}\t{}", file.number, file.len, Untrusted::new(file.path))
}

/// The values of one field, perhaps none; a failure where there is no such field.
pub fn one(about: &About, field: &str) -> Result<Vec<String>, Error> {
    if field == "file" {
        return Ok(files(about).collect());
    }
    if !NAMES.contains(&field) {
        let message = format!("unknown field '{}'", Untrusted::new(field).fit(60));
        let near = NAMES.iter().map(|name| (distance(field, name), name)).min();
        let hint = match near {
            Some((steps, name)) if steps <= 2.max(name.len() / 3) => format!("did you mean: --field {name}"),
            _ => format!("fields: {}", NAMES.join(", ")),
        };
        return Err(Error::usage(message).hint(hint));
    }
    Ok(fields(about).into_iter().filter(|(name, _)| *name == field).map(|(_, value)| value).collect())
}

/// How many letters must be put in, taken out or changed to make one word of the other; case and the
/// difference between `-` and `_` do not count.
fn distance(from: &str, to: &str) -> usize {
    let plain = |text: &str| -> Vec<char> {
        text.chars().take(64).map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
    };
    let (from, to) = (plain(from), plain(to));
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, a) in from.iter().enumerate() {
        let mut corner = row[0];
        row[0] = at + 1;
        for (n, b) in to.iter().enumerate() {
            let next = (corner + usize::from(a != b)).min(row[n] + 1).min(row[n + 1] + 1);
            corner = row[n + 1];
            row[n + 1] = next;
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::InfoHashes;
    use crate::proto::magnet::Magnet;

    #[test]
    fn words_are_so_many_letters_apart() {
        for (from, to, steps) in
            [("", "", 0), ("name", "nme", 1), ("info-hash", "INFO_HASH", 0), ("abc", "", 3)]
        {
            assert_eq!(distance(from, to), steps, "{from} {to}");
        }
    }

    #[test]
    fn an_unknown_field_is_answered_with_the_nearest() {
        let about = About::link(Magnet::new(InfoHashes::from_v1([1; 20])), &[]);
        assert_eq!(one(&about, "magent").unwrap_err().sentence().unwrap(), "did you mean: --field magnet");
        assert_eq!(
            one(&about, "infohash").unwrap_err().sentence().unwrap(),
            "did you mean: --field info_hash"
        );
        assert!(
            one(&about, "zzzzzzzz").unwrap_err().sentence().unwrap().starts_with("fields: name, info_hash")
        );
        assert_eq!(one(&about, "size").unwrap(), Vec::<String>::new());
        for (name, _) in fields(&about) {
            assert!(NAMES.contains(&name));
        }
    }
}
