//! Bencode: the guard, the tree, and the writer.

use torr::proto::bencode::{DictWriter, Limits, Tree, Value, dict, int, list, scan, string};

/// Limits that a short input reaches.
const TIGHT: Limits = Limits { len: 4096, depth: 6, tokens: 40 };

pub fn run(data: &[u8]) {
    let key: &[u8] = if data.first() == Some(&b'd') { b"info" } else { b"" };
    for limits in [TIGHT, Limits::KRPC, Limits::MESSAGE] {
        let (scanned, tree) = (scan(data, limits, key), Tree::parse(data, limits));
        match (&scanned, &tree) {
            (Ok(scanned), Ok(tree)) => {
                assert_eq!(scanned.len + tree.rest().len(), data.len(), "both end at the same byte");
                assert!(count(tree.root()) <= limits.tokens, "values are counted");
                assert!(depth(tree.root()) <= limits.depth, "nesting is bounded");
                let found = tree.root().get(key).map(|value| value.raw());
                assert_eq!(scanned.wanted.clone().map(|range| &data[range]), found, "both find the key");
            }
            (Err(one), Err(other)) => assert_eq!(one, other),
            _ => panic!("the guard and the tree disagree: {scanned:?}, {tree:?}"),
        }
    }
    let Ok(scanned) = scan(data, Limits::MESSAGE, key) else { return };
    let tree = Tree::parse(data, Limits::MESSAGE).expect("it was scanned");
    let again = write(tree.root());
    let canonical = scanned.unsorted.is_none();
    assert!(canonical || again != data[..scanned.len], "what is out of order is changed by writing it");
    assert!(!canonical || again == data[..scanned.len], "what is in order is written as it was read");
    assert!(scanned.duplicates.is_empty() || !canonical, "a repeated key is out of order");
    let rescanned = scan(&again, Limits::MESSAGE, key).expect("what is written can be read");
    assert_eq!((rescanned.unsorted, rescanned.duplicates.len()), (None, 0), "the writer is canonical");
}

/// The value as the writer has it.
fn write(value: Value<'_, '_>) -> Vec<u8> {
    if let Some(number) = value.int() {
        int(number)
    } else if let Some(text) = value.bytes() {
        string(text)
    } else if value.is_list() {
        // The writer of lists takes no raw values.
        let mut out = list(|_| {});
        for item in value.list() {
            out.splice(out.len() - 1..out.len() - 1, write(item));
        }
        out
    } else {
        let entries: Vec<_> = value.dict().map(|(key, value)| (key, write(value))).collect();
        dict(|out: &mut DictWriter| {
            for (key, value) in entries {
                out.raw(key, value);
            }
        })
    }
}

/// All values, keys counted too.
fn count(value: Value<'_, '_>) -> usize {
    let inner = value.list().map(count).sum::<usize>();
    1 + inner + value.dict().map(|(_, value)| 1 + count(value)).sum::<usize>()
}

fn depth(value: Value<'_, '_>) -> usize {
    let inner = value.list().map(depth).chain(value.dict().map(|(_, value)| depth(value))).max();
    usize::from(value.is_list() || value.is_dict()) + inner.unwrap_or(0)
}
