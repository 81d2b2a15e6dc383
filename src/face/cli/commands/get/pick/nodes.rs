//! The files of a torrent as a tree in one list: each folder before what lies in it.

use std::collections::BTreeMap;

use crate::app::selection::{Listed, listed};
use crate::proto::metainfo::Metainfo;

/// Folders and files in the order in which they are drawn.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, a stranger's words.
    pub name: String,
    /// How many folders it lies in.
    pub depth: usize,
    /// The folder it lies in.
    pub parent: Option<usize>,
    /// One past the last of what lies in it.
    pub end: usize,
    /// Its bytes.
    pub size: u64,
    /// The index of the file in the torrent; a folder has none.
    pub file: Option<usize>,
    /// A folder is unfolded.
    pub open: bool,
    /// A file is chosen.
    pub chosen: bool,
    /// Passes the filter: a file by itself, a folder by one of its files.
    pub passes: bool,
}

/// Folders that hold more than this are folded at first.
const MANY: usize = 200;

/// Builds the tree from the paths; a folder stands where its first file does. Files of one folder may stand
/// apart in the torrent, so they are gathered first.
pub fn nodes(torrent: &Metainfo, wanted: &[bool]) -> Vec<Node> {
    let files: Vec<Listed<'_>> = listed(torrent).collect();
    let dirs = gather(&files);
    let mut nodes: Vec<Node> = Vec::new();
    // Folders that are open, each with the next of its entries and its node.
    let mut open: Vec<(usize, usize, Option<usize>)> = vec![(0, 0, None)];
    while let Some((dir, next, parent)) = open.last_mut() {
        let (dir, parent) = (*dir, *parent);
        let Some(&(name, entry)) = dirs[dir].entries.get(*next) else {
            if let Some(at) = parent {
                let size =
                    nodes[at + 1..].iter().filter(|node| node.file.is_some()).map(|node| node.size).sum();
                let count = dirs[dir].entries.len();
                (nodes[at].end, nodes[at].size) = (nodes.len(), size);
                nodes[at].open = nodes[at].depth == 0 || count <= MANY;
            }
            open.pop();
            continue;
        };
        *next += 1;
        let (at, depth) = (nodes.len(), open.len() - 1);
        let file = entry.ok().map(|number| &files[number]);
        nodes.push(Node {
            name: name.to_owned(),
            depth,
            parent,
            end: at + 1,
            size: file.map_or(0, |file| file.len),
            file: file.map(|file| file.number - 1),
            open: false,
            chosen: file.is_some_and(|file| wanted.get(file.number - 1).copied().unwrap_or(true)),
            passes: true,
        });
        if let Err(dir) = entry {
            open.push((dir, 0, Some(at)));
        }
    }
    nodes
}

/// A folder: its entries in the order in which they first appear, files and folders by number.
#[derive(Default)]
struct Dir<'a> {
    entries: Vec<(&'a str, Result<usize, usize>)>,
    known: BTreeMap<&'a str, usize>,
}

fn gather<'a>(files: &[Listed<'a>]) -> Vec<Dir<'a>> {
    let mut dirs = vec![Dir::default()];
    for (number, file) in files.iter().enumerate() {
        let mut dir = 0;
        let (folders, name) = file.path.rsplit_once('/').unwrap_or(("", file.path));
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            dir = match dirs[dir].known.get(part) {
                Some(&known) => known,
                None => {
                    let new = dirs.len();
                    dirs.push(Dir::default());
                    dirs[dir].known.insert(part, new);
                    dirs[dir].entries.push((part, Err(new)));
                    new
                }
            };
        }
        dirs[dir].entries.push((name, Ok(number)));
    }
    dirs
}
