//! The kit's Authorizer: lets one user in, and tells the next program who that is.
//!
//! ```text
//! AUTH_USER=doe AUTH_PASSWORD=xxxx target/release/cgi-fcgi -start -connect :9000 target/release/authorizer
//! ```
//!
//! lighttpd: `fastcgi.server = ("/private" => (("host" => "127.0.0.1", "port" => 9000, "mode" =>
//! "authorizer", "docroot" => "/srv/www")))`, which passes on what the browser says. Apache:
//! `AuthnzFcgiDefineProvider` of mod_authnz_fcgi, which passes the password as REMOTE_PASSWD, or
//! `FcgidAuthenticator` of mod_fcgid, which does likewise.

use std::env;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use fcgi_std::Server;
use fcgi_std::roles::{Access, Roles};

/// How long requests may go on when a signal stops the program.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> io::Result<ExitCode> {
    let setting = |name, default: &str| env::var(name).unwrap_or_else(|_| default.to_owned());
    let user = setting("AUTH_USER", "doe");
    let password = setting("AUTH_PASSWORD", "xxxx");
    let server = Server::detect(env::args().nth(1).as_deref())?;
    // What a browser sends (RFC 7617), where the web server passes it on as it is.
    let basic = format!(
        "Basic {}",
        BASE64_STANDARD.encode(format!("{user}:{password}"))
    );
    Roles::new()
        .authorizer(move |authorizer| {
            let given = |name| authorizer.params().get(name).unwrap_or_default();
            let is_user = is_same(given("REMOTE_USER"), user.as_bytes());
            let is_password = is_same(given("REMOTE_PASSWD"), password.as_bytes());
            let is_basic = is_same(given("HTTP_AUTHORIZATION"), basic.as_bytes());
            if is_user & is_password | is_basic {
                authorizer.variable("AUTH_TYPE", "Basic")?;
                authorizer.variable("AUTHORIZED_USER", &user)?;
                // The programs behind it need not know the password.
                authorizer.variable("REMOTE_PASSWD", "")?;
                return Ok(Access::Granted);
            }
            let denial = authorizer.deny(401)?;
            denial.header("WWW-Authenticate", "Basic realm=\"Test\"")?;
            denial.content_type("text/plain")?;
            writeln!(denial.stdout, "Who are you?")?;
            Ok(Access::Denied)
        })
        .run(server.stop_on_signals(PATIENCE))
}

/// Takes as long for a wrong first byte as for a wrong last one.
fn is_same(given: &[u8], right: &[u8]) -> bool {
    let differences = given.iter().zip(right).fold(0, |all, (a, b)| all | (a ^ b));
    given.len() == right.len() && differences == 0
}
