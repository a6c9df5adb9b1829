//! An example behind a web server, in each of the ways in which a request can get to it.

use std::fs;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use fcgi_tests::address::Address;
use fcgi_tests::apache::{Apache, share, shared_directory};
use fcgi_tests::fcgiwrap::Fcgiwrap;
use fcgi_tests::http::{Client, Request, Response};
use fcgi_tests::nginx::Nginx;
use fcgi_tests::nginx_request::SERVER_NAME;
use fcgi_tests::process::{Running, example, tool};
use tempfile::TempDir;

use crate::app::copy_program;

/// How a request gets to the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// nginx, which speaks FastCGI with it.
    Nginx,
    /// fcgiwrap behind nginx, which runs it as a CGI program.
    Fcgiwrap,
    /// Apache's `mod_cgid`, which does likewise.
    Cgid,
    /// fcgiwrap behind nginx, which runs `cgi-fcgi` as a CGI program; that speaks FastCGI with it.
    Bridge,
}

impl Way {
    pub(crate) const ALL: [Way; 4] = [Way::Nginx, Way::Fcgiwrap, Way::Cgid, Way::Bridge];

    /// Whether each request has a process of its own.
    pub(crate) fn is_cgi(self) -> bool {
        matches!(self, Way::Fcgiwrap | Way::Cgid)
    }
}

/// A web server with the example at `/app.fcgi`.
pub(crate) struct Site {
    web: Web,
    /// The process that serves all requests, if there is one.
    pub(crate) app: Option<Inherited>,
    _documents: TempDir,
}

enum Web {
    Apache(Apache),
    Nginx(Nginx),
    Wrapped(
        Nginx,
        #[expect(dead_code, reason = "runs until it is dropped")] Fcgiwrap,
    ),
}

impl Site {
    /// Starts all of it.
    #[track_caller]
    pub(crate) fn start(way: Way, name: &str) -> Site {
        let documents = shared_directory();
        let program = documents.path().join("app.fcgi");
        let mut app = None;
        match way {
            Way::Nginx => app = Some(Inherited::start(name)),
            Way::Fcgiwrap | Way::Cgid => copy_program(&path_of(name), &program),
            Way::Bridge => {
                let inherited = Inherited::start(name);
                command_file(&program, &inherited.address);
                app = Some(inherited);
            }
        }
        let web = match (way, &app) {
            (Way::Nginx, Some(app)) => Web::Nginx(Nginx::before(app.address.clone()).start()),
            (Way::Cgid, _) => {
                let config = "Options +ExecCGI\nSetHandler cgi-script";
                let config = format!("<LocationMatch \"\\.fcgi\">\n{config}\n</LocationMatch>");
                Web::Apache(Apache::start(documents.path(), &["cgid"], &config))
            }
            _ => {
                let fcgiwrap = Fcgiwrap::start(2);
                let nginx = Nginx::before(fcgiwrap.address().clone());
                let nginx = nginx.directive(&format!("root {};", documents.path().display()));
                Web::Wrapped(nginx.start(), fcgiwrap)
            }
        };
        Site {
            web,
            app,
            _documents: documents,
        }
    }

    /// Where the web server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        match &self.web {
            Web::Apache(apache) => apache.address(),
            Web::Nginx(nginx) | Web::Wrapped(nginx, _) => nginx.address(),
        }
    }

    /// The answer to a request, which is the only one of its client.
    #[track_caller]
    pub(crate) fn ask(&self, request: &Request) -> Response {
        Client::connect(self.address()).call(&hosted(request))
    }
}

/// To nginx's site: Apache says who it is with the name that it was asked by, nginx with its own.
pub(crate) fn hosted(request: &Request) -> Request {
    request.clone().header("Host", SERVER_NAME)
}

/// An example with its listening socket as descriptor 0 (§2.2).
pub(crate) struct Inherited {
    pub(crate) process: Running,
    pub(crate) address: Address,
    _directory: TempDir,
}

impl Inherited {
    #[track_caller]
    pub(crate) fn start(name: &str) -> Inherited {
        Inherited::with(name, &[])
    }

    /// Starts it with arguments.
    #[track_caller]
    pub(crate) fn with(name: &str, arguments: &[&str]) -> Inherited {
        let directory = shared_directory();
        let path = directory.path().join("app.sock");
        let listener = UnixListener::bind(&path).unwrap();
        share(&path);
        let mut command = example(name);
        command.args(arguments).stdin(OwnedFd::from(listener));
        Inherited {
            process: Running::start(&mut command),
            address: path.into(),
            _directory: directory,
        }
    }
}

/// Where an example lies.
#[track_caller]
pub(crate) fn path_of(name: &str) -> String {
    let command = example(name);
    command.get_program().to_str().unwrap().to_owned()
}

/// Where `cgi-fcgi` lies.
#[track_caller]
pub(crate) fn cgi_fcgi() -> PathBuf {
    tool("cgi-fcgi").get_program().into()
}

/// A CGI program that is a list of arguments for `cgi-fcgi`.
fn command_file(program: &Path, application: &Address) {
    let Address::Unix(socket) = application else {
        panic!("the application listens on a unix socket");
    };
    let lines = format!(
        "#!{} -f\n-bind -connect {}\n",
        cgi_fcgi().display(),
        socket.display()
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), lines).unwrap();
    copy_program(file.path().to_str().unwrap(), program);
}
