//! A C program on libfcgi, which answers FCGI_GET_VALUES only when nothing more can come.

use crate::c_program::Program;
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
    let program = Program::start(SOURCE);
    let address = &program.socket();

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
