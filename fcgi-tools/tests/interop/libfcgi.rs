//! A C program on libfcgi: one process, one thread, one connection after the other; and a kept
//! connection holds it.

use std::thread;

use fcgi_tests::http::Request;
use fcgi_tests::libfcgi::compile;
use fcgi_tests::pattern::Check;
use fcgi_tools::serve::Application;
use tempfile::TempDir;

use crate::gateway::Gateway;

const SOURCE: &str = r#"
#include <fcgiapp.h>
#include <string.h>

int main(void)
{
    FCGX_Request request;
    int count = 0;

    FCGX_Init();
    FCGX_InitRequest(&request, 0, 0);
    while (FCGX_Accept_r(&request) == 0) {
        char *query = FCGX_GetParam("QUERY_STRING", request.envp);
        FCGX_FPrintF(request.out, "Content-Type: text/plain\r\nX-Count: %d\r\n\r\n", ++count);
        if (strcmp(query, "variables") == 0) {
            char **pair;
            for (pair = request.envp; *pair; pair++)
                FCGX_FPrintF(request.out, "%s\n", *pair);
            FCGX_FPrintF(request.err, "request %d\n", count);
        } else {
            char piece[10000];
            int length;
            while ((length = FCGX_GetStr(piece, sizeof piece, request.in)) > 0)
                FCGX_PutStr(piece, length, request.out);
        }
        FCGX_Finish_r(&request);
    }
    return 0;
}
"#;

/// The compiled program, and the gateway that runs it.
fn start() -> (Gateway, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let program = compile(directory.path(), SOURCE);
    let application = Application::Command {
        program: program.into(),
        arguments: Vec::new(),
        listen: None,
    };
    (Gateway::start(application, |options| options), directory)
}

#[test]
fn variables_and_errors() {
    let (gateway, _directory) = start();
    let mut client = gateway.client();
    let page = client.call(&Request::post("/a%20b?variables", "body").header("Proxy", "x"));
    assert_eq!(page.field("X-Count").as_deref(), Some("1"));
    let page = page.text();
    for line in [
        "FCGI_ROLE=RESPONDER",
        "REQUEST_METHOD=POST",
        "CONTENT_LENGTH=4",
        "SCRIPT_NAME=",
        "PATH_INFO=/a b",
        "REQUEST_URI=/a%20b?variables",
        "SERVER_NAME=localhost",
    ] {
        assert!(page.lines().any(|other| other == line), "{line} in {page}");
    }
    assert!(!page.contains("HTTP_PROXY"), "{page}");
    gateway.line("error: POST /a%20b?variables: request 1");
}

#[test]
fn echo_of_10_mib() {
    let (gateway, _directory) = start();
    let mut client = gateway.client();
    for chunked in [false, true] {
        let mut request = Request::post_pattern("/", 10 << 20);
        if chunked {
            request = request.chunked();
        }
        let mut check = Check::new();
        client.exchange(&request, &mut check).unwrap();
        check.assert(10 << 20);
    }
}

#[test]
fn many_clients_of_one_thread() {
    let (gateway, _directory) = start();
    thread::scope(|scope| {
        for number in 0..20 {
            let mut client = gateway.client();
            scope.spawn(move || {
                for round in 0..10 {
                    let body = format!("{number} {round}");
                    assert_eq!(client.call(&Request::post("/", &body)).text(), body);
                }
            });
        }
    });
    let last = gateway.client().call(&Request::get("/"));
    assert_eq!(
        last.field("X-Count").as_deref(),
        Some("201"),
        "one process, each request once"
    );
}

/// A client that goes away does not take the program with it.
#[test]
fn a_client_that_leaves() {
    let (gateway, _directory) = start();
    for _ in 0..3 {
        let mut client = gateway.client();
        let upload = Request::post_pattern("/", 10 << 20);
        client.send(&upload.head_bytes()).unwrap();
        client.send(&[b'x'; 100_000]).unwrap();
        client.receive_head().unwrap();
        drop(client);
        assert_eq!(
            gateway.client().call(&Request::post("/", "next")).text(),
            "next"
        );
    }
}
