//! The example programs, each a process of its own.

use std::net::SocketAddr;

use fcgi_tests::address::Address;
use fcgi_tests::http::{Client, Request};
use fcgi_tests::nginx::Nginx;
use fcgi_tests::pattern;
use fcgi_tests::process::{Running, example};
use tempfile::TempDir;

use crate::site::{Way, four_ways};

four_ways! { tiny_fcgi_counts, echo_returns_what_came }

/// An example that listens, and an nginx before it.
pub(crate) struct Example {
    nginx: Nginx,
    pub(crate) process: Running,
    /// Where the example listens.
    pub(crate) application: Address,
    _directory: TempDir,
}

impl Example {
    pub(crate) fn start(way: Way, name: &str) -> Example {
        Example::with(way, name, &[])
    }

    /// Starts it with more arguments behind its address.
    pub(crate) fn with(way: Way, name: &str, more: &[&str]) -> Example {
        let directory = tempfile::tempdir().unwrap();
        let (address, argument) = if way.unix {
            let path = directory.path().join("app.sock");
            (Address::Unix(path.clone()), path.into_os_string())
        } else {
            let address = Address::free_tcp();
            let argument = address.to_string().into();
            (address, argument)
        };
        let mut process = Running::start(example(name).arg(argument).args(more));
        process.wait_for(&address);
        let nginx = Nginx::before(address.clone());
        Example {
            nginx: if way.kept { nginx.keep_conn(4) } else { nginx }.start(),
            process,
            application: address,
            _directory: directory,
        }
    }

    /// Where nginx listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.nginx.address()
    }
}

fn tiny_fcgi_counts(way: Way) {
    let tiny = Example::start(way, "tiny-fcgi");
    let process = format!("in process {}.", tiny.process.id());
    for number in 1..=20 {
        // Each from a browser of its own, so that nginx has no reason to stay on one connection.
        let page = Client::connect(tiny.address()).call(&Request::get("/tiny.fcgi"));
        assert_eq!(page.status, 200);
        let kind = page.field("Content-Type");
        assert_eq!(kind.as_deref(), Some("text/html; charset=utf-8"));
        let text = page.text();
        assert!(text.contains("<h1>FastCGI Hello!</h1>"), "{text}");
        assert!(
            text.contains(&format!("Request number {number} ")),
            "{number}: {text}"
        );
        assert!(text.contains("<i>shop.example</i>"), "{text}");
        assert!(text.contains(&process), "{process}: {text}");
    }
    let page = Client::connect(tiny.address()).call(&Request::head("/tiny.fcgi"));
    assert_eq!((page.status, page.body.len()), (200, 0));
    let page = Client::connect(tiny.address()).call(&Request::get("/tiny.fcgi"));
    assert!(
        page.text().contains("Request number 22 "),
        "{}",
        page.text()
    );
}

fn echo_returns_what_came(way: Way) {
    let echo = Example::start(way, "echo");
    let mut client = Client::connect(echo.address());
    let raw: Vec<u8> = (0x80..=0xff).chain(*b"\t !~").collect();
    for length in [0, 1, 1000, 60_000, 10 * 1024 * 1024] {
        let body = pattern::bytes(length);
        let request = Request::post("/echo.fcgi/path?a=%00%ff&b=\u{fc}", &body)
            .header("X-Raw", [b"<", &raw[..], b">"].concat());
        let page = client.call(&request);
        let kind = page.field("Content-Type");
        assert_eq!(kind.as_deref(), Some("text/plain; charset=utf-8"));
        let end = page.body.windows(2).position(|two| two == b"\n\n").unwrap();
        assert!(
            page.body[end + 2..] == body,
            "another body of {length} bytes"
        );
        let params: Vec<&[u8]> = page.body[..end].split(|&byte| byte == b'\n').collect();
        for expected in [
            b"REQUEST_METHOD=POST".to_vec(),
            format!("CONTENT_LENGTH={length}").into_bytes(),
            b"SCRIPT_NAME=/echo.fcgi".to_vec(),
            b"PATH_INFO=/path".to_vec(),
            "QUERY_STRING=a=%00%ff&b=\u{fc}".as_bytes().to_vec(),
            [b"HTTP_X_RAW=<", &raw[..], b">"].concat(),
        ] {
            assert!(params.contains(&&*expected), "{}", expected.escape_ascii());
        }
    }
}
