//! A real Caddy on a free port, stopped when dropped.
//!
//! ```no_run
//! use fcgi_tests::caddy::Caddy;
//! use fcgi_tests::http::{Client, Request};
//!
//! # let address = fcgi_tests::address::Address::free_tcp();
//! let caddy = Caddy::start(&address);
//! let page = Client::connect(caddy.address()).call(&Request::get("/index.fcgi"));
//! ```
//!
//! A path up to `.fcgi` is the script's name, and what follows is `PATH_INFO`. Caddy opens a
//! connection for each request, and closes it with input unread.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::address::Address;
use crate::nginx_request::DOCUMENT_ROOT;
use crate::process::{WebServer, server};

/// A running Caddy.
#[derive(Debug)]
pub struct Caddy(WebServer);

impl Caddy {
    /// Starts a Caddy that passes every request to the application at this address.
    ///
    /// # Panics
    ///
    /// If there is no Caddy, or it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(application: &Address) -> Caddy {
        let program = server("caddy", "FCGI_TESTS_CADDY");
        Caddy(WebServer::start("caddy", |directory, address, ready| {
            let file = directory.join("Caddyfile");
            let config = config(directory, application, address, ready);
            fs::write(&file, config).expect("a file in a new directory");
            let mut command = Command::new(&program);
            command.args(["run", "--adapter", "caddyfile", "--config"]);
            command.arg(file).stdin(Stdio::null());
            // It keeps its last configuration, and other things, at home.
            command.env("HOME", directory);
            command
                .env_remove("XDG_CONFIG_HOME")
                .env_remove("XDG_DATA_HOME");
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

/// No port but the one, and neither certificates nor an administrator.
fn config(directory: &Path, application: &Address, listen: SocketAddr, ready: &str) -> String {
    let application = match application {
        Address::Unix(path) => format!("unix/{}", path.display()),
        Address::Tcp(address) => address.to_string(),
    };
    format!(
        "{{
    admin off
    auto_https off
    storage file_system {directory}
}}
http://:{port} {{
    bind {host}
    respond {ready} 204
    reverse_proxy {application} {{
        transport fastcgi {{
            root {DOCUMENT_ROOT}
            split .fcgi
        }}
    }}
}}
",
        directory = directory.display(),
        host = listen.ip(),
        port = listen.port(),
    )
}
