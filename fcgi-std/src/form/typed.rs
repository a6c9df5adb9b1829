//! Forms as types: a deserializer over trees.

use std::fmt::{self, Display};

use fcgi_core::form::tree::{Map, Node, Tree, Value};
use serde_core::de::value::{MapAccessDeserializer, SeqDeserializer};
use serde_core::de::{
    self, Deserialize, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess,
    Visitor,
};
use serde_core::forward_to_deserialize_any;

use super::Error;

/// Makes a value of a type from a form.
///
/// | in the form | in the type |
/// |---|---|
/// | names, `a[k]` | structs, maps; keys may be numbers or unit variants |
/// | `a=1&a=2`, `a[]=1`, `a=1` | a list: `Vec` and the like, tuples |
/// | a value | text (UTF-8), bytes, numbers, `char`, a unit variant of an enum |
/// | `true`, `on`, `1` or `false`, `off`, `0` | `bool`; a checkbox sends `on` or nothing |
/// | an empty value, or none | `None`; a value is `Some` |
/// | `a[variant]=…`; for the whole form `variant=…` | an enum's variant with something in it |
///
/// Where one value is wanted, a list is an error, also one of a single value. Numbers are what
/// [`str::parse`] takes. Below `#[serde(flatten)]` and in untagged enums every value is text, as
/// nothing says what else it should be.
///
/// What is borrowed is borrowed from the tree.
///
/// ```
/// use fcgi_std::form::{from_tree, tree::Tree};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     item: u64,
///     colour: Vec<String>,
///     note: Option<String>,
///     #[serde(default)]
///     gift: bool,
/// }
///
/// let body = b"item=3047936&colour=red&colour=blue&note=";
/// let tree = Tree::from_urlencoded(body, Default::default())?;
/// let order: Order = from_tree(&tree)?;
/// assert_eq!((order.item, order.colour.len(), order.note, order.gift), (3047936, 2, None, false));
///
/// let tree = Tree::from_urlencoded(b"item=many", Default::default())?;
/// let error = from_tree::<Order>(&tree).err().unwrap();
/// assert_eq!(error.to_string(), "the form does not fit: item: invalid digit found in string");
/// # Ok::<(), fcgi_std::form::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Mismatch`] with the name in the form, and what is wrong there.
pub fn from_tree<'de, T: Deserialize<'de>>(tree: &'de Tree) -> Result<T, Error> {
    let form = Form(tree.as_map());
    T::deserialize(form).map_err(|mismatch| Error::Mismatch(mismatch.to_string().into()))
}

/// What does not fit, and where: the keys from the innermost one on.
#[derive(Debug)]
struct Mismatch {
    keys: Vec<String>,
    what: String,
}

impl Mismatch {
    fn under(mut self, key: &[u8]) -> Mismatch {
        self.keys.push(String::from_utf8_lossy(key).into_owned());
        self
    }
}

impl Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keys = self.keys.iter().rev();
        if let Some(base) = keys.next() {
            write!(f, "{base}")?;
            keys.try_for_each(|key| write!(f, "[{key}]"))?;
            write!(f, ": ")?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: Display>(what: T) -> Self {
        Mismatch {
            keys: Vec::new(),
            what: what.to_string(),
        }
    }
}

/// The whole form.
struct Form<'de>(&'de Map<Value>);

impl<'de> Deserializer<'de> for Form<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_map(Entries::of(self.0))
    }

    /// All of it, or nothing if there is nothing.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        if self.0.is_empty() {
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        variant(self.0, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The variant of an enum that a map names.
fn variant<'de, V: Visitor<'de>>(map: &'de Map<Value>, visitor: V) -> Result<V::Value, Mismatch> {
    if map.len() > 1 {
        return Err(Mismatch::custom("more than one variant"));
    }
    visitor.visit_enum(MapAccessDeserializer::new(Entries::of(map)))
}

/// The keys of a map, and what is under them.
struct Entries<'de> {
    rest: fcgi_core::form::tree::Iter<'de, Value>,
    last: Option<(&'de [u8], &'de Node<Value>)>,
}

impl<'de> Entries<'de> {
    fn of(map: &'de Map<Value>) -> Entries<'de> {
        Entries {
            rest: map.iter(),
            last: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Mismatch;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mismatch> {
        self.last = self.rest.next();
        let Some((key, _)) = self.last else {
            return Ok(None);
        };
        let key = seed
            .deserialize(Leaf(key))
            .map_err(|error| error.under(key))?;
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mismatch> {
        let Some((key, node)) = self.last.take() else {
            return Err(Mismatch::custom("a value was asked for before its key"));
        };
        seed.deserialize(Item(node))
            .map_err(|error| error.under(key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

/// What is under a name.
struct Item<'de>(&'de Node<Value>);

impl<'de> IntoDeserializer<'de, Mismatch> for Item<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Each of these wants one value.
macro_rules! leaves {
    ($($method:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
                match self.0 {
                    Node::Leaf(value) => Leaf(value.as_bytes()).$method(visitor),
                    Node::List(_) | Node::Map(_) => self.deserialize_any(visitor),
                }
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Item<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Node::Leaf(value) => Leaf(value.as_bytes()).deserialize_any(visitor),
            Node::List(list) => {
                let mut items = SeqDeserializer::new(list.iter().map(Item));
                let value = visitor.visit_seq(&mut items)?;
                // A tuple may want fewer.
                items.end()?;
                Ok(value)
            }
            Node::Map(map) => visitor.visit_map(Entries::of(map)),
        }
    }

    /// One value is a list too.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Node::Leaf(_) => visitor.visit_seq(SeqDeserializer::new([self].into_iter())),
            Node::List(_) | Node::Map(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            Node::Leaf(value) if value.as_bytes().is_empty() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        match self.0 {
            Node::Leaf(value) => Leaf(value.as_bytes()).deserialize_enum(name, variants, visitor),
            Node::Map(map) => variant(map, visitor),
            Node::List(_) => self.deserialize_any(visitor),
        }
    }

    leaves! {
        deserialize_bool deserialize_char deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    forward_to_deserialize_any! {
        str string unit_struct map struct identifier ignored_any
    }
}

/// One value, or a key.
struct Leaf<'de>(&'de [u8]);

impl<'de> Leaf<'de> {
    fn text(&self) -> Result<&'de str, Mismatch> {
        std::str::from_utf8(self.0).map_err(Mismatch::custom)
    }

    fn parse<T: std::str::FromStr<Err: Display>>(&self) -> Result<T, Mismatch> {
        self.text()?.parse().map_err(Mismatch::custom)
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident)*) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
                visitor.$visit(self.parse()?)
            }
        )*
    };
}

impl<'de> Deserializer<'de> for Leaf<'de> {
    type Error = Mismatch;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match std::str::from_utf8(self.0) {
            Ok(text) => visitor.visit_borrowed_str(text),
            Err(_) => visitor.visit_borrowed_bytes(self.0),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        match self.0 {
            b"true" | b"on" | b"1" => visitor.visit_bool(true),
            b"false" | b"off" | b"0" => visitor.visit_bool(false),
            _ => Err(Mismatch::custom("neither true, on, 1 nor false, off, 0")),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_borrowed_bytes(self.0)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_borrowed_bytes(self.0)
    }

    /// Whatever it is: that it came is all there is to say.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mismatch> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mismatch> {
        visitor.visit_enum(self.text()?.into_deserializer())
    }

    numbers! {
        deserialize_i8 visit_i8 deserialize_i16 visit_i16 deserialize_i32 visit_i32
        deserialize_i64 visit_i64 deserialize_i128 visit_i128
        deserialize_u8 visit_u8 deserialize_u16 visit_u16 deserialize_u32 visit_u32
        deserialize_u64 visit_u64 deserialize_u128 visit_u128
        deserialize_f32 visit_f32 deserialize_f64 visit_f64 deserialize_char visit_char
    }

    forward_to_deserialize_any! {
        str string unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}
