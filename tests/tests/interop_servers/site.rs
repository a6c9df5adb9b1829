//! The program behind a web server.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;

use fcgi_tests::apache::{self, Apache, shared_directory};
use fcgi_tests::caddy::Caddy;
use fcgi_tests::fcgiwrap::Fcgiwrap;
use fcgi_tests::http::Client;
use fcgi_tests::lighttpd::{self, Lighttpd};
use fcgi_tests::nginx::Nginx;
use tempfile::TempDir;

use crate::app::{App, copy_program};

/// The program, which lies at `/app.fcgi`.
const PROGRAM: &str = env!("CARGO_BIN_EXE_responder-app");

/// What serves: `fcgi-std` or `fcgi-mio`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Frontend {
    Std,
    Mio,
}

/// How requests get to the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Server {
    /// lighttpd, which connects to a unix socket.
    LighttpdUnix,
    /// lighttpd over TCP.
    LighttpdTcp,
    /// Apache's `mod_proxy_fcgi`, which keeps connections to a unix socket.
    ProxyUnix,
    /// The same over TCP.
    ProxyTcp,
    /// Apache's `mod_fcgid`, which starts the program with its listener as descriptor 0.
    Fcgid,
    /// Caddy, which connects to a unix socket.
    CaddyUnix,
    /// Caddy over TCP.
    CaddyTcp,
    /// lighttpd's `mod_cgi`.
    LighttpdCgi,
    /// Apache's `mod_cgid`.
    Cgid,
    /// fcgiwrap behind nginx.
    Fcgiwrap,
}

/// Makes tests of each function, for each server with each frontend, and as CGI.
macro_rules! everywhere {
    ($($case:ident),* $(,)?) => {
        crate::site::everywhere! { @ threads Std [$($case)*]
            lighttpd_unix LighttpdUnix, lighttpd_tcp LighttpdTcp,
            proxy_unix ProxyUnix, proxy_tcp ProxyTcp, fcgid Fcgid,
            caddy_unix CaddyUnix, caddy_tcp CaddyTcp,
        }
        crate::site::everywhere! { @ event_loop Mio [$($case)*]
            lighttpd_unix LighttpdUnix, lighttpd_tcp LighttpdTcp,
            proxy_unix ProxyUnix, proxy_tcp ProxyTcp, fcgid Fcgid,
            caddy_unix CaddyUnix, caddy_tcp CaddyTcp,
        }
        crate::site::everywhere! { @ cgi Std [$($case)*]
            lighttpd LighttpdCgi, cgid Cgid, fcgiwrap Fcgiwrap,
        }
    };
    (@ $name:ident $frontend:ident $cases:tt $($module:ident $server:ident,)*) => {
        mod $name {
            $(crate::site::everywhere! { @@ $module $frontend $server $cases })*
        }
    };
    (@@ $module:ident $frontend:ident $server:ident [$($case:ident)*]) => {
        mod $module {
            use crate::site::{Frontend, Server, Site};
            $(#[test] fn $case() {
                super::super::$case(&Site::start(Server::$server, Frontend::$frontend));
            })*
        }
    };
}
pub(crate) use everywhere;

/// A web server with the program behind it.
pub(crate) struct Site {
    /// What the program has to say that it serves with.
    pub(crate) frontend: Frontend,
    web: Web,
    _app: Option<App>,
    _documents: TempDir,
}

enum Web {
    Lighttpd(Lighttpd),
    Apache(Apache),
    Caddy(Caddy),
    Nginx(
        Nginx,
        #[expect(dead_code, reason = "runs until it is dropped")] Fcgiwrap,
    ),
}

impl Site {
    pub(crate) fn start(server: Server, frontend: Frontend) -> Site {
        match server {
            Server::LighttpdUnix => Site::lighttpd(true, frontend, ""),
            Server::LighttpdTcp => Site::lighttpd(false, frontend, ""),
            Server::ProxyUnix => Site::proxy(true, frontend, "enablereuse=on"),
            Server::ProxyTcp => Site::proxy(false, frontend, "enablereuse=on"),
            Server::Fcgid => Site::fcgid(frontend, &[], ""),
            Server::CaddyUnix => Site::caddy(true, frontend),
            Server::CaddyTcp => Site::caddy(false, frontend),
            Server::LighttpdCgi => Site::new(frontend, None, |documents| {
                let config = "cgi.assign = ( \".fcgi\" => \"\" )";
                let config = format!("server.modules += ( \"mod_cgi\" )\n{config}");
                Web::Lighttpd(Lighttpd::start(documents, &config))
            }),
            Server::Cgid => Site::new(frontend, None, |documents| {
                let config = "Options +ExecCGI\nSetHandler cgi-script";
                let config = format!("<LocationMatch \"\\.fcgi\">\n{config}\n</LocationMatch>");
                Web::Apache(Apache::start(documents, &["cgid"], &config))
            }),
            Server::Fcgiwrap => Site::new(frontend, None, |documents| {
                let fcgiwrap = Fcgiwrap::start(4);
                let nginx = Nginx::before(fcgiwrap.address().clone());
                let nginx = nginx.directive(&format!("root {};", documents.display()));
                Web::Nginx(nginx.start(), fcgiwrap)
            }),
        }
    }

    /// Behind lighttpd, with further lines about the application.
    pub(crate) fn lighttpd(unix: bool, frontend: Frontend, options: &str) -> Site {
        let app = App::start(PROGRAM, &[frontend.name()], unix);
        let backend = lighttpd::backend(app.address());
        let backend = format!("{backend}, \"check-local\" => \"disable\", {options}");
        let config = format!("fastcgi.server = ( \".fcgi\" => (( {backend} )) )");
        Site::new(frontend, Some(app), |documents| {
            Web::Lighttpd(Lighttpd::start(documents, &config))
        })
    }

    /// Behind Apache's `mod_proxy_fcgi`, with options for its connections.
    pub(crate) fn proxy(unix: bool, frontend: Frontend, options: &str) -> Site {
        let app = App::start(PROGRAM, &[frontend.name()], unix);
        let backend = apache::backend(app.address());
        let config = format!("ProxyPass /app.fcgi \"{backend}/app.fcgi\" {options}\n");
        Site::new(frontend, Some(app), |documents| {
            Web::Apache(Apache::start(documents, &["proxy", "proxy_fcgi"], &config))
        })
    }

    fn caddy(unix: bool, frontend: Frontend) -> Site {
        let app = App::start(PROGRAM, &[frontend.name()], unix);
        let caddy = Web::Caddy(Caddy::start(app.address()));
        Site::new(frontend, Some(app), |_| caddy)
    }

    /// Started by Apache's `mod_fcgid`, as often as there are requests at a time: where it has to
    /// wait for a process, it looks again after a second. With more modules, and what they need to
    /// be told.
    pub(crate) fn fcgid(frontend: Frontend, modules: &[&str], config: &str) -> Site {
        Site::new(frontend, None, |documents| {
            let program = documents.join("app.fcgi");
            let wrapper = format!("\"{} {}\"", program.display(), frontend.name());
            let modules = [&["fcgid"], modules].concat();
            let config = format!(
                r#"{config}
FcgidSpawnScoreUpLimit 1000
<LocationMatch "\.fcgi">
Options +ExecCGI
SetHandler fcgid-script
FcgidWrapper {wrapper} .fcgi
</LocationMatch>
"#
            );
            Web::Apache(Apache::start(documents, &modules, &config))
        })
    }

    /// A server for a directory with the program.
    fn new(frontend: Frontend, app: Option<App>, start: impl FnOnce(&Path) -> Web) -> Site {
        let documents = shared_directory();
        copy_program(PROGRAM, &documents.path().join("app.fcgi"));
        Site {
            frontend,
            web: start(documents.path()),
            _app: app,
            _documents: documents,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match &self.web {
            Web::Lighttpd(lighttpd) => lighttpd.address(),
            Web::Apache(apache) => apache.address(),
            Web::Caddy(caddy) => caddy.address(),
            Web::Nginx(nginx, _) => nginx.address(),
        }
    }

    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address())
    }

    /// What the server has said, and the programs that it has started.
    pub(crate) fn log(&self) -> String {
        match &self.web {
            Web::Lighttpd(lighttpd) => lighttpd.log(),
            Web::Apache(apache) => apache.log(),
            Web::Caddy(caddy) => caddy.log(),
            Web::Nginx(nginx, _) => nginx.error_log(),
        }
    }

    /// Stops Apache; all that it has said.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> String {
        match &mut self.web {
            Web::Apache(apache) => apache.stop(),
            _ => panic!("not behind Apache"),
        }
    }
}

/// The program says what it has to on standard error, which ends up in the server's log.
impl Drop for Site {
    fn drop(&mut self) {
        let log = self.log();
        assert!(thread::panicking() || !log.contains("fastcgi: "), "{log}");
    }
}

impl Frontend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Frontend::Std => "std",
            Frontend::Mio => "mio",
        }
    }
}
