//! Requests and responses as the types of the `http` crate.

use std::fmt::Write as _;
use std::io;

use fcgi_core::cgi::{HeadError, ResponseHead, Status, escape_path};
use fcgi_core::params::Params;
use fcgi_core::{Storage, StorageFull};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri, Version, request, response};

use crate::invalid_data;

/// The target of a request exactly as the client sent it: REQUEST_URI. It is among the extensions
/// of [`request_parts`] where the web server sends it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawUri(pub Vec<u8>);

/// The head of the HTTP request that the parameters of a FastCGI request describe.
///
/// | part | from |
/// |---|---|
/// | method | REQUEST_METHOD |
/// | URI | REQUEST_URI; without it SCRIPT_NAME, PATH_INFO and QUERY_STRING |
/// | version | SERVER_PROTOCOL; 1.1 if it is unknown |
/// | fields | CONTENT_TYPE, CONTENT_LENGTH, and `HTTP_…` with `_` as `-` |
/// | extensions | [`RawUri`] |
///
/// - Bytes of REQUEST_URI that [`Uri`] refuses are escaped in it, and so is `#`: a target has no
///   fragment (RFC 9112 §3.2). [`RawUri`] has them as they came.
/// - Values keep all their bytes, ASCII or not; names that came more than once have all their
///   values.
/// - CONTENT_LENGTH is a field only if it is a number: a chunked body may come with none, an empty
///   one, or -1.
/// - HTTP_PROXY is left out ("httpoxy", CVE-2016-5385), as are HTTP_CONTENT_TYPE and
///   HTTP_CONTENT_LENGTH, which some web servers send beside the true ones.
/// - `X-A` and `X_A` are one name to CGI; a client may have sent either.
///
/// # Errors
///
/// `InvalidData` when REQUEST_METHOD is missing, or when a method, target or field is none that
/// HTTP has, such as a value with a control character.
pub fn request_parts(params: &Params<'_>) -> io::Result<request::Parts> {
    let method = params.get("REQUEST_METHOD").unwrap_or_default();
    let method = Method::from_bytes(method)
        .map_err(|_| invalid_data("REQUEST_METHOD is no method of http"))?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri(params)?;
    *request.version_mut() = version(params.get("SERVER_PROTOCOL").unwrap_or_default());
    *request.headers_mut() = headers(params)?;
    if let Some(raw) = present(params, "REQUEST_URI") {
        request.extensions_mut().insert(RawUri(raw.to_vec()));
    }
    Ok(request.into_parts().0)
}

/// A parameter that says something: empty means the same as missing (RFC 3875 §4.1).
fn present<'p>(params: &Params<'p>, name: &str) -> Option<&'p [u8]> {
    params.get(name).filter(|value| !value.is_empty())
}

fn uri(params: &Params<'_>) -> io::Result<Uri> {
    let parsed = match present(params, "REQUEST_URI") {
        None => Uri::try_from(target(params)?),
        // `Uri` leaves out what is behind that, and some web servers do not.
        Some(raw) if raw.contains(&b'#') => Uri::try_from(escape_refused(raw)),
        Some(raw) => Uri::try_from(raw).or_else(|_| Uri::try_from(escape_refused(raw))),
    };
    parsed.map_err(|_| invalid_data("REQUEST_URI is no target of http"))
}

/// The target that a client may have sent, from the parameters that every web server sends. The
/// path in them is not escaped, the query is (RFC 3875 §4.1.5, §4.1.7, §4.1.13).
fn target(params: &Params<'_>) -> io::Result<String> {
    let path = [
        params.get("SCRIPT_NAME").unwrap_or_default(),
        params.get("PATH_INFO").unwrap_or_default(),
    ]
    .concat();
    let mut escaped = Vec::with_capacity(path.len() + 1);
    if !path.starts_with(b"/") {
        escaped.push(b'/');
    }
    escape_path(path, &mut escaped).map_err(|StorageFull| io::ErrorKind::OutOfMemory)?;
    let mut target = escape_refused(&escaped);
    let query = params.get("QUERY_STRING").unwrap_or_default();
    if !query.is_empty() {
        target.push('?');
        target.push_str(&escape_refused(query));
    }
    Ok(target)
}

/// `uri` with every byte escaped that no target has: those that no URI has (RFC 3986 §2), and `#`.
fn escape_refused(uri: &[u8]) -> String {
    let mut escaped = String::with_capacity(uri.len());
    for &byte in uri {
        match byte {
            b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{'..=b'}' | ..=b' ' | 0x7f.. => {
                write!(escaped, "%{byte:02X}").expect("a String takes any text");
            }
            _ => escaped.push(char::from(byte)),
        }
    }
    escaped
}

fn version(protocol: &[u8]) -> Version {
    match protocol {
        b"HTTP/0.9" => Version::HTTP_09,
        b"HTTP/1.0" => Version::HTTP_10,
        b"HTTP/2.0" | b"HTTP/2" => Version::HTTP_2,
        b"HTTP/3.0" | b"HTTP/3" => Version::HTTP_3,
        _ => Version::HTTP_11,
    }
}

fn headers(params: &Params<'_>) -> io::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(value) = present(params, "CONTENT_TYPE") {
        append(&mut headers, CONTENT_TYPE, value)?;
    }
    if let Some(length) = params.content_length() {
        headers.insert(CONTENT_LENGTH, length.into());
    }
    let mut name = Vec::new();
    for pair in params.headers() {
        if matches!(pair.name, b"CONTENT_TYPE" | b"CONTENT_LENGTH") {
            continue;
        }
        name.clear();
        name.extend(pair.name.iter().map(|&byte| match byte {
            b'_' => b'-',
            other => other.to_ascii_lowercase(),
        }));
        let name = HeaderName::from_bytes(&name)
            .map_err(|_| invalid_data("name of a field is no token"))?;
        append(&mut headers, name, pair.value)?;
    }
    Ok(headers)
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) -> io::Result<()> {
    let value = HeaderValue::from_bytes(value)
        .map_err(|_| invalid_data("value of a field has a control character"))?;
    headers
        .try_append(name, value)
        .map_err(|_| invalid_data("more fields than a header map holds"))?;
    Ok(())
}

/// Adds the status and the fields of an HTTP response to the head of a CGI one.
///
/// - Fields that the head has already stay beside them.
/// - Fields about the HTTP connection are refused: a body may be encoded as they say.
/// - A field `Status` is left out: to the web server it would be the status.
/// - The version, a reason phrase and extensions are the web server's affair and not looked at.
///
/// # Errors
///
/// Every [`HeadError`]; [`HeadError::Status`] for 1xx, which is no answer. The head may then have
/// some of the fields.
pub fn fill_head<S: Storage>(
    head: &mut ResponseHead<S>,
    response: &response::Parts,
) -> Result<(), HeadError> {
    let status = Status::new(response.status.as_u16())
        .filter(|status| !status.is_informational())
        .ok_or(HeadError::Status)?;
    for (name, value) in &response.headers {
        if name != "status" {
            head.add(name.as_str(), value)?;
        }
    }
    head.set_status(status);
    Ok(())
}
