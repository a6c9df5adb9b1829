//! The CGI variables of a request that no HTTP client has sent (RFC 3875 §4.1).

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use fcgi_core::{Role, params};

use crate::exchange::is_for_authorizers;
use crate::serve::target::{self, Places, root_bytes};

/// SERVER_SOFTWARE.
const SOFTWARE: &str = concat!("fcgi-tools/", env!("CARGO_PKG_VERSION"));

/// What a request asks for, and all else that its application is told.
///
/// ```
/// use fcgi_tools::request::Variables;
///
/// let variables = Variables::new("GET", "/app?x=1")?
///     .header("Accept: text/html")?
///     .param("HTTPS=on")?;
/// let pairs = variables.pairs();
/// let has = |name: &str, value: &str| {
///     pairs.contains(&(name.as_bytes().to_vec(), value.as_bytes().to_vec()))
/// };
/// assert!(has("SCRIPT_NAME", "/app") && has("QUERY_STRING", "x=1"));
/// assert!(has("HTTP_ACCEPT", "text/html") && has("HTTPS", "on"));
/// # Ok::<(), fcgi_tools::request::VariableError>(())
/// ```
///
/// # Which program the path names
///
/// Unless something is set, SCRIPT_NAME and SCRIPT_FILENAME are the whole path and there is no
/// PATH_INFO, as with nginx's usual parameters; PHP-FPM's ping and status pages want it so.
///
/// - [`script_name`](Self::script_name): what follows that name in the path is PATH_INFO.
/// - [`document_root`](Self::document_root): SCRIPT_FILENAME lies below it, and as
///   [`serve`](crate::serve) does it for PHP, `/a.php/b` is the script `/a.php` with PATH_INFO
///   `/b`, and `/a/` is `/a/index.php`.
/// - [`script_filename`](Self::script_filename): that file, whatever the path is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variables {
    method: String,
    target: String,
    /// The decoded path.
    path: Vec<u8>,
    places: Places,
    script_filename: Option<Vec<u8>>,
    /// Variables of header fields, in order.
    fields: Vec<(String, Vec<u8>)>,
    params: Vec<(String, Vec<u8>)>,
}

/// Why something cannot be said by variables.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum VariableError {
    /// The method is empty or has characters that a method has not (RFC 9110 §9.1).
    Method,
    /// The path: why.
    Path(&'static str),
    /// The path does not begin with the script's name.
    OutsideOfScript,
    /// A script name that is neither empty nor begins with a slash.
    ScriptName,
    /// The document root cannot be made an absolute path.
    DocumentRoot,
    /// A header that is not `Name: value`, or whose name has other characters than letters, digits
    /// and `-`: which variable that would be is not settled.
    Header(String),
    /// `Proxy`: its variable is taken for that of a proxy to be used ("httpoxy", CVE-2016-5385).
    ProxyHeader,
    /// `Content-Length`, which follows from the body.
    LengthHeader,
    /// A parameter that is not `NAME=VALUE`.
    Param(String),
}

impl fmt::Display for VariableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VariableError::Method => f.write_str("a method is a word such as GET"),
            VariableError::Path(why) => f.write_str(why),
            VariableError::OutsideOfScript => {
                f.write_str("the path does not begin with the script's name")
            }
            VariableError::ScriptName => {
                f.write_str("a script name is empty or begins with a slash, as in /app")
            }
            VariableError::DocumentRoot => {
                f.write_str("the document root is not a directory's path")
            }
            VariableError::Header(header) => write!(
                f,
                "{header:?} is no header: write 'Name: value', with letters, digits and '-' in the \
                 name"
            ),
            VariableError::ProxyHeader => f.write_str(
                "the header Proxy would be taken for a proxy that is to be used (CVE-2016-5385)",
            ),
            VariableError::LengthHeader => {
                f.write_str("the length follows from the body: set the parameter CONTENT_LENGTH")
            }
            VariableError::Param(pair) => {
                write!(f, "{pair:?} is no parameter: write NAME=VALUE")
            }
        }
    }
}

impl Error for VariableError {}

impl Variables {
    /// A request for a path, perhaps with a query; percent-encoding is understood in the path.
    ///
    /// # Errors
    ///
    /// [`VariableError::Method`], [`VariableError::Path`].
    pub fn new(method: &str, target: &str) -> Result<Variables, VariableError> {
        let is_token =
            |byte: u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte);
        if method.is_empty() || !method.bytes().all(is_token) {
            return Err(VariableError::Method);
        }
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let path = target::decode(path).map_err(|bad| VariableError::Path(bad.text()))?;
        Ok(Variables {
            method: method.to_owned(),
            target: target.to_owned(),
            path,
            places: Places::default(),
            script_filename: None,
            fields: Vec::new(),
            params: Vec::new(),
        })
    }

    /// SCRIPT_NAME; a slash at its end is left out. The empty name makes the whole path PATH_INFO.
    ///
    /// # Errors
    ///
    /// [`VariableError::ScriptName`], [`VariableError::OutsideOfScript`].
    pub fn script_name(mut self, name: &str) -> Result<Variables, VariableError> {
        let name = name.trim_end_matches('/');
        if !(name.is_empty() || name.starts_with('/')) {
            return Err(VariableError::ScriptName);
        }
        self.places.script_name = Some(name.to_owned());
        if self.places.split(&self.path).is_none() {
            return Err(VariableError::OutsideOfScript);
        }
        Ok(self)
    }

    /// DOCUMENT_ROOT, and SCRIPT_FILENAME below it. A relative path is taken from the current
    /// directory.
    ///
    /// # Errors
    ///
    /// [`VariableError::DocumentRoot`].
    pub fn document_root(mut self, root: impl Into<PathBuf>) -> Result<Variables, VariableError> {
        let root = std::path::absolute(root.into()).map_err(|_| VariableError::DocumentRoot)?;
        self.places.document_root = Some(root);
        Ok(self)
    }

    /// SCRIPT_FILENAME, as it is.
    #[must_use]
    pub fn script_filename(mut self, file: impl Into<PathBuf>) -> Variables {
        self.script_filename = Some(file.into().into_os_string().into_encoded_bytes());
        self
    }

    /// A header field, written `Name: value`: `HTTP_NAME`, or CONTENT_TYPE for that one. Of the
    /// same name twice, the values are joined (RFC 3875 §4.1.18).
    ///
    /// # Errors
    ///
    /// [`VariableError::Header`], [`VariableError::ProxyHeader`], [`VariableError::LengthHeader`].
    pub fn header(mut self, field: &str) -> Result<Variables, VariableError> {
        let bad = || VariableError::Header(field.to_owned());
        let (name, value) = field.split_once(':').ok_or_else(bad)?;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_plain) || value.contains(['\r', '\n', '\0']) {
            return Err(bad());
        }
        let name = name.to_ascii_uppercase().replace('-', "_");
        let variable = match name.as_str() {
            "PROXY" => return Err(VariableError::ProxyHeader),
            "CONTENT_LENGTH" => return Err(VariableError::LengthHeader),
            "CONTENT_TYPE" => name,
            _ => format!("HTTP_{name}"),
        };
        let value = value.trim().as_bytes();
        let same = self.fields.iter_mut().find(|(other, _)| *other == variable);
        match same {
            Some((name, values)) => {
                let separator: &[u8] = if name == "HTTP_COOKIE" { b"; " } else { b", " };
                values.extend_from_slice(separator);
                values.extend_from_slice(value);
            }
            None => self.fields.push((variable, value.to_vec())),
        }
        Ok(self)
    }

    /// Another variable, written `NAME=VALUE`; it takes the place of any other of that name. Of the
    /// same name twice, the last wins.
    ///
    /// # Errors
    ///
    /// [`VariableError::Param`].
    pub fn param(mut self, pair: &str) -> Result<Variables, VariableError> {
        match pair.split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                self.params.retain(|(other, _)| other != name);
                self.params.push((name.to_owned(), value.into()));
                Ok(self)
            }
            _ => Err(VariableError::Param(pair.to_owned())),
        }
    }

    /// Says how long the body is, in bytes, and what it is unless a header said so.
    #[must_use]
    pub fn body(mut self, length: u64, content_type: &str) -> Variables {
        self.fields.retain(|(name, _)| name != "CONTENT_LENGTH");
        self.fields
            .push(("CONTENT_LENGTH".to_owned(), length.to_string().into()));
        if !self.fields.iter().any(|(name, _)| name == "CONTENT_TYPE") {
            self.fields
                .push(("CONTENT_TYPE".to_owned(), content_type.into()));
        }
        self
    }

    /// Names and values for a Responder or a Filter, in the order in which they are sent.
    #[must_use]
    pub fn pairs(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.pairs_for(Role::Responder)
    }

    /// Names and values for a role: an Authorizer is not told SCRIPT_NAME, PATH_INFO,
    /// PATH_TRANSLATED and CONTENT_LENGTH (FastCGI §6.3).
    #[must_use]
    pub fn pairs_for(&self, role: Role) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut pairs = Pairs::default();
        self.server(&mut pairs);
        self.location(&mut pairs);
        for (name, value) in &self.fields {
            pairs.add(name, value);
        }
        if !self.fields.iter().any(|(name, _)| name == "HTTP_HOST") {
            pairs.add("HTTP_HOST", "localhost");
        }
        if role == Role::Authorizer {
            pairs.0.retain(|(name, _)| is_for_authorizers(name));
        }
        for (name, value) in &self.params {
            pairs.0.retain(|(other, _)| other != name.as_bytes());
            pairs.add(name, value);
        }
        pairs.0
    }

    fn server(&self, pairs: &mut Pairs) {
        let host = self.fields.iter().find(|(name, _)| name == "HTTP_HOST");
        let host = host.map_or(&b"localhost"[..], |(_, host)| without_port(host));
        pairs.add("GATEWAY_INTERFACE", "CGI/1.1");
        pairs.add("SERVER_SOFTWARE", SOFTWARE);
        pairs.add("SERVER_NAME", host);
        pairs.add("SERVER_ADDR", "127.0.0.1");
        pairs.add("SERVER_PORT", "80");
        pairs.add("SERVER_PROTOCOL", "HTTP/1.1");
        pairs.add("REQUEST_SCHEME", "http");
        pairs.add("REMOTE_ADDR", "127.0.0.1");
        pairs.add("REQUEST_METHOD", &self.method);
        // PHP refuses to run as CGI without it; the number means nothing.
        pairs.add("REDIRECT_STATUS", "200");
    }

    fn location(&self, pairs: &mut Pairs) {
        let places = &self.places;
        let is_cut = places.script_name.is_some() || places.document_root.is_some();
        // A name was checked to be the beginning of the path; without one every path is whole.
        let script = is_cut.then(|| places.split(&self.path)).flatten();
        let (name, path_info) = script.map_or_else(
            || (self.path.clone(), Vec::new()),
            |script| (script.name, script.path_info),
        );
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let root = places.document_root.as_deref().map(root_bytes);
        pairs.add("REQUEST_URI", &self.target);
        pairs.add("QUERY_STRING", query);
        if let Some(root) = root {
            pairs.add("DOCUMENT_ROOT", root);
        }
        let root = root.unwrap_or_default();
        let file = match &self.script_filename {
            Some(file) => file.clone(),
            None => [root, &name].concat(),
        };
        if !file.is_empty() {
            pairs.add("SCRIPT_FILENAME", file);
        }
        pairs.add("SCRIPT_NAME", name);
        if !path_info.is_empty() {
            if !root.is_empty() {
                pairs.add("PATH_TRANSLATED", [root, &path_info].concat());
            }
            pairs.add("PATH_INFO", path_info);
        }
    }
}

/// Names and values in order.
#[derive(Default)]
struct Pairs(Vec<(Vec<u8>, Vec<u8>)>);

impl Pairs {
    fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let pair = (name.as_ref().to_vec(), value.as_ref().to_vec());
        self.0.push(pair);
    }
}

/// `host:80` → `host`; `[::1]:80` → `[::1]`.
fn without_port(host: &[u8]) -> &[u8] {
    let after_brackets = host
        .iter()
        .rposition(|&byte| byte == b']')
        .map_or(0, |at| at + 1);
    match host[after_brackets..].iter().position(|&byte| byte == b':') {
        Some(at) => &host[..after_brackets + at],
        None => host,
    }
}

/// Pairs as a PARAMS stream (FastCGI §5.2).
///
/// # Errors
///
/// A name or a value is longer than 2³¹ − 1 bytes.
pub fn encode(pairs: &[(Vec<u8>, Vec<u8>)]) -> Result<Vec<u8>, params::AppendError> {
    let mut stream = Vec::new();
    for (name, value) in pairs {
        params::append(&mut stream, name, value)?;
    }
    Ok(stream)
}

#[cfg(test)]
mod tests;
