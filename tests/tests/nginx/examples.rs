//! The example programs, each a process of its own.

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use fcgi_tests::address::Address;
use fcgi_tests::http::{Client, Request};
use fcgi_tests::nginx::Nginx;
use fcgi_tests::pattern;
use fcgi_tests::process::{Running, example};
use tempfile::TempDir;

use crate::site::{Way, four_ways};

four_ways! {
    tiny_fcgi_counts, echo_returns_what_came, form_shows_what_came, upload_keeps_files,
    session_knows_its_user,
}

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
        Example::behind_nginx(way, process, address, directory)
    }

    /// Starts it as web servers do: with its listening socket as descriptor 0 (§2.2).
    fn inheriting(way: Way, name: &str) -> Example {
        let directory = tempfile::tempdir().unwrap();
        let (address, listener): (Address, OwnedFd) = if way.unix {
            let path = directory.path().join("app.sock");
            let listener = UnixListener::bind(&path).unwrap();
            (path.into(), listener.into())
        } else {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            (listener.local_addr().unwrap().into(), listener.into())
        };
        let process = Running::start(example(name).stdin(listener));
        Example::behind_nginx(way, process, address, directory)
    }

    fn behind_nginx(
        way: Way,
        process: Running,
        application: Address,
        directory: TempDir,
    ) -> Example {
        let nginx = Nginx::before(application.clone());
        Example {
            nginx: if way.kept { nginx.keep_conn(4) } else { nginx }.start(),
            process,
            application,
            _directory: directory,
        }
    }

    /// Where nginx listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.nginx.address()
    }
}

fn tiny_fcgi_counts(way: Way) {
    page_counts(&Example::inheriting(way, "tiny-fcgi"));
    page_counts(&Example::start(way, "tiny-fcgi2"));
}

fn page_counts(tiny: &Example) {
    let process = format!("in process {}.", tiny.process.id());
    for number in 1..=20 {
        // Each from a browser of its own, so that nginx has no reason to stay on one connection.
        let page = Client::connect(tiny.address()).call(&Request::get("/tiny.fcgi"));
        assert_eq!(page.status, 200);
        let kind = page.field("Content-Type");
        assert_eq!(kind.as_deref(), Some("text/html; charset=utf-8"));
        let text = page.text();
        assert!(text.contains("<h1>FastCGI Hello!"), "{text}");
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
    page_echoes(&Example::inheriting(way, "echo"));
    page_echoes(&Example::start(way, "echo2"));
}

fn page_echoes(echo: &Example) {
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

/// What the page of `form` shows under this heading.
fn shown<'a>(page: &'a str, id: &str) -> &'a str {
    let begin = format!("<div id={id}>");
    let (_, rest) = page.split_once(&begin).expect(page);
    rest.split_once("</div>").expect(page).0
}

fn form_shows_what_came(way: Way) {
    let form = Example::start(way, "form");
    let mut client = Client::connect(form.address());
    let fields = "name=a&list=a&list=b&user%5Bfirst%5D=a&user%5Blast%5D=b\
        &login[name]=a&login[pw]=b&login[pw]=c";
    let kinds = "<dl><dt>list<dd><ol><li>a<li>b</ol>\
        <dt>login<dd><dl><dt>name<dd>a<dt>pw<dd><ol><li>b<li>c</ol></dl>\
        <dt>name<dd>a\
        <dt>user<dd><dl><dt>first<dd>a<dt>last<dd>b</dl></dl>";
    let cookies = fields
        .replace("%5B", "[")
        .replace("%5D", "]")
        .replace('&', "; ");
    let parts = cookies.split("; ").map(|pair| {
        let (name, value) = pair.split_once('=').unwrap();
        let head = format!("Content-Disposition: form-data; name=\"{name}\"");
        format!("--b\r\n{head}\r\n\r\n{value}\r\n")
    });
    let parts = parts.collect::<String>() + "--b--\r\n";

    let nothing = "<dl></dl>";
    let urlencoded = "application/x-www-form-urlencoded";
    for (request, expected) in [
        (
            Request::get(format!("/?{fields}")),
            [kinds, nothing, nothing],
        ),
        (
            Request::post("/", fields).header("Content-Type", urlencoded),
            [nothing, kinds, nothing],
        ),
        (
            Request::post("/", parts).header("Content-Type", "multipart/form-data; boundary=b"),
            [nothing, kinds, nothing],
        ),
        (
            Request::get("/").header("Cookie", cookies),
            [nothing, nothing, kinds],
        ),
    ] {
        let page = client.call(&request);
        assert_eq!(page.status, 200);
        for (id, expected) in ["query", "body", "cookies"].iter().zip(expected) {
            assert_eq!(shown(&page.text(), id), expected, "{id}");
        }
    }
    let page = client.call(&Request::get("/?%3Cscript%3E=%3Cb+a='%26\"%3E"));
    let harmless = "<dl><dt>&lt;script&gt;<dd>&lt;b a=&#39;&amp;&quot;&gt;</dl>";
    assert_eq!(shown(&page.text(), "query"), harmless);
    let page = client.call(&Request::get("/?a=1&a[b]=2"));
    assert_eq!((page.status, &*page.text()), (400, "400 Bad Request\n"));
}

fn upload_keeps_files(way: Way) {
    let directory = tempfile::tempdir().unwrap();
    let upload = Example::with(way, "upload", &[directory.path().to_str().unwrap()]);
    let mut client = Client::connect(upload.address());
    assert_eq!(client.call(&Request::get("/")).status, 200);
    // Small, large, and by a name that would be a path or a script.
    let contents = [pattern::bytes(10), pattern::bytes(300_000), Vec::new()];
    let names = ["a.txt", "../../etc/<img>", "empty"];
    let mut body = Vec::new();
    for (name, content) in names.iter().zip(&contents) {
        let head = format!("form-data; name=\"file\"; filename=\"{name}\"");
        let head = format!("--b\r\nContent-Disposition: {head}\r\nContent-Type: a/b\r\n\r\n");
        body.extend([head.as_bytes(), content, b"\r\n"].concat());
    }
    body.extend(b"--b\r\nContent-Disposition: form-data; name=note\r\n\r\n<hello>\r\n--b--\r\n");
    let kind = "multipart/form-data; boundary=b";
    let request = Request::post("/", &body).header("Content-Type", kind);
    let page = client.call(&request);
    assert_eq!(page.status, 200);
    for text in [
        "<p>Note: &lt;hello&gt;<table>",
        "<tr><td>a.txt<td>a/b<td>10 bytes<td>upload-1<",
        "<tr><td>&lt;img&gt;<td>a/b<td>300000 bytes<td>upload-2<",
        "<tr><td>empty<td>a/b<td>0 bytes<td>upload-3<",
    ] {
        assert!(page.text().contains(text), "{text}: {}", page.text());
    }
    for (number, content) in (1..).zip(&contents) {
        let kept = fs::read(directory.path().join(format!("upload-{number}")));
        assert!(kept.unwrap() == *content);
    }
    assert!(
        client
            .call(&request)
            .text()
            .contains("300000 bytes<td>upload-5<")
    );
    // A form that is cut: nothing of it is kept.
    let cut = &body[..200_000];
    let page = client.call(&Request::post("/", cut).header("Content-Type", kind));
    assert_eq!(page.status, 400);
    let count = || fs::read_dir(directory.path()).unwrap().count();
    let kept = || format!("{} files are left", count());
    fcgi_tests::blocking::eventually(|| count() == 6, kept);
}

fn session_knows_its_user(way: Way) {
    let session = Example::start(way, "session");
    let connect = || Client::connect(session.address());
    let urlencoded = "application/x-www-form-urlencoded";
    let post = |body: &str| Request::post("/app", body).header("Content-Type", urlencoded);
    let log_in = |name: &str| {
        let answer = connect().call(&post(&format!("name={name}")));
        assert_eq!(answer.status, 303);
        let cookie = answer.field("Set-Cookie").unwrap();
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(attributes, "Max-Age=3600; Path=/; HttpOnly; SameSite=Lax");
        pair.to_owned()
    };
    let visit = |cookie: &str| {
        let page = connect().call(&Request::get("/app").header("Cookie", cookie));
        assert_eq!(page.status, 200);
        page.text().clone()
    };
    let cookies: Vec<_> = ["Ann", "%3CBo%3E"].map(log_in).into();
    // Whichever thread answers.
    for number in 1..=10 {
        assert!(visit(&cookies[0]).contains(&format!("<p>Hello, Ann! Visit {number}.\n")));
        let other = format!("<p>Hello, &lt;Bo&gt;! Visit {number}.\n");
        assert!(visit(&format!("theme=dark; {}", cookies[1])).contains(&other));
    }
    for stranger in [
        "",
        "id=",
        "id=0",
        "id=x",
        "id=00000000000000000000000000000001",
    ] {
        assert!(visit(stranger).contains("<p>Who are you?\n"), "{stranger}");
    }
    let answer = connect().call(&post("").header("Cookie", &cookies[0]));
    let gone = "id=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax";
    assert_eq!(answer.field("Set-Cookie").as_deref(), Some(gone));
    assert!(visit(&cookies[0]).contains("Who are you?"));
    assert!(visit(&cookies[1]).contains("Visit 11."));

    // No two are alike, and for one too many the oldest has gone.
    let mut client = connect();
    let ids: BTreeSet<_> = (0..1000)
        .map(|_| client.call(&post("name=x")).field("Set-Cookie").unwrap())
        .collect();
    assert_eq!(ids.len(), 1000);
    assert!(visit(&cookies[1]).contains("Who are you?"));
}
