//! Forms as trees: values, lists and maps, nested as the names say.

mod node;
mod value;

use alloc::vec::Vec;
use core::fmt;

pub use node::{Iter, Leaves, Map, Node};
pub use value::Value;

use super::FormError;
use super::brackets::{Path, Segment};
use super::cookie::cookies;
use super::urlencoded::pairs;

/// A form: what was sent under each name, nested as the brackets in the names say.
///
/// | sent | tree |
/// |---|---|
/// | `a=1` | `a`: the value 1 |
/// | `a=1&a=2` | `a`: the list 1, 2 |
/// | `a[]=1` | `a`: the list of 1 alone |
/// | `a=1&a[]=2` | `a`: the list 1, 2 |
/// | `a[k]=1&a[l]=2` | `a`: a map, `k`: 1, `l`: 2 |
/// | `a[k]=1&a[l]=2&a[l]=3` | `a`: a map, `k`: 1, `l`: the list 2, 3 |
/// | `a[k][]=1` | `a`: a map, `k`: the list of 1 alone |
/// | `a[][k]=1&a[][k]=2` | `a`: the list of two maps |
///
/// So a value that comes again under its name makes a list of it, with brackets or without, and
/// lists keep the order of arrival. Maps are in the order of their keys. Names are decoded bytes;
/// what counts as brackets says [`Path`]. `a[0]` is a key like any other.
///
/// **Clashes.** What a name is at first, value or list or map, it stays: a value for a name that
/// is a map, or a key for one that is a value or a list, is a [`FormError::Clash`]. (PHP lets the
/// last one win, so that a client can throw away what came before.)
///
/// **Work.** A value goes in with one comparison of keys for each doubling of a map's size,
/// whatever the names: nothing is hashed. Its cost is the depth of its name times that. Memory is
/// that of the names and values, some dozens of bytes for each, and some hundreds for each map:
/// with the default limits up to 10 MiB for 1000 names that are as deep as they may be.
///
/// `T` is what is sent: a [`Value`], or in a tree of files a file.
///
/// ```
/// use fcgi_core::form::tree::{Tree, Limits};
///
/// let query = b"name=a&user%5Bpw%5D=b&user%5Bpw%5D=c";
/// let form = Tree::from_urlencoded(query, Limits::default())?;
/// assert_eq!(form.first("name").unwrap().to_text(), "a");
/// assert_eq!(form.all("user[pw]").count(), 2);
/// assert_eq!(form.first("user[pw]").unwrap().to_text(), "b");
/// assert!(form.get("user").unwrap().as_map().is_some());
/// assert!(form.get("nobody").is_none());
/// # Ok::<(), fcgi_core::form::FormError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Tree<T = Value> {
    root: Map<T>,
    values: usize,
    limits: Limits,
}

/// How much a tree takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Values. Default 1000.
    pub values: usize,
    /// Pairs of brackets in one name. Default 16, as each level of a name can cost hundreds of
    /// bytes. No more than 255, as a tree is cloned and dropped level by level on the stack.
    pub depth: u8,
}

impl Limits {
    /// The default limits.
    pub const DEFAULT: Self = Self {
        values: 1000,
        depth: 16,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl<T> Tree<T> {
    /// A tree with nothing in it.
    #[must_use]
    pub const fn new(limits: Limits) -> Self {
        Tree {
            root: Map::new(),
            values: 0,
            limits,
        }
    }

    /// Puts a value where its decoded name says.
    ///
    /// # Errors
    ///
    /// [`FormError::TooManyValues`], [`FormError::TooDeep`] or [`FormError::Clash`]. The tree is as
    /// it was before, and can be filled further.
    pub fn insert(&mut self, name: impl AsRef<[u8]>, value: T) -> Result<(), FormError> {
        let path = Path::of(name.as_ref());
        if self.values >= self.limits.values {
            let limit = self.limits.values;
            return Err(FormError::TooManyValues { limit });
        }
        if path.depth() > usize::from(self.limits.depth) {
            let limit = self.limits.depth;
            return Err(FormError::TooDeep { limit });
        }
        node::insert(&mut self.root, path, value)?;
        self.values = self.values.saturating_add(1);
        Ok(())
    }

    /// What is under a name, written as in the form: `user[phone]`. `user[phone][]` is the list
    /// `user[phone]`.
    #[must_use]
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&Node<T>> {
        let mut path = Path::of(name.as_ref());
        let base = self.root.get(path.base())?;
        path.try_fold(base, |node, segment| match (node, segment) {
            (Node::Map(map), Segment::Key(key)) => map.get(key),
            (Node::List(_), Segment::Append) => Some(node),
            _ => None,
        })
    }

    /// The value under a name, the first one of a list: see [`Node::first`].
    #[must_use]
    pub fn first(&self, name: impl AsRef<[u8]>) -> Option<&T> {
        self.get(name)?.first()
    }

    /// All values directly under a name: one, those of a list, or none. See [`Node::all`].
    pub fn all(&self, name: impl AsRef<[u8]>) -> Leaves<'_, T> {
        self.get(name).map_or_else(Leaves::default, Node::all)
    }

    /// The names before the brackets, and what is under them.
    #[must_use]
    pub const fn as_map(&self) -> &Map<T> {
        &self.root
    }

    /// Takes the tree apart.
    #[must_use]
    pub fn into_map(self) -> Map<T> {
        self.root
    }

    /// The number of values, wherever they are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.values
    }

    /// Whether there is no value.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.values == 0
    }
}

impl Tree<Value> {
    /// The tree of a query or of an `application/x-www-form-urlencoded` body.
    ///
    /// # Errors
    ///
    /// Those of [`insert`](Self::insert): the form as a whole is refused.
    pub fn from_urlencoded(input: &[u8], limits: Limits) -> Result<Self, FormError> {
        let mut tree = Tree::new(limits);
        for pair in pairs(input) {
            tree.insert(pair.name.decode(), pair.value.decode().into_owned().into())?;
        }
        Ok(tree)
    }

    /// The tree of the cookies in `HTTP_COOKIE`; names and values as they came.
    ///
    /// Of several cookies with one name the first one counts, which is
    /// [`first`](Self::first). Any host of the same domain can set cookies here, and what it sets
    /// must not keep a user out: cookies that clash with earlier ones, or are too deep, are left
    /// out.
    ///
    /// # Errors
    ///
    /// [`FormError::TooManyValues`].
    pub fn from_cookies(header: &[u8], limits: Limits) -> Result<Self, FormError> {
        let mut tree = Tree::new(limits);
        for cookie in cookies(header) {
            match tree.insert(cookie.name, Vec::from(cookie.value).into()) {
                Ok(()) | Err(FormError::Clash | FormError::TooDeep { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(tree)
    }
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Tree::new(Limits::DEFAULT)
    }
}

impl<T: fmt::Debug> fmt::Debug for Tree<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}
