//! A real HAProxy on a free port, stopped when dropped: the one web server that multiplexes.
//!
//! ```no_run
//! use fcgi_tests::haproxy::Haproxy;
//! use fcgi_tests::http::{Client, Request};
//!
//! # let address = fcgi_tests::address::Address::free_tcp();
//! let haproxy = Haproxy::start(&address);
//! let page = Client::connect(haproxy.address()).call(&Request::get("/index.fcgi"));
//! ```
//!
//! It asks the application with FCGI_GET_VALUES on each new connection, keeps connections, sends as
//! many requests on one as the application says that it takes, up to 16, and aborts the request of a
//! client that leaves in the middle of its body. Of one that leaves later it reads the answer to its
//! end, however long that is, if the connection has other requests. A path up to `.fcgi` is the
//! script's name, and what follows is `PATH_INFO`.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::address::Address;
use crate::nginx_request::DOCUMENT_ROOT;
use crate::process::{WebServer, server};

/// A running HAProxy.
#[derive(Debug)]
pub struct Haproxy(WebServer);

impl Haproxy {
    /// Starts an HAProxy that passes every request to the application at this address.
    ///
    /// # Panics
    ///
    /// If there is no HAProxy, or it does not start.
    #[must_use]
    #[track_caller]
    pub fn start(application: &Address) -> Haproxy {
        let program = server("haproxy", "FCGI_TESTS_HAPROXY");
        Haproxy(WebServer::start("haproxy", |directory, address, ready| {
            let file = directory.join("haproxy.cfg");
            let config = config(application, address, ready);
            fs::write(&file, config).expect("a file in a new directory");
            let mut command = Command::new(&program);
            command.arg("-db").arg("-f").arg(file).stdin(Stdio::null());
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

/// One thread, since connections are shared among the requests of a thread only.
fn config(application: &Address, listen: SocketAddr, ready: &str) -> String {
    let application = match application {
        Address::Unix(path) => format!("unix@{}", path.display()),
        Address::Tcp(address) => address.to_string(),
    };
    format!(
        "global
    nbthread 1
    maxconn 2000
defaults
    mode http
    timeout connect 10s
    timeout client 60s
    timeout server 60s
fcgi-app application
    docroot {DOCUMENT_ROOT}
    path-info ^(/.+\\.fcgi)(/.*)?$
    option get-values
    option keep-conn
    option mpxs-conns
    option max-reqs 16
frontend web
    bind {listen}
    http-request return status 204 if {{ path {ready} }}
    default_backend application
backend application
    use-fcgi-app application
    http-reuse always
    server one {application} proto fcgi
"
    )
}
