//! What handlers say in HTTP's words, and what a client gets to see of it through nginx.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use fcgi_core::form::cookie::{SameSite, SetCookie};
use fcgi_tests::http::{self, Client};

use crate::exchange::text;
use crate::site::{App, Way, eight_ways};

eight_ways! {
    redirects_of_each_kind, a_local_redirect, cookies_apart, responses_without_a_body, dates,
    a_file_of_nginx,
}

fn redirects_of_each_kind(way: Way) {
    let app = App::start(way, |exchange| {
        let query = exchange.text_param("QUERY_STRING");
        let (status, location) = query.split_once(',').unwrap();
        exchange.redirect(status.parse().unwrap(), location)?;
        match status {
            // With a document, and without.
            "301" => text(exchange, "moved"),
            _ => Ok(()),
        }
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    for status in [301, 302, 303, 307, 308] {
        for location in ["https://example.com/there?a=b", "/local/path?c=%20"] {
            let page = client.call(&http::Request::get(format!("/?{status},{location}")));
            assert_eq!(page.status, status, "{location}");
            assert_eq!(page.field("Location").as_deref(), Some(location));
            let body = if status == 301 { "moved" } else { "" };
            assert_eq!(page.text(), body);
        }
    }
}

/// nginx makes a client redirect of it, as FastCGI's web servers may.
fn a_local_redirect(way: Way) {
    let app = App::start(way, |exchange| {
        match exchange.text_param("DOCUMENT_URI").as_str() {
            "/there" => text(exchange, "there"),
            _ => exchange.local_redirect("/there?a=b"),
        }
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    let page = client.call(&http::Request::get("/"));
    assert_eq!(page.status, 302);
    let location = page.field("Location").unwrap();
    assert_eq!(location, "/there?a=b");
    assert_eq!(client.call(&http::Request::get(location)).text(), "there");
}

fn cookies_apart(way: Way) {
    let app = App::start(way, |exchange| {
        let id = SetCookie::new("__Host-id", "8f14e45f").path("/").secure();
        exchange.set_cookie(&id.http_only().same_site(SameSite::Strict))?;
        exchange.set_cookie(&SetCookie::new("theme", "dark").max_age(60))?;
        exchange.set_cookie(&SetCookie::removal("old"))?;
        text(exchange, "three")
    });
    let nginx = app.nginx().start();
    let page = Client::connect(nginx.address()).call(&http::Request::get("/"));
    let expected = [
        "__Host-id=8f14e45f; Path=/; Secure; HttpOnly; SameSite=Strict",
        "theme=dark; Max-Age=60",
        "old=; Max-Age=0",
    ];
    assert_eq!(page.all("Set-Cookie"), expected);
    assert_eq!(page.text(), "three");
}

/// After each of them the connection of the client goes on with the next.
fn responses_without_a_body(way: Way) {
    let app = App::start(way, |exchange| {
        match exchange.text_param("QUERY_STRING").as_str() {
            "204" => exchange.no_content(),
            "304" => {
                exchange.header("ETag", b"\"1\"")?;
                exchange.not_modified()
            }
            _ => text(exchange, "a page"),
        }
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    for _ in 0..2 {
        for (query, status) in [("204", 204), ("304", 304), ("", 200)] {
            for (request, body) in [
                (http::Request::get(format!("/?{query}")), "a page"),
                (http::Request::head(format!("/?{query}")), ""),
            ] {
                let page = client.call(&request);
                assert_eq!(page.status, status);
                let body = if status == 200 { body } else { "" };
                assert_eq!(page.text(), body, "{query}");
                let tag = (status == 304).then(|| "\"1\"".to_owned());
                assert_eq!(page.field("ETag"), tag);
            }
        }
    }
}

fn dates(way: Way) {
    let app = App::start(way, |exchange| {
        if exchange.text_param("HTTP_IF_MODIFIED_SINCE") == "Sun, 06 Nov 1994 08:49:37 GMT" {
            exchange.not_modified()?;
            return exchange.expires(UNIX_EPOCH + Duration::from_secs(4_102_444_799));
        }
        exchange.last_modified(UNIX_EPOCH + Duration::from_secs(784_111_777))?;
        exchange.expires(UNIX_EPOCH + Duration::from_secs(4_102_444_799))?;
        text(exchange, "old")
    });
    let nginx = app.nginx().start();
    let mut client = Client::connect(nginx.address());
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    let page = client.call(&http::Request::get("/"));
    assert_eq!(page.field("Last-Modified").as_deref(), Some(date));
    let expires = page.field("Expires");
    assert_eq!(expires.as_deref(), Some("Thu, 31 Dec 2099 23:59:59 GMT"));
    assert_eq!((page.status, page.text().as_str()), (200, "old"));
    let again = http::Request::get("/").header("If-Modified-Since", date);
    let page = client.call(&again);
    assert_eq!((page.status, page.text().as_str()), (304, ""));
    assert_eq!(page.field("Expires"), expires);
}

/// nginx finds the file in a place that clients do not get at, takes its type from the name, and
/// serves ranges of it.
fn a_file_of_nginx(way: Way) {
    let directory = tempfile::tempdir().unwrap();
    let name = "100% K\u{e4}se?;+&.html";
    fs::write(directory.path().join(name), "<p>a file</p>").unwrap();
    let app = App::start(way, move |exchange| {
        exchange.set_cookie(&SetCookie::new("seen", "1"))?;
        match exchange.text_param("QUERY_STRING").as_str() {
            "typed" => exchange.header("Content-Type", b"text/x-typed")?,
            "missing" => return exchange.x_accel_redirect("/files/no such"),
            _ => {}
        }
        exchange.x_accel_redirect(&format!("/files/{name}"))?;
        if exchange.text_param("REQUEST_METHOD") == "HEAD" {
            return Ok(());
        }
        let error = exchange.write(b"a body").unwrap_err();
        assert_eq!(error.to_string(), "this response has no body");
        Ok(())
    });
    let files = directory.path().display();
    let location =
        format!("location /files/ {{ internal; types {{ text/html html; }} alias {files}/; }}");
    let nginx = app.nginx().directive(&location).start();
    let mut client = Client::connect(nginx.address());
    let page = client.call(&http::Request::get("/"));
    assert_eq!((page.status, page.text().as_str()), (200, "<p>a file</p>"));
    assert_eq!(page.all("Content-Type"), ["text/html"]);
    assert_eq!(page.all("Set-Cookie"), ["seen=1"]);
    assert_eq!(page.field("X-Accel-Redirect"), None);
    let page = client.call(&http::Request::get("/?typed"));
    assert_eq!(page.all("Content-Type"), ["text/x-typed"]);
    let page = client.call(&http::Request::get("/").header("Range", "bytes=3-8"));
    assert_eq!((page.status, page.text().as_str()), (206, "a file"));
    assert_eq!(client.call(&http::Request::head("/")).status, 200);
    assert_eq!(client.call(&http::Request::get("/?missing")).status, 404);
    // `internal` is.
    assert_eq!(
        client.call(&http::Request::get("/files/x.html")).status,
        404
    );
}
