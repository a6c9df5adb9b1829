//! A real lighttpd on a free port, stopped when dropped: the web server that asks Authorizers.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use fcgi_tests::http::{Client, Request};
//! use fcgi_tests::lighttpd::Lighttpd;
//!
//! # let directory = Path::new("/srv/www");
//! let config = r#"
//!     fastcgi.server = ( ".fcgi" => (( "socket" => "/run/app.sock", "check-local" => "disable" )) )
//! "#;
//! let lighttpd = Lighttpd::start(directory, config);
//! let page = Client::connect(lighttpd.address()).call(&Request::get("/index.fcgi"));
//! ```
//!
//! Everything runs as the user who runs the tests. `mod_redirect` and `mod_fastcgi` are loaded;
//! a configuration gets others by `server.modules += ( "mod_cgi" )`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::address::Address;
use crate::process::{WebServer, server};

/// A running lighttpd.
#[derive(Debug)]
pub struct Lighttpd(WebServer);

impl Lighttpd {
    /// Starts a lighttpd that serves the files in `documents`, with further lines of configuration.
    ///
    /// # Panics
    ///
    /// If there is no lighttpd, or it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(documents: &Path, config: &str) -> Lighttpd {
        let program = server("lighttpd", "FCGI_TESTS_LIGHTTPD");
        Lighttpd(WebServer::start("lighttpd", |directory, address, ready| {
            let file = directory.join("lighttpd.conf");
            let config = whole_config(directory, documents, address, ready, config);
            fs::write(&file, config).expect("a file in a new directory");
            let mut command = Command::new(&program);
            command.arg("-D").arg("-f").arg(file).stdin(Stdio::null());
            command
        }))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.0.address
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.process.log()
    }
}

/// The lines that tell `fastcgi.server` where the application listens.
#[must_use]
pub fn backend(application: &Address) -> String {
    match application {
        Address::Unix(path) => format!("\"socket\" => \"{}\"", path.display()),
        Address::Tcp(address) => {
            let (host, port) = (address.ip(), address.port());
            format!("\"host\" => \"{host}\", \"port\" => {port}")
        }
    }
}

/// Without a log file, messages go to standard error. A redirect to nowhere with the status 204 is
/// the one answer that needs neither a file nor an application.
fn whole_config(
    directory: &Path,
    documents: &Path,
    listen: SocketAddr,
    ready: &str,
    config: &str,
) -> String {
    format!(
        "server.bind = \"{host}\"
server.port = {port}
server.document-root = \"{documents}\"
server.upload-dirs = ( \"{directory}\" )
server.modules = ( \"mod_redirect\", \"mod_fastcgi\" )
server.max-keep-alive-requests = 100000
mimetype.assign = ( \".txt\" => \"text/plain\", \".html\" => \"text/html\" )
$HTTP[\"url\"] == \"{ready}\" {{
    url.redirect = ( \"\" => \"/\" )
    url.redirect-code = 204
}}
{config}
",
        host = listen.ip(),
        port = listen.port(),
        documents = documents.display(),
        directory = directory.display(),
    )
}
