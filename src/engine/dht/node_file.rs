//! The file that stores a node's ids and known nodes between runs.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::base::NodeId;
use crate::dht::{Family, Saved};
use crate::proto::bencode::{self, Limits, Tree, Value};
use crate::store::write_atomic;

/// Maximum number of stored nodes of each address family.
pub(super) const MAX_NODES: usize = 200;
/// Maximum size of the file, in bytes.
const MAX_FILE_LEN: u64 = 64 << 10;

/// The node file. Its lock keeps other nodes from using the same ids.
#[derive(Debug)]
pub(super) struct NodeFile {
    path: PathBuf,
    /// `None` if another node holds the lock: the file is read, but not written.
    lock: Option<File>,
}

impl NodeFile {
    /// Locks and reads the file. A damaged file counts as empty.
    pub(super) fn open(path: PathBuf) -> (Self, Saved) {
        let lock = lock(&path);
        let mut saved = read(&path).unwrap_or_default();
        if lock.is_none() {
            // Two nodes must not share an id.
            saved.ids.clear();
        }
        (Self { path, lock }, saved)
    }

    /// Saves the nodes, unless there are none: older nodes are better than none.
    pub(super) fn save(&self, saved: &Saved) {
        if self.lock.is_none() || saved.nodes.is_empty() {
            return;
        }
        if let Err(error) = write_atomic(&self.path, &encode(saved), true) {
            tracing::debug!(%error, "the nodes of the DHT could not be kept");
        }
    }
}

fn lock(path: &Path) -> Option<File> {
    fs::create_dir_all(path.parent()?).ok()?;
    let file =
        File::options().create(true).truncate(false).write(true).open(path.with_extension("lock")).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

fn read(path: &Path) -> Option<Saved> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_FILE_LEN + 1).read_to_end(&mut bytes).ok()?;
    decode(&bytes)
}

/// Encodes the file.
pub fn encode(saved: &Saved) -> Vec<u8> {
    bencode::dict(|file| {
        for (family, id) in &saved.ids {
            file.bytes(if *family == Family::V4 { "id" } else { "id6" }, id.0);
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for node in &saved.nodes {
            match node {
                SocketAddr::V4(addr) => {
                    v4.extend(addr.ip().octets());
                    v4.extend(addr.port().to_be_bytes());
                }
                SocketAddr::V6(addr) => {
                    v6.extend(addr.ip().octets());
                    v6.extend(addr.port().to_be_bytes());
                }
            }
        }
        file.bytes("nodes", v4).bytes("nodes6", v6).int("version", 1);
    })
}

/// Decodes the file; `None` if it is damaged.
pub fn decode(bytes: &[u8]) -> Option<Saved> {
    let tree = Tree::parse(bytes, Limits::KRPC).ok()?;
    let root = tree.root();
    if !tree.rest().is_empty() || root.get(b"version").and_then(|version| version.int()) != Some(1) {
        return None;
    }
    let id = |family, key| {
        let bytes: [u8; 20] = root.get(key).as_ref().and_then(Value::bytes)?.try_into().ok()?;
        Some((family, NodeId(bytes)))
    };
    let ids = [id(Family::V4, b"id".as_slice()), id(Family::V6, b"id6".as_slice())];
    let list = |key| root.get(key).as_ref().and_then(Value::bytes).unwrap_or_default();
    let (v4, _) = list(b"nodes".as_slice()).as_chunks::<6>();
    let (v6, _) = list(b"nodes6".as_slice()).as_chunks::<18>();
    let v4 = v4.iter().take(MAX_NODES).map(|&[a, b, c, d, high, low]| {
        SocketAddr::from((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])))
    });
    let v6 = v6.iter().take(MAX_NODES).map(|chunk| {
        let ip: [u8; 16] = std::array::from_fn(|at| chunk[at]);
        SocketAddr::from((Ipv6Addr::from(ip), u16::from_be_bytes([chunk[16], chunk[17]])))
    });
    Some(Saved { ids: ids.into_iter().flatten().collect(), nodes: v4.chain(v6).collect() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some() -> Saved {
        Saved {
            ids: vec![(Family::V4, NodeId([1; 20])), (Family::V6, NodeId([2; 20]))],
            nodes: vec!["192.0.2.1:6881".parse().unwrap(), "[2001:db8::1]:1".parse().unwrap()],
        }
    }

    #[test]
    fn what_is_kept_is_found_again_by_one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/dht-nodes");
        let (node_file, before) = NodeFile::open(path.clone());
        assert_eq!(before, Saved::default());
        node_file.save(&some());
        node_file.save(&Saved::default());
        let (second, seen) = NodeFile::open(path.clone());
        assert_eq!(seen, Saved { ids: Vec::new(), ..some() });
        second.save(&Saved { nodes: vec!["192.0.2.9:9".parse().unwrap()], ..some() });
        drop((node_file, second));
        assert_eq!(NodeFile::open(path).1, some());
    }

    #[test]
    fn a_damaged_file_is_ignored() {
        let whole = encode(&some());
        assert_eq!(decode(&whole), Some(some()));
        for end in 0..whole.len() {
            assert_eq!(decode(&whole[..end]), None, "{end}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dht-nodes");
        fs::write(&path, vec![b'd'; 1 << 20]).unwrap();
        let (node_file, seen) = NodeFile::open(path.clone());
        assert_eq!(seen, Saved::default());
        node_file.save(&some());
        assert_eq!(read(&path), Some(some()));
    }

    #[test]
    fn so_many_nodes_are_read() {
        let many = |n: u32| SocketAddr::from((Ipv4Addr::from(0x0800_0000 + n), 1));
        let saved = Saved { ids: Vec::new(), nodes: (0..5000).map(many).collect() };
        assert_eq!(decode(&encode(&saved)).unwrap().nodes.len(), MAX_NODES);
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }

        #[test]
        fn no_lists_are_too_strange(
            v4 in prop::collection::vec(any::<u8>(), 0..100),
            v6 in prop::collection::vec(any::<u8>(), 0..100),
            id in prop::collection::vec(any::<u8>(), 15..25),
        ) {
            let file = bencode::dict(|d| {
                d.bytes("id", &id).bytes("nodes", &v4).bytes("nodes6", &v6).int("version", 1);
            });
            let saved = decode(&file).unwrap();
            prop_assert_eq!(saved.ids.len(), usize::from(id.len() == 20));
            prop_assert_eq!(saved.nodes.len(), v4.len() / 6 + v6.len() / 18);
        }
    }
}
