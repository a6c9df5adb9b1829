//! PHP-FPM, with a configuration of its own in a temporary directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use fcgi_tests::address::Address;
use fcgi_tests::http::Request;
use fcgi_tests::pattern::Check;
use fcgi_tests::process::Running;
use fcgi_tools::serve::{Application, Options, Site};
use tempfile::TempDir;

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

/// A running PHP-FPM of two processes. Dropping it stops it: drop the gateway before.
struct Fpm {
    _running: Running,
    socket: PathBuf,
    directory: TempDir,
}

impl Fpm {
    fn start() -> Fpm {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let (socket, site) = (path.join("fpm.sock"), path.join("site"));
        fs::create_dir(&site).unwrap();
        fs::write(site.join("index.php"), PAGE).unwrap();
        fs::write(site.join("echo.php"), ECHO).unwrap();
        let configuration = path.join("fpm.conf");
        let text = format!(
            "[global]\nerror_log = /dev/stderr\ndaemonize = no\n\
             [www]\nlisten = {}\npm = static\npm.max_children = 2\n\
             php_admin_value[post_max_size] = 64M\n",
            socket.display()
        );
        // What root starts keeps root's rights only when told (-R below); others ignore this.
        let text = format!("{text}user = root\ngroup = root\n");
        fs::write(&configuration, text).unwrap();
        let mut command = Command::new(program());
        command.args(["-n", "-F", "-R", "-y"]).arg(&configuration);
        let mut running = Running::start(&mut command);
        running.wait_for(&Address::Unix(socket.clone()));
        Fpm {
            _running: running,
            socket,
            directory,
        }
    }

    fn gateway(&self) -> Gateway {
        let site = Site::default().document_root(self.site()).unwrap();
        let address = fcgi_listen::Address::Unix(self.socket.clone());
        Gateway::start(Application::Connect(address), |options| Options {
            site,
            ..options
        })
    }

    fn site(&self) -> PathBuf {
        self.directory.path().join("site")
    }
}

/// `php-fpm`, or with a version as Debian names it.
fn program() -> PathBuf {
    let places = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    let entries = places
        .iter()
        .filter_map(|place| fs::read_dir(Path::new(place)).ok());
    let mut programs = entries.flatten().flatten().map(|entry| entry.path());
    programs
        .find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("php-fpm")
        })
        .expect("install php-fpm")
}

#[test]
fn a_page() {
    let fpm = Fpm::start();
    let gateway = fpm.gateway();
    let mut client = gateway.client();
    let root = fpm.site().display().to_string();
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
    let fpm = Fpm::start();
    let gateway = fpm.gateway();
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
    let fpm = Fpm::start();
    let gateway = fpm.gateway();
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
    let fpm = Fpm::start();
    let gateway = fpm.gateway();
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
