//! A request of HTTP as the CGI variables of a request of FastCGI (RFC 3875 §4.1).

use std::net::{IpAddr, SocketAddr};

use fcgi_core::params;
use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{StatusCode, Version};

use super::site::Site;
use super::target::{self, BadPath};

/// SERVER_SOFTWARE.
const SOFTWARE: &str = concat!("fcgi-tools/", env!("CARGO_PKG_VERSION"));

/// What is known of a request when its head has come.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    pub(super) method: &'a str,
    /// The host in an absolute target, `http://host/path`, which counts more than `Host` (RFC 9112
    /// §3.2.2).
    pub(super) authority: Option<&'a str>,
    /// Path and query, as the client wrote them.
    pub(super) target: &'a str,
    pub(super) version: Version,
    pub(super) headers: &'a HeaderMap,
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
    /// The length of the body in bytes; `None` without a body.
    pub(super) content_length: Option<u64>,
}

/// Why a request is not passed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rejection {
    Path(BadPath),
    /// No `Host`, more than one, or one that is no host.
    Host,
    /// Not below SCRIPT_NAME.
    Outside,
    /// Longer than FastCGI can say (§3.4).
    TooLong,
}

impl Rejection {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Rejection::Path(_) | Rejection::Host => StatusCode::BAD_REQUEST,
            Rejection::Outside => StatusCode::NOT_FOUND,
            Rejection::TooLong => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }

    pub(super) fn text(self) -> &'static str {
        match self {
            Rejection::Path(bad) => bad.text(),
            Rejection::Host => "the request does not say which host it is for",
            Rejection::Outside => "the application is mounted at another path",
            Rejection::TooLong => "a header is longer than FastCGI can say",
        }
    }
}

/// The PARAMS stream of a request.
///
/// Of the client's headers it has all but these:
///
/// - those about the connection (RFC 9110 §7.6.1), those that `Connection` names, and `Expect`,
///   which the gateway answers;
/// - `Proxy`: as HTTP_PROXY it would be taken for the variable of that name ("httpoxy",
///   CVE-2016-5385);
/// - `Content-Length` and `Content-Type`, which have variables of their own;
/// - those whose names have other characters than letters, digits and `-`. `X_Forwarded_For` would
///   get the same variable as `X-Forwarded-For`, and nobody could tell which one a trusted proxy
///   wrote. nginx and Apache leave them out too.
///
/// A header that repeats becomes one pair each, in order; `Cookie` is joined by `"; "` (RFC 6265
/// §5.4).
pub(super) fn params(site: &Site, facts: &Facts<'_>) -> Result<Vec<u8>, Rejection> {
    let mut pairs = Pairs::default();
    server(facts, &mut pairs)?;
    location(site, facts, &mut pairs)?;
    body(facts, &mut pairs);
    headers(facts, &mut pairs);
    for (name, value) in &site.params {
        pairs.0.retain(|(other, _)| other != name.as_bytes());
        pairs.add(name, value);
    }
    pairs.encode()
}

/// Names and values in order.
#[derive(Default)]
struct Pairs(Vec<(Vec<u8>, Vec<u8>)>);

impl Pairs {
    fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.0
            .push((name.as_ref().to_vec(), value.as_ref().to_vec()));
    }

    fn encode(&self) -> Result<Vec<u8>, Rejection> {
        let mut stream = Vec::new();
        for (name, value) in &self.0 {
            params::append(&mut stream, name, value).map_err(|_| Rejection::TooLong)?;
        }
        Ok(stream)
    }
}

/// Who asks whom, and how.
fn server(facts: &Facts<'_>, pairs: &mut Pairs) -> Result<(), Rejection> {
    let (remote, local) = (facts.remote, facts.local);
    pairs.add("GATEWAY_INTERFACE", "CGI/1.1");
    pairs.add("SERVER_SOFTWARE", SOFTWARE);
    pairs.add("SERVER_NAME", server_name(facts)?);
    pairs.add("SERVER_ADDR", local.ip().to_canonical().to_string());
    pairs.add("SERVER_PORT", local.port().to_string());
    pairs.add("SERVER_PROTOCOL", format!("{:?}", facts.version));
    pairs.add("REQUEST_SCHEME", "http");
    pairs.add("REMOTE_ADDR", remote.ip().to_canonical().to_string());
    pairs.add("REMOTE_PORT", remote.port().to_string());
    pairs.add("REQUEST_METHOD", facts.method);
    // PHP refuses to run as CGI without it; the number means nothing.
    pairs.add("REDIRECT_STATUS", "200");
    Ok(())
}

/// Which part of the site is asked for.
fn location(site: &Site, facts: &Facts<'_>, pairs: &mut Pairs) -> Result<(), Rejection> {
    let (path, query) = facts.target.split_once('?').unwrap_or((facts.target, ""));
    let path = target::decode(path).map_err(Rejection::Path)?;
    let places = &site.places;
    let script = places.split(&path).ok_or(Rejection::Outside)?;
    pairs.add("REQUEST_URI", facts.target);
    pairs.add("QUERY_STRING", query);
    if let Some(root) = &places.document_root {
        pairs.add("DOCUMENT_ROOT", target::root_bytes(root));
    }
    if let Some(file) = places.file(&script.name) {
        pairs.add("SCRIPT_FILENAME", file);
    }
    pairs.add("SCRIPT_NAME", &script.name);
    if !script.path_info.is_empty() {
        if let Some(file) = places.file(&script.path_info) {
            pairs.add("PATH_TRANSLATED", file);
        }
        pairs.add("PATH_INFO", &script.path_info);
    }
    Ok(())
}

fn body(facts: &Facts<'_>, pairs: &mut Pairs) {
    if let Some(length) = facts.content_length {
        pairs.add("CONTENT_LENGTH", length.to_string());
    }
    if let Some(content_type) = facts.headers.get(header::CONTENT_TYPE) {
        pairs.add("CONTENT_TYPE", content_type);
    }
}

fn headers(facts: &Facts<'_>, pairs: &mut Pairs) {
    let named = named_by_connection(facts.headers);
    if let Some(authority) = facts.authority {
        pairs.add("HTTP_HOST", authority);
    }
    for name in facts.headers.keys() {
        let is_left_out = !is_plain(name)
            || is_about_the_connection(name)
            || named.contains(name)
            || (name == header::HOST && facts.authority.is_some());
        if is_left_out {
            continue;
        }
        let variable = variable(name);
        let values = facts.headers.get_all(name).iter();
        if name == header::COOKIE {
            let values: Vec<&[u8]> = values.map(AsRef::as_ref).collect();
            pairs.add(variable, values.join(&b"; "[..]));
        } else {
            values.for_each(|value| pairs.add(&variable, value));
        }
    }
}

/// The names that `Connection` lists, but for those without which the request would be another one.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let lists = headers.get_all(header::CONNECTION).iter();
    let names = lists.flat_map(|list| list.as_bytes().split(|&byte| byte == b','));
    names
        .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
        .filter(|name| *name != header::HOST && *name != header::COOKIE)
        .collect()
}

fn is_about_the_connection(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "content-length"
            | "content-type"
            | "expect"
            | "keep-alive"
            | "proxy"
            | "proxy-connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
}

fn is_plain(name: &HeaderName) -> bool {
    let mut bytes = name.as_str().bytes();
    bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// `accept-language` → `HTTP_ACCEPT_LANGUAGE` (RFC 3875 §4.1.18).
fn variable(name: &HeaderName) -> String {
    let name = name.as_str().to_ascii_uppercase().replace('-', "_");
    format!("HTTP_{name}")
}

/// The host that the client asked for, without a port; the address that it reached if it named
/// none.
fn server_name(facts: &Facts<'_>) -> Result<String, Rejection> {
    let mut fields = facts.headers.get_all(header::HOST).iter();
    let named = match (facts.authority, fields.next(), fields.next()) {
        (_, _, Some(_)) => return Err(Rejection::Host),
        (Some(authority), ..) => authority,
        (None, Some(host), None) => host.to_str().map_err(|_| Rejection::Host)?,
        (None, None, None) if facts.version == Version::HTTP_11 => return Err(Rejection::Host),
        (None, None, None) => "",
    };
    let name = host_of(named.trim()).ok_or(Rejection::Host)?;
    Ok(if name.is_empty() {
        match facts.local.ip().to_canonical() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        }
    } else {
        name.to_owned()
    })
}

/// The host of `host`, `host:port`, `[::1]` or `[::1]:port`; `None` for anything else.
fn host_of(authority: &str) -> Option<&str> {
    let after_brackets = authority.rfind(']').map_or(0, |at| at + 1);
    let (host, port) = match authority[after_brackets..].find(':') {
        Some(at) => {
            let (host, port) = authority.split_at(after_brackets + at);
            (host, &port[1..])
        }
        None => (authority, ""),
    };
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_host = match in_brackets {
        Some(ip) => {
            let legal = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
            !ip.is_empty() && ip.bytes().all(legal)
        }
        None => {
            let legal = |byte: u8| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
            };
            host.bytes().all(legal)
        }
    };
    (is_host && port.bytes().all(|byte| byte.is_ascii_digit())).then_some(host)
}

#[cfg(test)]
mod tests;
