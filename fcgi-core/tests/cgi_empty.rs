//! Whether anything was said of a response.

use fcgi_core::cgi::{ResponseHead, Status};

#[test]
fn empty_until_something_is_set() {
    let mut head = ResponseHead::new(heapless::Vec::<u8, 256>::new());
    assert!(head.is_empty());
    for (name, value) in [
        ("Status", "200 OK"),
        ("Status", "200 As you like it"),
        ("Content-Length", "0"),
        ("Content-Type", "text/plain"),
        ("Location", "/a"),
        ("X-Sendfile", "/b"),
        ("X-Other", ""),
    ] {
        head.add(name, value).unwrap();
        assert!(!head.is_empty(), "{name}: {value}");
        assert!(head.remove(name));
        assert!(head.is_empty(), "{name}: {value}");
    }
    head.set_status(Status::OK);
    assert!(!head.is_empty());
    head.clear();
    assert!(head.is_empty());
}
