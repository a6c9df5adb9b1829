//! What is under a name.

use alloc::collections::btree_map::{self, BTreeMap, Entry};
use alloc::vec::Vec;
use core::iter::FusedIterator;
use core::{fmt, mem, slice};

use super::super::FormError;
use super::super::brackets::{Path, Segment};
use crate::wire::Text;

/// What is under a name: one value, some in order, or more names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node<T> {
    /// One value.
    Leaf(T),
    /// What came more than once, or with `[]`; never empty.
    List(Vec<Node<T>>),
    /// What came with keys in brackets; never empty.
    Map(Map<T>),
}

impl<T> Node<T> {
    /// The value, if it is one.
    #[must_use]
    pub const fn as_leaf(&self) -> Option<&T> {
        match self {
            Node::Leaf(leaf) => Some(leaf),
            Node::List(_) | Node::Map(_) => None,
        }
    }

    /// The list, if it is one.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Node<T>]> {
        match self {
            Node::List(list) => Some(list),
            Node::Leaf(_) | Node::Map(_) => None,
        }
    }

    /// The map, if it is one.
    #[must_use]
    pub const fn as_map(&self) -> Option<&Map<T>> {
        match self {
            Node::Map(map) => Some(map),
            Node::Leaf(_) | Node::List(_) => None,
        }
    }

    /// The first of [`all`](Self::all).
    #[must_use]
    pub fn first(&self) -> Option<&T> {
        self.all().next()
    }

    /// The value itself, or those of the list in order; none of a map. What is nested in a list is
    /// left out.
    pub fn all(&self) -> Leaves<'_, T> {
        let nodes = match self {
            Node::Leaf(_) => slice::from_ref(self),
            Node::List(list) => list,
            Node::Map(_) => &[],
        };
        Leaves {
            nodes: nodes.iter(),
        }
    }
}

/// The values of a [`Node`], in order.
#[derive(Debug)]
pub struct Leaves<'a, T> {
    nodes: slice::Iter<'a, Node<T>>,
}

impl<T> Clone for Leaves<'_, T> {
    fn clone(&self) -> Self {
        Leaves {
            nodes: self.nodes.clone(),
        }
    }
}

impl<T> Default for Leaves<'_, T> {
    fn default() -> Self {
        Leaves { nodes: [].iter() }
    }
}

impl<'a, T> Iterator for Leaves<'a, T> {
    type Item = &'a T;

    fn next(&mut self) -> Option<&'a T> {
        self.nodes.find_map(Node::as_leaf)
    }
}

impl<T> FusedIterator for Leaves<'_, T> {}

/// Names and what is under them, in the order of their bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Map<T> {
    nodes: BTreeMap<Vec<u8>, Node<T>>,
}

impl<T> Map<T> {
    pub(super) const fn new() -> Self {
        Map {
            nodes: BTreeMap::new(),
        }
    }

    /// What is under a key, of which brackets are a part like other bytes.
    #[must_use]
    pub fn get(&self, key: impl AsRef<[u8]>) -> Option<&Node<T>> {
        self.nodes.get(key.as_ref())
    }

    /// All keys and what is under them.
    #[must_use]
    pub fn iter(&self) -> Iter<'_, T> {
        Iter {
            nodes: self.nodes.iter(),
        }
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl<'a, T> IntoIterator for &'a Map<T> {
    type Item = (&'a [u8], &'a Node<T>);
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T> IntoIterator for Map<T> {
    type Item = (Vec<u8>, Node<T>);
    type IntoIter = btree_map::IntoIter<Vec<u8>, Node<T>>;

    fn into_iter(self) -> Self::IntoIter {
        self.nodes.into_iter()
    }
}

impl<T: fmt::Debug> fmt::Debug for Map<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (key, node) in self {
            map.entry(&format_args!("{}", Text(key)), node);
        }
        map.finish()
    }
}

/// The keys of a [`Map`] in the order of their bytes, and what is under them.
#[derive(Debug)]
pub struct Iter<'a, T> {
    nodes: btree_map::Iter<'a, Vec<u8>, Node<T>>,
}

impl<T> Clone for Iter<'_, T> {
    fn clone(&self) -> Self {
        Iter {
            nodes: self.nodes.clone(),
        }
    }
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = (&'a [u8], &'a Node<T>);

    fn next(&mut self) -> Option<Self::Item> {
        self.nodes.next().map(|(key, node)| (&key[..], node))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.nodes.size_hint()
    }
}

impl<T> ExactSizeIterator for Iter<'_, T> {}
impl<T> FusedIterator for Iter<'_, T> {}

/// Walks down as far as the path exists, and hangs the rest of it there. A clash is found before
/// anything is changed, as what is new clashes with nothing.
pub(super) fn insert<T>(root: &mut Map<T>, mut path: Path<'_>, leaf: T) -> Result<(), FormError> {
    let mut map = root;
    let mut key = path.base();
    loop {
        let node = match map.nodes.entry(key.into()) {
            Entry::Occupied(node) => node.into_mut(),
            Entry::Vacant(place) => {
                place.insert(fresh(path, leaf));
                return Ok(());
            }
        };
        match (node, path.next()) {
            (Node::Map(inner), Some(Segment::Key(next))) => (map, key) = (inner, next),
            (Node::List(list), None | Some(Segment::Append)) => {
                list.push(fresh(path, leaf));
                return Ok(());
            }
            (node @ Node::Leaf(_), None | Some(Segment::Append)) => {
                let mut list = Vec::with_capacity(2);
                let first = mem::replace(node, Node::List(Vec::new()));
                list.push(first);
                list.push(fresh(path, leaf));
                *node = Node::List(list);
                return Ok(());
            }
            (Node::Map(_), None | Some(Segment::Append))
            | (Node::Leaf(_) | Node::List(_), Some(Segment::Key(_))) => {
                return Err(FormError::Clash);
            }
        }
    }
}

/// What a path spells where nothing is yet. As deep as the path is, which has a limit.
fn fresh<T>(mut path: Path<'_>, leaf: T) -> Node<T> {
    match path.next() {
        None => Node::Leaf(leaf),
        Some(Segment::Append) => Node::List(Vec::from([fresh(path, leaf)])),
        Some(Segment::Key(key)) => Node::Map(Map {
            nodes: BTreeMap::from([(key.into(), fresh(path, leaf))]),
        }),
    }
}
