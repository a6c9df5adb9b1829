//! Forms as trees: the kinds of values row by row, clashes, limits.

use fcgi_core::form::FormError as E;
use fcgi_core::form::tree::{Limits, Map, Node, Tree, Value};

type Outcome = Result<Tree, E>;

/// As a query, with all brackets escaped as browsers do, and as cookies.
fn get_post_cookies(sent: &str, limits: Limits) -> [Outcome; 3] {
    let escaped = sent.replace('[', "%5B").replace(']', "%5D");
    let cookies = sent.replace('&', "; ");
    [
        Tree::from_urlencoded(sent.as_bytes(), limits),
        Tree::from_urlencoded(escaped.as_bytes(), limits),
        Tree::from_cookies(cookies.as_bytes(), limits),
    ]
}

/// `"1"`, `["1","2"]`, `{"k":"1"}`: nothing in the tables needs an escape.
fn show(node: &Node<Value>) -> String {
    match node {
        Node::Leaf(value) => format!("\"{}\"", value.to_text()),
        Node::List(list) => {
            assert!(!list.is_empty());
            let nodes: Vec<_> = list.iter().map(show).collect();
            format!("[{}]", nodes.join(","))
        }
        Node::Map(map) => {
            assert!(!map.is_empty());
            show_map(map)
        }
    }
}

fn show_map(map: &Map<Value>) -> String {
    let pairs = map.iter();
    let pairs: Vec<_> = pairs
        .map(|(key, node)| format!("\"{}\":{}", String::from_utf8_lossy(key), show(node)))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

fn count(node: &Node<Value>) -> usize {
    match node {
        Node::Leaf(_) => 1,
        Node::List(list) => list.iter().map(count).sum(),
        Node::Map(map) => map.iter().map(|(_, node)| count(node)).sum(),
    }
}

#[test]
fn the_kinds_row_by_row() {
    for (sent, expected) in [
        ("", "{}"),
        // Those of the Pike module.
        ("name=a", r#"{"name":"a"}"#),
        ("name=a&name=b", r#"{"name":["a","b"]}"#),
        (
            "user[first]=a&user[last]=b",
            r#"{"user":{"first":"a","last":"b"}}"#,
        ),
        (
            "user[name]=x&user[pw]=b&user[pw]=c",
            r#"{"user":{"name":"x","pw":["b","c"]}}"#,
        ),
        // More of them.
        ("a=1&a=2&a=3&a=4", r#"{"a":["1","2","3","4"]}"#),
        ("a=2&a=1&a=2", r#"{"a":["2","1","2"]}"#),
        ("b=1&a=2", r#"{"a":"2","b":"1"}"#),
        ("a=&b=", r#"{"a":"","b":""}"#),
        // PHP's.
        ("a[]=1", r#"{"a":["1"]}"#),
        ("a[]=1&a[]=2", r#"{"a":["1","2"]}"#),
        ("a=1&a[]=2&a=3", r#"{"a":["1","2","3"]}"#),
        ("a[]=1&a=2", r#"{"a":["1","2"]}"#),
        ("a[k]=1", r#"{"a":{"k":"1"}}"#),
        ("a[k][]=1", r#"{"a":{"k":["1"]}}"#),
        ("a[k][]=1&a[k][]=2&a[k]=3", r#"{"a":{"k":["1","2","3"]}}"#),
        (
            "a[k][l][m]=1&a[k][l][n]=2",
            r#"{"a":{"k":{"l":{"m":"1","n":"2"}}}}"#,
        ),
        ("a[][k]=1&a[][k]=2", r#"{"a":[{"k":"1"},{"k":"2"}]}"#),
        ("a[][]=1&a[][]=2", r#"{"a":[["1"],["2"]]}"#),
        ("a=1&a[][k]=2", r#"{"a":["1",{"k":"2"}]}"#),
        ("a[1]=x&a[0]=y", r#"{"a":{"0":"y","1":"x"}}"#),
        ("a.b=1", r#"{"a.b":"1"}"#),
        // Broken brackets mean nothing.
        (
            "a[=1&a]=2&[a]=3&a[k]x=4",
            r#"{"[a]":"3","a[":"1","a[k]x":"4","a]":"2"}"#,
        ),
        ("a[[k]]=1&a[k=2&a=3", r#"{"a":"3","a[[k]]":"1","a[k":"2"}"#),
    ] {
        for tree in get_post_cookies(sent, Limits::default()) {
            let tree = tree.unwrap();
            assert_eq!(show_map(tree.as_map()), expected, "{sent}");
            let values = tree.as_map().iter().map(|(_, node)| count(node));
            assert_eq!(tree.len(), values.sum::<usize>());
            assert_eq!(tree.is_empty(), sent.is_empty());
        }
    }
}

#[test]
fn clashes_change_nothing() {
    for (sent, kept) in [
        ("a=1&a[k]=2", r#"{"a":"1"}"#),
        ("a[k]=1&a=2", r#"{"a":{"k":"1"}}"#),
        ("a[k]=1&a[]=2", r#"{"a":{"k":"1"}}"#),
        ("a[]=1&a[k]=2", r#"{"a":["1"]}"#),
        ("a=1&a=2&a[k]=2", r#"{"a":["1","2"]}"#),
        ("a[k]=1&a[k][l]=2", r#"{"a":{"k":"1"}}"#),
        ("a[k][l]=1&a[k]=2", r#"{"a":{"k":{"l":"1"}}}"#),
        ("a[k][l]=1&a[k][]=2", r#"{"a":{"k":{"l":"1"}}}"#),
    ] {
        let [query, body, cookies] = get_post_cookies(sent, Limits::default());
        assert_eq!(
            (query.err(), body.err()),
            (Some(E::Clash), Some(E::Clash)),
            "{sent}"
        );
        assert_eq!(show_map(cookies.unwrap().as_map()), kept);

        let mut tree = Tree::default();
        let results: Vec<_> = sent
            .split('&')
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap();
                tree.insert(name, Value::from(value))
            })
            .collect();
        assert_eq!(results.last(), Some(&Err(E::Clash)), "{sent}");
        assert!(results[..results.len() - 1].iter().all(Result::is_ok));
        assert_eq!(show_map(tree.as_map()), kept);
        assert_eq!(tree.len(), results.len() - 1);
        assert_eq!(
            tree.insert("b", Value::from("2")),
            Ok(()),
            "it can be filled further"
        );
    }
}

#[test]
fn limits_at_their_borders() {
    let limits = Limits {
        values: 3,
        depth: 2,
    };
    for tree in get_post_cookies("a[b][c]=1&a[b][d]=2&e=3&&", limits) {
        assert_eq!(tree.unwrap().len(), 3);
    }
    for tree in get_post_cookies("a=1&a=2&a=3&a=4", limits) {
        assert_eq!(tree.err(), Some(E::TooManyValues { limit: 3 }));
    }
    let [query, body, cookies] = get_post_cookies("b=1&a[][k][]=2&c=3", limits);
    for tree in [query, body] {
        assert_eq!(tree.err(), Some(E::TooDeep { limit: 2 }));
    }
    assert_eq!(show_map(cookies.unwrap().as_map()), r#"{"b":"1","c":"3"}"#);

    // The deepest that there can be: built, compared, shown, copied and dropped.
    let deepest = Limits {
        depth: 255,
        ..limits
    };
    for brackets in ["[]", "[k]"] {
        let sent = format!("a{}=1", brackets.repeat(255));
        for tree in get_post_cookies(&sent, deepest) {
            let tree = tree.unwrap();
            assert_eq!(tree.clone(), tree);
            assert!(format!("{tree:?}").contains("\"1\""));
            let name = sent.strip_suffix("=1").unwrap();
            assert_eq!(tree.all(name).count(), usize::from(brackets == "[k]"));
        }
        let sent = format!("a{}=1", brackets.repeat(256));
        let tree = Tree::from_urlencoded(sent.as_bytes(), deepest);
        assert_eq!(tree.err(), Some(E::TooDeep { limit: 255 }));
    }
}

#[test]
fn looked_up_by_the_names_of_the_form() {
    let sent = b"a=1&b=2&b=3&c[]=4&d[k]=5&d[l][]=6&d[l][]=7&e[][k]=8&f[=9";
    let tree = Tree::from_urlencoded(sent, Limits::default()).unwrap();
    for (name, values) in [
        ("a", &["1"][..]),
        ("b", &["2", "3"]),
        ("b[]", &["2", "3"]),
        ("c", &["4"]),
        ("c[]", &["4"]),
        ("d", &[]),
        ("d[k]", &["5"]),
        ("d[l]", &["6", "7"]),
        ("d[l][]", &["6", "7"]),
        ("e", &[]),
        ("f[", &["9"]),
        // Not there.
        ("a[]", &[]),
        ("a[k]", &[]),
        ("b[k]", &[]),
        ("d[]", &[]),
        ("d[k][]", &[]),
        ("d[k]x", &[]),
        ("e[][k]", &[]),
        ("", &[]),
        ("A", &[]),
    ] {
        let found: Vec<_> = tree.all(name).map(|value| value.to_text()).collect();
        assert_eq!(found, values, "{name}");
        let first = tree.first(name).map(|value| value.to_text());
        assert_eq!(first.as_deref(), values.first().copied(), "{name}");
    }
    assert!(tree.get("d").unwrap().as_map().is_some());
    assert_eq!(tree.get("b").unwrap().as_list().map(<[_]>::len), Some(2));
    let in_list = &tree.get("e").unwrap().as_list().unwrap()[0];
    let under = in_list.as_map().unwrap().get("k").unwrap();
    assert_eq!(under.as_leaf().unwrap().as_bytes(), b"8");
    let names: Vec<_> = tree.into_map().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [&b"a"[..], b"b", b"c", b"d", b"e", b"f["]);
}

#[test]
fn values_are_bytes_and_text_on_request() {
    let tree = Tree::from_urlencoded(b"a=%E2%82%AC&b=%FF%00&%00%FF=c", Limits::default());
    let tree = tree.unwrap();
    let (a, b) = (tree.first("a").unwrap(), tree.first("b").unwrap());
    assert_eq!((a.as_text(), b.as_bytes()), (Ok("€"), &b"\xff\0"[..]));
    assert!(b.as_text().is_err());
    assert_eq!(b.to_text(), "\u{fffd}\0");
    assert_eq!(tree.first(b"\0\xff").unwrap().clone().into_bytes(), b"c");
}

#[test]
fn anything_can_be_a_leaf() {
    struct File(u32);
    let mut files = Tree::new(Limits::default());
    for (name, size) in [("docs[]", 1), ("docs[]", 2), ("photo", 3)] {
        files.insert(name, File(size)).unwrap();
    }
    let sizes: Vec<_> = files.all("docs[]").map(|file| file.0).collect();
    assert_eq!((sizes, files.first("photo").unwrap().0), (vec![1, 2], 3));
}

#[test]
fn many_values_in_every_order() {
    let most = 50_000;
    let limits = Limits {
        values: most,
        depth: 64,
    };
    let ascending = |name: fn(usize) -> String| {
        let mut tree = Tree::new(limits);
        for number in 0..most {
            tree.insert(name(number), number).unwrap();
        }
        assert_eq!(tree.len(), most);
        tree
    };
    assert_eq!(
        ascending(|number| format!("{number:08}")).as_map().len(),
        most
    );
    let mirrored: fn(usize) -> String = |number| format!("k{:08}", number.reverse_bits());
    assert_eq!(ascending(mirrored).as_map().len(), most);
    let in_map = ascending(|number| format!("a[{number}]"));
    assert_eq!(in_map.get("a").unwrap().as_map().unwrap().len(), most);
    let list = ascending(|_| "a".into());
    assert!(list.all("a").copied().eq(0..most));
}
