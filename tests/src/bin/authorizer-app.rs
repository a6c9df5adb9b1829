//! A program that guards a site and serves it: Authorizer (§6.3) and Responder (§6.2) in one, for
//! tests behind web servers that know both.
//!
//! ```text
//! authorizer-app [ADDRESS]
//! ```
//!
//! It takes over what it inherits, and else listens on ADDRESS. Whoever shows a ticket gets in: a
//! header field `X-Ticket` that begins with `good`. Apache's modules ask for users instead, in one
//! stage or two: anyone whose password is `secret of` and the name, but not mallory.
//!
//! A grant passes on what was shown, how many requests the process has judged, and what the
//! Authorizer was told of a body's length. The Responder answers with these, and with what became of
//! its own body.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fcgi_std::roles::{Access, Authorizer, Roles};
use fcgi_std::{Request, Server};
use fcgi_tests::pattern::Check;

/// How many requests were judged.
static JUDGED: AtomicUsize = AtomicUsize::new(0);

/// What a grant passes on, and Apache itself.
const SHOWN: [&str; 6] = [
    "TICKET",
    "AUTHN",
    "AUTHZ",
    "JUDGED",
    "LENGTH",
    "REMOTE_USER",
];

fn main() -> io::Result<ExitCode> {
    let address = env::args().nth(1).unwrap_or_default();
    let server = Server::inherited_or_bind(&address)?.stop_on_signals(Duration::from_secs(10));
    Roles::new().authorizer(judge).responder(show).run(server)
}

fn judge(request: &mut Authorizer<'_>) -> io::Result<Access> {
    let judged = JUDGED.fetch_add(1, Ordering::Relaxed) + 1;
    let [stage, user, password, ticket] = [
        "FCGI_APACHE_ROLE",
        "REMOTE_USER",
        "REMOTE_PASSWD",
        "HTTP_X_TICKET",
    ]
    .map(|name| request.params().text(name).into_owned());
    let is_known = password == format!("secret of {user}");
    let is_welcome = user != "mallory";
    let (is_granted, variable, shown) = match stage.as_str() {
        "AUTHENTICATOR" => (is_known, "AUTHN", user),
        "AUTHORIZER" => (is_welcome, "AUTHZ", user),
        // Both in one stage.
        "" if !password.is_empty() => (is_known && is_welcome, "AUTHN", user),
        _ => (ticket.starts_with("good"), "TICKET", ticket),
    };
    if is_granted {
        request.variable(variable, shown)?;
        request.variable("JUDGED", judged.to_string())?;
        let length = request.params().text("CONTENT_LENGTH").into_owned();
        request.variable("LENGTH", format!("{length:?}"))?;
        return Ok(Access::Granted);
    }
    let denial = request.deny(if variable == "TICKET" { 403 } else { 401 })?;
    if variable != "TICKET" {
        denial.header("WWW-Authenticate", "Basic realm=\"the application\"")?;
    }
    denial.header("X-Reason", format!("not with {shown:?}"))?;
    denial.header("Content-Type", "text/html")?;
    write!(denial.stdout, "<p>Sorry, {shown:?}.</p>")?;
    Ok(Access::Denied)
}

fn show(request: &mut Request) -> io::Result<()> {
    let mut check = Check::new();
    io::copy(&mut request.stdin, &mut check)?;
    request.header("Content-Type", "text/plain")?;
    for name in SHOWN {
        if request.params.get(name).is_some() {
            let value = request.params.text(name).into_owned();
            writeln!(request.stdout, "{name}={value}")?;
        }
    }
    let (length, mismatch) = (check.length(), check.mismatch());
    writeln!(request.stdout, "BODY={length} {mismatch:?}")
}
