//! A flat view of a bencoded value.

use super::error::BencodeError;
use super::number::parse_int;
use super::scan::{Limits, Scanner, Token, TokenKind};

/// A checked bencoded value and all values in it, borrowed from the bytes. The nodes are one list in the
/// order of the bytes, built without recursion, and take 12 bytes each.
#[derive(Clone, Debug)]
pub struct Tree<'a> {
    bytes: &'a [u8],
    nodes: Vec<Node>,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    begin: u32,
    end: u32,
    /// The index of the node after this one and everything inside it.
    next: u32,
}

impl<'a> Tree<'a> {
    /// Parses the value at the beginning of `bytes`.
    pub fn parse(bytes: &'a [u8], limits: Limits) -> Result<Self, BencodeError> {
        let mut scanner = Scanner::new(bytes, limits)?;
        let mut nodes: Vec<Node> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        while let Some(Token { kind, begin, end, .. }) = scanner.next()? {
            let number = nodes.len();
            match kind {
                TokenKind::End => {
                    if let Some(container) = open.pop() {
                        nodes[container].end = end as u32;
                        nodes[container].next = number as u32;
                    }
                    continue;
                }
                TokenKind::List | TokenKind::Dict => open.push(number),
                TokenKind::Int | TokenKind::Bytes | TokenKind::Key => {}
            }
            nodes.push(Node { begin: begin as u32, end: end as u32, next: number as u32 + 1 });
        }
        Ok(Self { bytes, nodes, len: scanner.at })
    }

    /// Returns the outermost value.
    pub fn root(&self) -> Value<'a, '_> {
        Value { tree: self, at: 0 }
    }

    /// Returns the bytes after the outermost value.
    pub fn rest(&self) -> &'a [u8] {
        &self.bytes[self.len..]
    }
}

/// A value of a [`Tree`].
#[derive(Clone, Copy, Debug)]
pub struct Value<'a, 't> {
    tree: &'t Tree<'a>,
    at: u32,
}

impl<'a, 't> Value<'a, 't> {
    /// Returns the bencoded bytes of the value.
    pub fn raw(&self) -> &'a [u8] {
        let node = self.node();
        &self.tree.bytes[node.begin as usize..node.end as usize]
    }

    /// Returns the offset of the value's first byte.
    pub fn offset(&self) -> usize {
        self.node().begin as usize
    }

    /// Returns the number, if the value is an integer.
    pub fn int(&self) -> Option<i64> {
        match self.raw() {
            [b'i', digits @ .., b'e'] => parse_int(digits),
            _ => None,
        }
    }

    /// Returns the content, if the value is a string.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        let raw = self.raw();
        if !raw.first()?.is_ascii_digit() {
            return None;
        }
        let colon = raw.iter().position(|&b| b == b':')?;
        raw.get(colon + 1..)
    }

    /// Returns the items, if the value is a list; otherwise nothing.
    pub fn list(&self) -> impl Iterator<Item = Value<'a, 't>> + use<'a, 't> {
        self.children(b'l')
    }

    /// Returns the keys and values in the order of the bytes, if the value is a dictionary; otherwise
    /// nothing.
    pub fn dict(&self) -> impl Iterator<Item = (&'a [u8], Value<'a, 't>)> + use<'a, 't> {
        let mut children = self.children(b'd');
        std::iter::from_fn(move || Some((children.next()?.bytes()?, children.next()?)))
    }

    /// Returns the value under `key`, if the value is a dictionary that has it (the first, if it is
    /// repeated).
    pub fn get(&self, key: &[u8]) -> Option<Value<'a, 't>> {
        self.dict().find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// Whether the value is a list.
    pub fn is_list(&self) -> bool {
        self.raw().first() == Some(&b'l')
    }

    /// Whether the value is a dictionary.
    pub fn is_dict(&self) -> bool {
        self.raw().first() == Some(&b'd')
    }

    fn node(&self) -> Node {
        self.tree.nodes[self.at as usize]
    }

    /// Returns the values directly inside a list or dictionary whose first byte is `kind`; otherwise nothing.
    fn children(&self, kind: u8) -> impl Iterator<Item = Value<'a, 't>> + use<'a, 't> {
        let tree = self.tree;
        let end = if self.raw().first() == Some(&kind) { self.node().next } else { 0 };
        let mut at = self.at + 1;
        std::iter::from_fn(move || {
            let value = (at < end).then_some(Value { tree, at })?;
            at = value.node().next;
            Some(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_found_where_they_stand() {
        let bytes = b"d1:ali1e2:xyle1:zd1:qi-3eee1:bi7eerest";
        let tree = Tree::parse(bytes, Limits::MESSAGE).unwrap();
        let root = tree.root();
        assert!(root.is_dict() && !root.is_list());
        assert_eq!(tree.rest(), b"rest");
        assert_eq!(root.get(b"b").unwrap().int(), Some(7));
        assert!(root.get(b"c").is_none());
        let list = root.get(b"a").unwrap();
        assert!(list.is_list());
        assert_eq!(list.offset(), 4);
        let items: Vec<_> = list.list().collect();
        assert_eq!(items.len(), 5);
        assert_eq!((items[0].int(), items[1].bytes()), (Some(1), Some(b"xy".as_slice())));
        assert_eq!((items[2].raw(), items[2].list().count()), (b"le".as_slice(), 0));
        assert_eq!(items[4].get(b"q").unwrap().int(), Some(-3));
        assert_eq!(root.dict().map(|(key, _)| key).collect::<Vec<_>>(), [b"a", b"b"]);
    }

    #[test]
    fn a_value_is_of_one_kind() {
        let tree = Tree::parse(b"l0:i0ee", Limits::MESSAGE).unwrap();
        let items: Vec<_> = tree.root().list().collect();
        assert_eq!((items[0].bytes(), items[0].int()), (Some(b"".as_slice()), None));
        assert_eq!((items[1].bytes(), items[1].int()), (None, Some(0)));
        assert_eq!(items[1].list().count() + items[1].dict().count() + tree.root().dict().count(), 0);
        assert!(tree.root().bytes().is_none());
    }

    proptest! {
        #[test]
        fn every_value_of_any_tree_can_be_read(bytes in prop::collection::vec(prop::sample::select(b"ilde0123:-a".to_vec()), 0..60)) {
            if let Ok(tree) = Tree::parse(&bytes, Limits::KRPC) {
                let mut left = vec![tree.root()];
                let mut seen = 0;
                while let Some(value) = left.pop() {
                    seen += 1;
                    prop_assert!(value.int().is_some() || value.bytes().is_some() || value.is_list() || value.is_dict());
                    left.extend(value.list());
                    for (_, inner) in value.dict() {
                        seen += 1;
                        left.push(inner);
                    }
                }
                prop_assert_eq!(seen, tree.nodes.len());
            }
        }
    }
}
