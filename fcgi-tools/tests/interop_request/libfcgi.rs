//! A C program on libfcgi, which answers FCGI_GET_VALUES only when nothing more can come.

use std::fs;
use std::process::{Command, Stdio};

use fcgi_tests::process::Running;
use std::os::unix::net::UnixListener;

use crate::tool::fcgi;

const SOURCE: &str = r#"
#include <fcgiapp.h>

int main(void)
{
    FCGX_Request request;

    FCGX_Init();
    FCGX_InitRequest(&request, 0, 0);
    while (FCGX_Accept_r(&request) == 0) {
        FCGX_FPrintF(request.err, "to stderr\n");
        FCGX_FPrintF(request.out, "Content-Type: text/plain\r\n\r\n%s %s",
            FCGX_GetParam("FCGI_ROLE", request.envp), FCGX_GetParam("REQUEST_URI", request.envp));
        FCGX_SetExitStatus(7, request.out);
        FCGX_Finish_r(&request);
    }
    return 0;
}
"#;

#[test]
fn a_c_program() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("app.c");
    let program = directory.path().join("app");
    fs::write(&source, SOURCE).unwrap();
    let status = Command::new("cc")
        .arg(&source)
        .arg("-o")
        .arg(&program)
        .arg("-lfcgi")
        .status()
        .expect("a C compiler: install gcc");
    assert!(status.success(), "install libfcgi-dev");
    let path = directory.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut command = Command::new(program);
    command.stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)));
    let _running = Running::start(&mut command);
    let address = path.to_str().unwrap();

    let ran = fcgi(["request", address, "/a?b"]);
    assert_eq!(
        (ran.code, ran.text()),
        (Some(4), "RESPONDER /a?b"),
        "{ran:?}"
    );
    assert_eq!(ran.stderr, "to stderr\nfcgi: appStatus 7\n");
    let ran = fcgi(["request", address, "/a", "--role", "authorizer"]);
    assert_eq!(ran.text(), "AUTHORIZER /a", "{ran:?}");
    let ran = fcgi(["request", address, "--values"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.text().contains("FCGI_MPXS_CONNS = 0\n"), "{ran:?}");
}
