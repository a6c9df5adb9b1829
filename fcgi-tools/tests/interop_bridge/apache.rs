//! As a CGI program under Apache's mod_cgid, whose standard input and output are one socket.

use std::process::Command;

use fcgi_tests::apache::{Apache, share, shared_directory};
use fcgi_tests::blocking::tcp;
use fcgi_tests::http::{Client, Request};

use crate::kit::Place;

/// Apache sends the whole body before it reads the response, which is lost if the socket is closed
/// with some of the body unread.
#[test]
fn responses_to_bodies_that_nobody_reads() {
    let documents = shared_directory();
    // Apache's user may not reach the directory of the build.
    let program = documents.path().join("cgi-fcgi");
    let copied = Command::new("cp")
        .arg(env!("CARGO_BIN_EXE_cgi-fcgi"))
        .arg(&program)
        .status();
    assert!(copied.unwrap().success());
    share(&program);
    let app = tcp(
        |server| server,
        |request| {
            request.header("Status", "413")?;
            request.header("Content-Type", "text/plain")?;
            std::io::Write::write_all(&mut request.stdout, b"too long\n")
        },
    );
    let nowhere = documents.path().join("nowhere");
    // It writes files in such a way that they can be run at once.
    let place = Place::new();
    for (name, line) in [
        ("early.cgi", format!("-bind -connect {}", app.address())),
        ("gone.cgi", format!("-bind -connect {}", nowhere.display())),
        ("wrong.cgi", "-bnd".to_owned()),
    ] {
        let text = format!("#!{} -f\n{line}\n", program.display());
        let file = place.write(name, &text);
        std::fs::rename(file, documents.path().join(name)).unwrap();
        share(&documents.path().join(name));
    }
    let config = "<LocationMatch \"\\.cgi\">\nOptions +ExecCGI\nSetHandler cgi-script\n\
                  </LocationMatch>\n";
    let apache = Apache::start(documents.path(), &["cgid"], config);
    for (target, status, page) in [
        ("/early.cgi", 413, "too long\n"),
        ("/gone.cgi", 503, "503 Service Unavailable\n"),
        ("/wrong.cgi", 500, "500 Internal Server Error\n"),
    ] {
        for length in [5, 1 << 20] {
            let response =
                Client::connect(apache.address()).call(&Request::post_pattern(target, length));
            let text = response.text();
            assert_eq!(
                response.status,
                status,
                "{target}: {text}\n{}",
                apache.log()
            );
            assert!(text.starts_with(page), "{target}: {text}");
        }
    }
}
