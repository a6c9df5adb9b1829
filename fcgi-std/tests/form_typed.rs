//! `form::from_tree`: forms as types.

use std::collections::BTreeMap;
use std::fmt::Debug;

use fcgi_std::form::tree::Tree;
use fcgi_std::form::{Error, from_tree};
use serde::Deserialize;
use serde::de::DeserializeOwned;

fn tree(form: &[u8]) -> Tree {
    Tree::from_urlencoded(form, Default::default()).unwrap()
}

/// What there is under `v`.
#[derive(Deserialize, PartialEq, Debug)]
struct Under<T> {
    v: T,
}

#[track_caller]
fn gives<T: DeserializeOwned + PartialEq + Debug>(form: &str, value: T) {
    let found: Under<T> = from_tree(&tree(form.as_bytes())).unwrap();
    assert_eq!(found, Under { v: value }, "{form}");
}

#[track_caller]
fn fails<T: DeserializeOwned>(form: &str, what: &str) {
    let Err(Error::Mismatch(found)) = from_tree::<Under<T>>(&tree(form.as_bytes())) else {
        panic!("{form} fits");
    };
    assert_eq!(&*found, what, "{form}");
}

#[derive(Deserialize, PartialEq, Debug)]
struct User {
    first: String,
    last: Option<String>,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
enum Shape {
    Point,
    Circle(f64),
    Box { width: u8, height: u8 },
    Line(u8, u8),
}

#[derive(Deserialize, PartialEq, Debug)]
struct Id(u32);

#[test]
fn values() {
    gives("v=a+b", "a b".to_owned());
    gives("v=", String::new());
    gives("v=-5", -5i8);
    gives("v=340282366920938463463374607431768211455", u128::MAX);
    gives("v=1e3", 1000.0f32);
    gives("v=%C3%BC", 'ü');
    gives("v=7", Id(7));
    gives("v=point", Shape::Point);
    gives("v", ());
    for (text, value) in [("true", true), ("on", true), ("1", true), ("false", false)] {
        gives(&format!("v={text}"), value);
    }
    gives("v=off", false);
    gives("v=0", false);
    gives("v=", None::<u8>);
    gives("v=3", Some(3u8));
    gives("v=3", Some(Id(3)));
    gives("x=3", None::<u8>);
    gives("v[]=", Some(vec![String::new()]));
}

#[test]
fn lists_and_maps() {
    let list = |items: &[&str]| {
        items
            .iter()
            .map(|&item| item.to_owned())
            .collect::<Vec<_>>()
    };
    gives("v=a", list(&["a"]));
    gives("v[]=a", list(&["a"]));
    gives("v=b&v=a&v[]=b", list(&["b", "a", "b"]));
    gives("v=1&v=2", (1u8, 2i64));
    gives(
        "v[][k]=1&v[][k]=2",
        vec![BTreeMap::from([('k', 1)]), BTreeMap::from([('k', 2)])],
    );
    gives("v[10]=a&v[9]=b", BTreeMap::from([(9u8, 'b'), (10, 'a')]));
    gives("v[true]=1", BTreeMap::from([(true, 1u8)]));
    gives("v[a][]=1&v[a][]=2", BTreeMap::from([(Id2::A, vec![1, 2])]));
    let user = User {
        first: "a".to_owned(),
        last: None,
    };
    gives("v[first]=a&v[other]=%FF&v[deep][er][]=", user);
    gives("v[circle]=0.5", Shape::Circle(0.5));
    gives(
        "v[box][width]=2&v[box][height]=3",
        Shape::Box {
            width: 2,
            height: 3,
        },
    );
    gives("v[line][]=2&v[line][]=3", Shape::Line(2, 3));
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[serde(rename_all = "lowercase")]
enum Id2 {
    A,
}

#[test]
fn what_does_not_fit_says_where_it_is() {
    fails::<u8>("v=x", "v: invalid digit found in string");
    fails::<u8>("v=256", "v: number too large to fit in target type");
    fails::<u8>("v=", "v: cannot parse integer from empty string");
    fails::<u8>("v=1&v=2", "v: invalid type: sequence, expected u8");
    fails::<u8>("v[]=1", "v: invalid type: sequence, expected u8");
    fails::<String>("v[k]=1", "v: invalid type: map, expected a string");
    fails::<Vec<String>>("v[k]=1", "v: invalid type: map, expected a sequence");
    fails::<(u8, u8)>("v=1", "v: invalid length 1, expected a tuple of size 2");
    fails::<(u8, u8)>(
        "v=1&v=2&v=3",
        "v: invalid length 3, expected 2 elements in sequence",
    );
    fails::<bool>("v=yes", "v: neither true, on, 1 nor false, off, 0");
    fails::<String>("v=%FF", "v: invalid value: byte array, expected a string");
    fails::<u8>("w=1", "missing field `v`");
    fails::<User>("v[last]=x", "v: missing field `first`");
    fails::<User>("v=x", "v: invalid type: string \"x\", expected struct User");
    fails::<BTreeMap<u8, Vec<Id>>>("v[3][]=1&v[3][]=x", "v[3]: invalid digit found in string");
    fails::<Shape>(
        "v=square",
        "v: unknown variant `square`, expected one of `point`, `circle`, `box`, `line`",
    );
    fails::<Shape>("v[circle]=1&v[point]=2", "v: more than one variant");
    fails::<Shape>("v[]=1", "v: invalid type: sequence, expected enum Shape");
    fails::<Shape>(
        "v=circle",
        "v: invalid type: unit variant, expected newtype variant",
    );
}

#[test]
fn whole_forms() {
    let form = tree(b"first=a&last=b&last=c");
    let error = from_tree::<User>(&form).unwrap_err();
    assert_eq!(error.status().code(), 400);
    let map: BTreeMap<String, Vec<String>> = from_tree(&form).unwrap();
    assert_eq!(map["last"], ["b", "c"]);
    assert_eq!(
        from_tree::<Shape>(&tree(b"circle=2")).unwrap(),
        Shape::Circle(2.0)
    );
    // Which one is meant, the order must not decide.
    let two = from_tree::<Shape>(&tree(b"circle=2&point="));
    let error = two.unwrap_err().to_string();
    assert_eq!(error, "the form does not fit: more than one variant");
    assert!(from_tree::<Option<User>>(&tree(b"")).unwrap().is_none());
    assert!(from_tree::<u8>(&form).is_err());

    #[derive(Deserialize)]
    struct Borrowed<'a> {
        first: &'a str,
        #[serde(borrow)]
        last: Vec<&'a [u8]>,
    }
    let form = tree(b"first=a&last=%FF&last=");
    let borrowed: Borrowed<'_> = from_tree(&form).unwrap();
    assert_eq!(
        (borrowed.first, &*borrowed.last),
        ("a", &[&b"\xff"[..], b""][..])
    );

    #[derive(Deserialize)]
    struct Flat {
        #[serde(flatten)]
        rest: BTreeMap<String, String>,
    }
    let flat: Flat = from_tree(&tree(b"a=1&b=2")).unwrap();
    assert_eq!(flat.rest.len(), 2);

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "nothing gets through")]
    struct Strict {
        a: u8,
    }
    let error = from_tree::<Strict>(&tree(b"a=1&b=2")).err().unwrap();
    assert!(error.to_string().contains("unknown field `b`"), "{error}");
}
