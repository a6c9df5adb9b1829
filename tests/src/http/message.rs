//! Requests as they are sent, responses as they came.

use std::io::{self, Read};
use std::net::TcpStream;

use crate::pattern;

/// A request; nothing of it is checked or changed on its way.
#[derive(Clone, Debug)]
pub struct Request {
    method: Vec<u8>,
    target: Vec<u8>,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    body: Body,
    chunked: bool,
}

#[derive(Clone, Debug)]
enum Body {
    None,
    Bytes(Vec<u8>),
    Pattern(u64),
}

impl Request {
    /// A request without a body.
    #[must_use]
    pub fn new(method: &str, target: impl AsRef<[u8]>) -> Self {
        Self {
            method: method.into(),
            target: target.as_ref().to_vec(),
            fields: Vec::new(),
            body: Body::None,
            chunked: false,
        }
    }

    /// A GET request.
    #[must_use]
    pub fn get(target: impl AsRef<[u8]>) -> Self {
        Self::new("GET", target)
    }

    /// A HEAD request.
    #[must_use]
    pub fn head(target: impl AsRef<[u8]>) -> Self {
        Self::new("HEAD", target)
    }

    /// A POST request with these bytes.
    #[must_use]
    pub fn post(target: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Self {
        Self {
            body: Body::Bytes(body.as_ref().to_vec()),
            ..Self::new("POST", target)
        }
    }

    /// A POST request whose body is the first `length` bytes of [`pattern`].
    #[must_use]
    pub fn post_pattern(target: impl AsRef<[u8]>, length: u64) -> Self {
        Self {
            body: Body::Pattern(length),
            ..Self::new("POST", target)
        }
    }

    /// Adds a header field. `Host: localhost` is sent unless a `Host` is given.
    #[must_use]
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.fields
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
        self
    }

    /// Sends the body in chunks, without a Content-Length.
    #[must_use]
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// The head's bytes, up to and with its empty line.
    #[must_use]
    pub fn head_bytes(&self) -> Vec<u8> {
        let mut head = [&self.method, &b" "[..], &self.target, b" HTTP/1.1\r\n"].concat();
        let mut field = |name: &[u8], value: &[u8]| {
            head.extend([name, b": ", value, b"\r\n"].concat());
        };
        if !self
            .fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(b"host"))
        {
            field(b"Host", b"localhost");
        }
        for (name, value) in &self.fields {
            field(name, value);
        }
        match self.body_length() {
            _ if self.chunked => field(b"Transfer-Encoding", b"chunked"),
            Some(length) => field(b"Content-Length", length.to_string().as_bytes()),
            None => {}
        }
        head.extend(b"\r\n");
        head
    }

    fn body_length(&self) -> Option<u64> {
        match &self.body {
            Body::None => None,
            Body::Bytes(bytes) => Some(bytes.len() as u64),
            Body::Pattern(length) => Some(*length),
        }
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == b"HEAD"
    }

    pub(super) fn write_body(&self, connection: &TcpStream) -> io::Result<()> {
        let mut source: Box<dyn Read + '_> = match &self.body {
            Body::None => Box::new(io::empty()),
            Body::Bytes(bytes) => Box::new(&**bytes),
            Body::Pattern(length) => Box::new(pattern::Source::new(*length)),
        };
        super::body::send(&mut source, connection, self.chunked)
    }
}

/// A response; its body is there when [`Client::call`](super::Client::call) read it.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub reason: String,
    /// Header fields in the order they came, values as bytes.
    pub fields: Vec<(String, Vec<u8>)>,
    /// The body, decoded; empty when it went elsewhere.
    pub body: Vec<u8>,
    /// How many bytes the body had.
    pub length: u64,
}

impl Response {
    /// The first field of that name, lossily as text.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    /// All fields of that name, lossily as text.
    #[must_use]
    pub fn all(&self, name: &str) -> Vec<String> {
        let named = self
            .fields
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named
            .map(|(_, value)| String::from_utf8_lossy(value).into_owned())
            .collect()
    }

    /// The body, lossily as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).iter().any(|v| v.eq_ignore_ascii_case(value))
    }
}
