//! The facts about a torrent as a JSON document: `torr.show/1`.

use serde::Serialize;

use crate::base::Untrusted;

use super::about::About;

/// The document. What a link does not tell is null.
#[derive(Serialize)]
pub struct Document {
    schema: &'static str,
    /// `torrent` or `magnet`.
    kind: &'static str,
    name: Option<String>,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
    size: Option<u64>,
    piece_length: Option<u32>,
    pieces: Option<u64>,
    private: Option<bool>,
    created: Option<String>,
    created_by: Option<String>,
    comment: Option<String>,
    source: Option<String>,
    encoding: Option<String>,
    trackers: Vec<Vec<String>>,
    web_seeds: Vec<String>,
    http_seeds: Vec<String>,
    nodes: Vec<String>,
    peers: Vec<String>,
    select: Option<String>,
    magnet: String,
    notes: Vec<String>,
    files: Option<Vec<FileDocument>>,
}

#[derive(Serialize)]
struct FileDocument {
    index: usize,
    path: String,
    size: u64,
    executable: bool,
    hidden: bool,
}

/// Makes it.
pub fn document(about: &About) -> Document {
    let extras = &about.extras;
    let content = about.content.as_ref();
    let raw = |text: &Untrusted| text.raw().to_owned();
    Document {
        schema: "torr.show/1",
        kind: if content.is_some() { "torrent" } else { "magnet" },
        name: about.name.as_ref().map(raw),
        info_hash: about.v1(),
        info_hash_v2: about.v2_hash(),
        size: content.map(|content| content.size),
        piece_length: content.map(|content| content.piece_len),
        pieces: content.map(|content| content.pieces),
        private: content.map(|content| content.private),
        created: about.created().map(|at| at.to_string()),
        created_by: extras.created_by.as_ref().map(raw),
        comment: extras.comment.as_ref().map(raw),
        source: content.and_then(|content| content.source.as_ref()).map(raw),
        encoding: extras.encoding.as_ref().map(raw),
        trackers: extras.trackers.iter().map(|tier| tier.iter().map(raw).collect()).collect(),
        web_seeds: extras.web_seeds.iter().map(raw).collect(),
        http_seeds: extras.http_seeds.iter().map(raw).collect(),
        nodes: extras.nodes.iter().map(|(host, port)| format!("{}:{port}", host.raw())).collect(),
        peers: about.link.as_ref().map(|hints| hints.peers.clone()).unwrap_or_default(),
        select: about.link.as_ref().and_then(|hints| hints.select.clone()),
        magnet: about.magnet.to_string(),
        notes: about.notes.clone(),
        files: content.map(|content| {
            let file = |file: &super::about::Entry| FileDocument {
                index: file.number,
                path: file.path.clone(),
                size: file.len,
                executable: file.attributes.is_executable(),
                hidden: file.attributes.is_hidden(),
            };
            content.files.iter().map(file).collect()
        }),
    }
}
