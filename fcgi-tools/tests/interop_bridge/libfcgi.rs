//! Programs in C on libfcgi.

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
