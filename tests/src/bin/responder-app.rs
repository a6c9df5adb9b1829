//! A program that answers, with either frontend, for tests behind web servers of all kinds.
//!
//! ```text
//! responder-app [std|mio] [ADDRESS]
//! ```
//!
//! It listens on ADDRESS, or takes over what it inherits. With `std`, which it is unless told
//! otherwise, it is a CGI program where there is neither.
//!
//! Every request is answered with its method and its target, and a POST with its body. Some queries
//! get other answers: see [`answer`].

use std::env;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use fcgi_core::params::Params;
use fcgi_listen::Peer;
use fcgi_mio::Settings;
use fcgi_tests::pattern;

/// The length of a large answer.
const LARGE: usize = 8 << 20;

/// The longest body that is held in memory.
const BODY_MAX: usize = 16 << 20;

/// How long requests may go on after a signal.
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> io::Result<ExitCode> {
    let mut arguments = env::args().skip(1);
    let frontend = arguments.next().unwrap_or_else(|| "std".to_owned());
    let address = arguments.next();
    if frontend == "mio" {
        let server = fcgi_mio::Server::inherited_or_bind(&address.unwrap_or_default())?;
        server.handle().stop_on_signals(PATIENCE)?;
        let settings = Settings::new().max_body(BODY_MAX);
        let served = server
            .settings(settings)
            .serve(|request, response| answer(&mut Whole { request, response }));
        return served.map(|()| ExitCode::SUCCESS);
    }
    let server = match address {
        Some(address) => fcgi_std::Server::bind(&address)?,
        None => fcgi_std::Server::inherited_or_cgi()?,
    };
    server.stop_on_signals(PATIENCE).run(answer)
}

/// What both frontends can do with a request.
trait Exchange {
    fn frontend(&self) -> &'static str;
    fn params(&self) -> Params<'_>;
    fn peer(&self) -> Option<Peer>;
    fn body(&mut self) -> io::Result<Vec<u8>>;
    fn status(&mut self, code: u16) -> io::Result<()>;
    fn header(&mut self, name: &str, value: &str) -> io::Result<()>;
    fn redirect(&mut self, location: &str) -> io::Result<()>;
    fn no_content(&mut self) -> io::Result<()>;
    fn x_sendfile(&mut self, path: &str) -> io::Result<()>;
    fn send(&mut self, body: Vec<u8>) -> io::Result<()>;

    fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.params().get(name).unwrap_or_default()).into_owned()
    }
}

fn answer(exchange: &mut impl Exchange) -> io::Result<()> {
    let (method, target) = (
        exchange.text("REQUEST_METHOD"),
        exchange.text("REQUEST_URI"),
    );
    let query = exchange.text("QUERY_STRING");
    exchange.header("X-Query", &query)?;
    exchange.header("X-Served-With", exchange.frontend())?;
    match query.split_once('=').unwrap_or((&query, "")) {
        ("large", _) => return exchange.send(pattern::bytes(LARGE)),
        ("none", _) => return exchange.no_content(),
        ("there", place) => return exchange.redirect(place),
        // In hexadecimal digits, so that web servers leave it as it is.
        ("file", path) => return exchange.x_sendfile(&unhex(path)),
        ("raw-file", path) => {
            exchange.header("Content-Type", "text/html")?;
            return exchange.header("X-Sendfile", &unhex(path));
        }
        _ => exchange.header("Content-Type", "text/plain")?,
    }
    let text = match query.as_str() {
        "missing" => {
            exchange.status(404)?;
            "nothing here".to_owned()
        }
        "peer" => format!("{:?}", exchange.peer()),
        _ if method == "POST" => {
            let body = exchange.body()?;
            return exchange.send(body);
        }
        _ => format!("{method} {target}"),
    };
    exchange.send(text.into_bytes())
}

fn unhex(digits: &str) -> String {
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    let bytes: Vec<u8> = (0..digits.len()).step_by(2).map(byte).collect();
    String::from_utf8(bytes).expect("a name in UTF-8")
}

impl Exchange for fcgi_std::Request {
    fn frontend(&self) -> &'static str {
        "std"
    }

    fn params(&self) -> Params<'_> {
        self.params.view()
    }

    fn peer(&self) -> Option<Peer> {
        self.peer()
    }

    fn body(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.stdin.read_to_end(&mut body)?;
        Ok(body)
    }

    fn status(&mut self, code: u16) -> io::Result<()> {
        self.status(code)
    }

    fn header(&mut self, name: &str, value: &str) -> io::Result<()> {
        self.header(name, value)
    }

    fn redirect(&mut self, location: &str) -> io::Result<()> {
        self.redirect(302, location)
    }

    fn no_content(&mut self) -> io::Result<()> {
        self.no_content()
    }

    fn x_sendfile(&mut self, path: &str) -> io::Result<()> {
        self.x_sendfile(path)
    }

    fn send(&mut self, body: Vec<u8>) -> io::Result<()> {
        self.stdout.write_all(&body)
    }
}

/// A request in the event loop.
struct Whole<'a, 'b> {
    request: &'a fcgi_mio::Request<'a>,
    response: &'a mut fcgi_mio::Response<'b>,
}

impl Exchange for Whole<'_, '_> {
    fn frontend(&self) -> &'static str {
        "mio"
    }

    fn params(&self) -> Params<'_> {
        self.request.params()
    }

    fn peer(&self) -> Option<Peer> {
        Some(self.request.peer())
    }

    fn body(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.request.body().to_vec())
    }

    fn status(&mut self, code: u16) -> io::Result<()> {
        self.response.status(code)
    }

    fn header(&mut self, name: &str, value: &str) -> io::Result<()> {
        self.response.header(name, value)
    }

    fn redirect(&mut self, location: &str) -> io::Result<()> {
        self.response.redirect(302, location)
    }

    fn no_content(&mut self) -> io::Result<()> {
        self.response.no_content()
    }

    fn x_sendfile(&mut self, path: &str) -> io::Result<()> {
        self.response.x_sendfile(path)
    }

    fn send(&mut self, body: Vec<u8>) -> io::Result<()> {
        self.response.body(body)
    }
}
