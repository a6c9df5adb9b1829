//! What both frontends can do with a request, so that one test body serves both.

use std::io::{self, Read, Write};
use std::thread;
use std::time::SystemTime;

use fcgi_core::form::cookie::SetCookie;
use fcgi_core::params::Params;
use fcgi_listen::Peer;
use fcgi_mio::{Body, Chunk, Plan, Producer, Response, Service, Task};

/// A request and the response to it.
pub(crate) trait Exchange {
    /// The parameters.
    fn params(&self) -> Params<'_>;

    /// Who sent the request; `None` under CGI.
    fn peer(&self) -> Option<Peer>;

    /// The whole body.
    fn body(&mut self) -> io::Result<Vec<u8>>;

    /// Sets the status of the response.
    fn status(&mut self, code: u16) -> io::Result<()>;

    /// Adds a field to the head of the response.
    fn header(&mut self, name: &str, value: &[u8]) -> io::Result<()>;

    /// Sends the client to another place.
    fn redirect(&mut self, status: u16, location: &str) -> io::Result<()>;

    /// Lets the web server serve another path.
    fn local_redirect(&mut self, path: &str) -> io::Result<()>;

    /// Adds a cookie.
    fn set_cookie(&mut self, cookie: &SetCookie<'_>) -> io::Result<()>;

    /// Says when the response was last changed.
    fn last_modified(&mut self, time: SystemTime) -> io::Result<()>;

    /// Says until when the response is fresh.
    fn expires(&mut self, time: SystemTime) -> io::Result<()>;

    /// Lets nginx send what it has.
    fn x_accel_redirect(&mut self, path: &str) -> io::Result<()>;

    /// 304.
    fn not_modified(&mut self) -> io::Result<()>;

    /// 204.
    fn no_content(&mut self) -> io::Result<()>;

    /// The head is written as a part of the body.
    fn raw(&mut self) -> io::Result<()>;

    /// Writes a piece of the body, in memory until the handler returns.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Writes a message for the operator.
    fn complain(&mut self, message: &[u8]) -> io::Result<()>;

    /// Sends the rest of the body, each piece when it has been read.
    fn pour(&mut self, source: Box<dyn Read + Send>) -> io::Result<()>;

    /// Sends the rest of the body when it is there, while others are served.
    fn wait(&mut self, answer: Box<dyn FnOnce() -> String + Send>) -> io::Result<()>;

    /// The value of a parameter, empty if there is none.
    fn param(&self, name: &str) -> Vec<u8> {
        self.params().get(name).unwrap_or_default().to_vec()
    }

    /// As [`param`](Exchange::param), as text.
    fn text_param(&self, name: &str) -> String {
        String::from_utf8_lossy(&self.param(name)).into_owned()
    }
}

/// Answers with a plain text.
pub(crate) fn text(exchange: &mut (impl Exchange + ?Sized), text: &str) -> io::Result<()> {
    exchange.header("Content-Type", b"text/plain")?;
    exchange.write(text.as_bytes())
}

/// Answers with any bytes.
pub(crate) fn bytes(exchange: &mut (impl Exchange + ?Sized), bytes: &[u8]) -> io::Result<()> {
    exchange.header("Content-Type", b"application/octet-stream")?;
    exchange.write(bytes)
}

impl Exchange for fcgi_std::Request {
    fn params(&self) -> Params<'_> {
        self.params.view()
    }

    fn peer(&self) -> Option<Peer> {
        fcgi_std::Request::peer(self)
    }

    fn body(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.stdin.read_to_end(&mut body)?;
        Ok(body)
    }

    fn status(&mut self, code: u16) -> io::Result<()> {
        fcgi_std::Request::status(self, code)
    }

    fn header(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        fcgi_std::Request::header(self, name, value)
    }

    fn redirect(&mut self, status: u16, location: &str) -> io::Result<()> {
        fcgi_std::Request::redirect(self, status, location)
    }

    fn local_redirect(&mut self, path: &str) -> io::Result<()> {
        fcgi_std::Request::local_redirect(self, path)
    }

    fn set_cookie(&mut self, cookie: &SetCookie<'_>) -> io::Result<()> {
        fcgi_std::Request::set_cookie(self, cookie)
    }

    fn last_modified(&mut self, time: SystemTime) -> io::Result<()> {
        fcgi_std::Request::last_modified(self, time)
    }

    fn expires(&mut self, time: SystemTime) -> io::Result<()> {
        fcgi_std::Request::expires(self, time)
    }

    fn x_accel_redirect(&mut self, path: &str) -> io::Result<()> {
        fcgi_std::Request::x_accel_redirect(self, path)
    }

    fn not_modified(&mut self) -> io::Result<()> {
        fcgi_std::Request::not_modified(self)
    }

    fn no_content(&mut self) -> io::Result<()> {
        fcgi_std::Request::no_content(self)
    }

    fn raw(&mut self) -> io::Result<()> {
        self.stdout.raw()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stdout.write_all(bytes)
    }

    fn complain(&mut self, message: &[u8]) -> io::Result<()> {
        self.stderr.write_all(message)
    }

    fn pour(&mut self, mut source: Box<dyn Read + Send>) -> io::Result<()> {
        let mut piece = vec![0; 32 * 1024];
        loop {
            match source.read(&mut piece)? {
                0 => return Ok(()),
                count => self.stdout.write_all(&piece[..count])?,
            }
            self.stdout.flush()?;
        }
    }

    fn wait(&mut self, answer: Box<dyn FnOnce() -> String + Send>) -> io::Result<()> {
        self.stdout.write_all(answer().as_bytes())
    }
}

/// A request in the event loop.
pub(crate) struct Whole<'a, 'b> {
    pub(crate) request: &'a fcgi_mio::Request<'a>,
    pub(crate) response: &'a mut Response<'b>,
}

impl Exchange for Whole<'_, '_> {
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

    fn header(&mut self, name: &str, value: &[u8]) -> io::Result<()> {
        self.response.header(name, value)
    }

    fn redirect(&mut self, status: u16, location: &str) -> io::Result<()> {
        self.response.redirect(status, location)
    }

    fn local_redirect(&mut self, path: &str) -> io::Result<()> {
        self.response.local_redirect(path)
    }

    fn set_cookie(&mut self, cookie: &SetCookie<'_>) -> io::Result<()> {
        self.response.set_cookie(cookie)
    }

    fn last_modified(&mut self, time: SystemTime) -> io::Result<()> {
        self.response.last_modified(time)
    }

    fn expires(&mut self, time: SystemTime) -> io::Result<()> {
        self.response.expires(time)
    }

    fn x_accel_redirect(&mut self, path: &str) -> io::Result<()> {
        self.response.x_accel_redirect(path)
    }

    fn not_modified(&mut self) -> io::Result<()> {
        self.response.not_modified()
    }

    fn no_content(&mut self) -> io::Result<()> {
        self.response.no_content()
    }

    fn raw(&mut self) -> io::Result<()> {
        self.response.raw()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // What is too much to be copied has to be all of it.
        match bytes.len() <= 8192 {
            true => self.response.write(bytes),
            false => self.response.body(bytes.to_vec()),
        }
    }

    fn complain(&mut self, message: &[u8]) -> io::Result<()> {
        self.response.stderr(message)
    }

    fn pour(&mut self, source: Box<dyn Read + Send>) -> io::Result<()> {
        self.response.body(Body::producer(Pour(source)))
    }

    fn wait(&mut self, answer: Box<dyn FnOnce() -> String + Send>) -> io::Result<()> {
        let deferred = self.response.defer()?;
        // Its client may have left by then.
        thread::spawn(move || deferred.complete(answer()).ok());
        Ok(())
    }
}

struct Pour(Box<dyn Read + Send>);

impl Producer for Pour {
    fn produce(&mut self, chunk: &mut Chunk<'_>) -> io::Result<bool> {
        let mut piece = vec![0; chunk.room()];
        let count = self.0.read(&mut piece)?;
        chunk.write(&piece[..count]);
        Ok(count > 0)
    }
}

/// A body that is taken as it comes, and what is answered to it.
pub(crate) trait Upload: Send + 'static {
    /// A piece of the body; whether more is wanted.
    fn piece(&mut self, bytes: &[u8]) -> bool;

    /// The answer, after the end or when no more was wanted.
    fn answer(&mut self) -> String;

    /// The body was cut off.
    fn cut(&mut self) {}
}

/// Takes an upload in a thread of its own.
pub(crate) fn take(request: &mut fcgi_std::Request, mut upload: impl Upload) -> io::Result<()> {
    let mut piece = vec![0; 32 * 1024];
    loop {
        match request.stdin.read(&mut piece) {
            Ok(count) => {
                if count == 0 || !upload.piece(&piece[..count]) {
                    return text(request, &upload.answer());
                }
            }
            Err(error) => {
                upload.cut();
                return Err(error);
            }
        }
    }
}

/// Takes uploads in the event loop.
pub(crate) struct Uploads<M>(pub(crate) M);

impl<U: Upload, M: Fn(Params<'_>) -> U> Service for Uploads<M> {
    type Task = Piecemeal<U>;

    fn begin(&mut self, request: &fcgi_mio::Request<'_>) -> Plan<Piecemeal<U>> {
        Plan::Stream(Piecemeal((self.0)(request.params())))
    }

    fn whole(&mut self, _: &fcgi_mio::Request<'_>, _: &mut Response<'_>) -> io::Result<()> {
        Err(io::Error::other("every request streams"))
    }
}

pub(crate) struct Piecemeal<U>(U);

impl<U: Upload> Task for Piecemeal<U> {
    fn input(&mut self, bytes: &[u8], response: &mut Response<'_>) -> io::Result<()> {
        match self.0.piece(bytes) {
            true => Ok(()),
            false => self.input_end(response),
        }
    }

    fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        response.header("Content-Type", "text/plain")?;
        response.write(self.0.answer())?;
        response.end();
        Ok(())
    }

    fn abort(&mut self, _: fcgi_mio::Abort) {
        self.0.cut();
    }
}
