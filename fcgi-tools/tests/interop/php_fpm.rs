//! PHP-FPM behind the gateway.

use std::thread;

use fcgi_tests::http::Request;
use fcgi_tests::pattern::Check;
use fcgi_tools::serve::{Application, Options, Site};

use crate::fpm::Fpm;
use crate::gateway::Gateway;

const PAGE: &str = r#"<?php
header('Content-Type: text/plain');
header('Set-Cookie: a=1');
header('Set-Cookie: b=2', false);
foreach (['REQUEST_METHOD', 'SCRIPT_NAME', 'PATH_INFO', 'PHP_SELF', 'SCRIPT_FILENAME',
    'QUERY_STRING', 'CONTENT_LENGTH', 'SERVER_NAME', 'REQUEST_URI', 'DOCUMENT_ROOT'] as $name) {
    echo $name, '=', $_SERVER[$name] ?? 'none', "\n";
}
echo 'form=', $_POST['text'] ?? 'none', "\n";
echo 'proxy=', getenv('HTTP_PROXY') ?: 'none', "\n";
error_log("page\nfor " . $_SERVER['REQUEST_URI']);
"#;

const ECHO: &str = r#"<?php
header('Content-Type: application/octet-stream');
readfile('php://input');
"#;

/// Drop the gateway before.
fn start() -> Fpm {
    Fpm::start(&[("index.php", PAGE), ("echo.php", ECHO)], "")
}

fn gateway(fpm: &Fpm) -> Gateway {
    let site = Site::default().document_root(fpm.site()).unwrap();
    let address = fpm.address().parse().unwrap();
    Gateway::start(Application::Connect(address), |options| Options {
        site,
        ..options
    })
}

#[test]
fn a_page() {
    let fpm = start();
    let gateway = gateway(&fpm);
    let mut client = gateway.client();
    let root = fpm.site();
    for (target, path_info, this) in [
        ("/", "none", "/index.php"),
        ("/index.php/a%20b?c=d", "/a b", "/index.php/a b"),
    ] {
        let page = client.call(&Request::get(target).header("Proxy", "http://evil"));
        assert_eq!(page.status, 200);
        assert_eq!(
            page.field("Content-Type").as_deref(),
            Some("text/plain;charset=UTF-8")
        );
        assert_eq!(page.all("Set-Cookie"), ["a=1", "b=2"]);
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let expected = format!(
            "REQUEST_METHOD=GET\nSCRIPT_NAME=/index.php\nPATH_INFO={path_info}\nPHP_SELF={this}\n\
             SCRIPT_FILENAME={root}/index.php\nQUERY_STRING={query}\nCONTENT_LENGTH=none\n\
             SERVER_NAME=localhost\n\
             REQUEST_URI={target}\nDOCUMENT_ROOT={root}\nform=none\nproxy=none\n"
        );
        assert_eq!(page.text(), expected);
        gateway.line(&format!("error: GET {target}: PHP message: page"));
    }
    let page = client.call(&Request::get("/missing.php"));
    assert_eq!(page.status, 404);
    gateway.line("error: GET /missing.php: Primary script unknown");
    assert_eq!(client.call(&Request::get("/not/php.txt")).status, 404);
    let head = client.call(&Request::head("/"));
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_form() {
    let fpm = start();
    let gateway = gateway(&fpm);
    let request = || {
        Request::post("/", "text=Gr%C3%BC%C3%9Fe")
            .header("Content-Type", "application/x-www-form-urlencoded")
    };
    for request in [request(), request().chunked()] {
        let page = gateway.client().call(&request).text();
        assert!(page.contains("\nCONTENT_LENGTH=20\n"), "{page}");
        assert!(page.contains("\nform=Grüße\n"), "{page}");
    }
}

#[test]
fn echo_of_10_mib() {
    let fpm = start();
    let gateway = gateway(&fpm);
    for chunked in [false, true] {
        let mut request = Request::post_pattern("/echo.php", 10 << 20);
        if chunked {
            request = request.chunked();
        }
        let mut check = Check::new();
        gateway.client().exchange(&request, &mut check).unwrap();
        check.assert(10 << 20);
    }
}

/// More clients than processes, each of which a kept connection holds.
#[test]
fn many_clients_of_two_processes() {
    let fpm = start();
    let gateway = gateway(&fpm);
    thread::scope(|scope| {
        for number in 0..20 {
            let mut client = gateway.client();
            scope.spawn(move || {
                for round in 0..5 {
                    let body = format!("{number} {round}");
                    let page = client.call(&Request::post("/echo.php", &body));
                    assert_eq!(page.text(), body);
                }
            });
        }
    });
}
