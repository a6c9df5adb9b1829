//! Programs in C on libfcgi.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Command;

use fcgi_tests::process::Running;
use tempfile::TempDir;

/// Its variables, then its body.
pub(crate) const ECHO: &str = r#"
#include <fcgiapp.h>

int main(void)
{
    FCGX_Stream *in, *out, *err;
    FCGX_ParamArray variables;

    while (FCGX_Accept(&in, &out, &err, &variables) == 0) {
        char piece[5000];
        int length;

        FCGX_PutS("Content-Type: text/plain\r\n\r\n", out);
        for (; *variables; variables++)
            FCGX_FPrintF(out, "%s\n", *variables);
        while ((length = FCGX_GetStr(piece, sizeof piece, in)) > 0)
            FCGX_PutStr(piece, length, out);
    }
    return 0;
}
"#;

/// Lets in who has the right password, and says more of them.
pub(crate) const AUTHORIZER: &str = r#"
#include <fcgi_stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void)
{
    while (FCGI_Accept() >= 0) {
        const char *password = getenv("REMOTE_PASSWD");

        if (password && strcmp(password, "xxxx") == 0)
            printf("Status: 200 OK\r\nVariable-AUTH_METHOD: %s\r\n"
                   "Variable-MEMBER: yes\r\n\r\n", getenv("AUTH_TYPE"));
        else
            printf("Status: 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"t\"\r\n\r\n"
                   "No.\n");
    }
    return 0;
}
"#;

/// Ends each request with the status that it asks for, and tells of it on standard error.
pub(crate) const STATUS: &str = r#"
#include <fcgi_stdio.h>
#include <stdlib.h>

int main(void)
{
    while (FCGI_Accept() >= 0) {
        int status = atoi(getenv("QUERY_STRING"));

        printf("Content-Type: text/plain\r\n\r\nbefore\n");
        fprintf(stderr, "status %d\n", status);
        printf("behind\n");
        FCGI_SetExitStatus(status);
    }
    return 0;
}
"#;

/// A compiled program that serves a socket.
pub(crate) struct Program {
    _running: Running,
    directory: TempDir,
}

impl Program {
    pub(crate) fn start(source: &str) -> Program {
        let directory = tempfile::tempdir().unwrap();
        let mut program = Command::new(compile(&directory, source));
        let listener = UnixListener::bind(directory.path().join("sock")).unwrap();
        Program {
            _running: Running::start(program.stdin(OwnedFd::from(listener))),
            directory,
        }
    }

    pub(crate) fn socket(&self) -> String {
        let path = self.directory.path().join("sock");
        path.to_str().unwrap().to_owned()
    }
}

pub(crate) fn compile(directory: &TempDir, source: &str) -> PathBuf {
    let file = directory.path().join("app.c");
    std::fs::write(&file, source).unwrap();
    let program = directory.path().join("app");
    let status = Command::new("cc")
        .arg(&file)
        .arg("-o")
        .arg(&program)
        .arg("-lfcgi")
        .status()
        .expect("a C compiler: install gcc");
    assert!(status.success(), "install libfcgi-dev");
    program
}
