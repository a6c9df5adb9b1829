//! The path of a request's target: decoded, and cut into SCRIPT_NAME and PATH_INFO.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Why a path is not served; the client gets a 400.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BadPath {
    /// It does not begin with a slash, as in `OPTIONS *`.
    NoSlash,
    /// A `%` without two hexadecimal digits.
    Escape,
    /// `%00`, which no C program would see as a part of the path (RFC 3875 §7.2).
    Nul,
    /// `..` leads out of the root.
    AboveRoot,
}

impl BadPath {
    pub(crate) fn text(self) -> &'static str {
        match self {
            BadPath::NoSlash => "the target of the request is not a path",
            BadPath::Escape => "the path has a % that two hexadecimal digits do not follow",
            BadPath::Nul => "the path has a NUL",
            BadPath::AboveRoot => "the path leads above its root",
        }
    }
}

/// A path as CGI wants it (RFC 3875 §4.1.5, §4.1.13): without percent-encoding, and without `.` and
/// `..` segments, as a browser would have sent it.
///
/// An encoded slash becomes a slash; only REQUEST_URI tells the difference.
pub(crate) fn decode(path: &str) -> Result<Vec<u8>, BadPath> {
    if !path.starts_with('/') {
        return Err(BadPath::NoSlash);
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let digits = [hex(bytes.next()), hex(bytes.next())];
                let [Some(high), Some(low)] = digits else {
                    return Err(BadPath::Escape);
                };
                high << 4 | low
            }
            byte => byte,
        };
        if byte == 0 {
            return Err(BadPath::Nul);
        }
        decoded.push(byte);
    }
    without_dots(&decoded).ok_or(BadPath::AboveRoot)
}

fn hex(digit: Option<u8>) -> Option<u8> {
    match digit? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
        digit @ b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Follows `.` and `..` (RFC 3986 §5.2.4); `None` when they lead above the root.
fn without_dots(path: &[u8]) -> Option<Vec<u8>> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|&byte| byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"." => {}
            b".." => {
                kept.pop()?;
            }
            name => {
                kept.push(name);
                continue;
            }
        }
        if is_last {
            // `/a/.` is the directory `/a/`.
            kept.push(b"");
        }
    }
    let mut path = Vec::new();
    for segment in kept {
        path.push(b'/');
        path.extend_from_slice(segment);
    }
    Some(path)
}

/// Where the application is mounted, or where its scripts lie.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Places {
    /// The path of one program that gets all requests below it: empty, or `/name` without a slash
    /// at its end.
    pub(crate) script_name: Option<String>,
    /// The directory of the site.
    pub(crate) document_root: Option<PathBuf>,
}

/// Which part of a path names the program, and which is left for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Script {
    pub(crate) name: Vec<u8>,
    pub(crate) path_info: Vec<u8>,
}

impl Places {
    /// Cuts a decoded path; `None` when it is outside of SCRIPT_NAME.
    ///
    /// A SCRIPT_NAME that was set is that of the one program. Without it a site with a document
    /// root is one of scripts, as for PHP: the first segment that ends in `.php` ends the name, a
    /// path that ends in a slash means its `index.php`, and any other path is a name as it is.
    /// Without either the one program is mounted at the root, and its name is empty.
    pub(crate) fn split(&self, path: &[u8]) -> Option<Script> {
        match (&self.script_name, &self.document_root) {
            (Some(name), _) => below(path, name.as_bytes()),
            (None, None) => below(path, b""),
            (None, Some(_)) => Some(script(path)),
        }
    }

    /// The file that a decoded path below the root stands for.
    pub(super) fn file(&self, path: &[u8]) -> Option<Vec<u8>> {
        let root = self.document_root.as_deref()?;
        Some([root_bytes(root), path].concat())
    }
}

/// The root without slashes at its end, as paths begin with one.
pub(crate) fn root_bytes(root: &Path) -> &[u8] {
    let mut root = root.as_os_str().as_bytes();
    while let Some(shorter) = root.strip_suffix(b"/") {
        root = shorter;
    }
    root
}

fn below(path: &[u8], name: &[u8]) -> Option<Script> {
    let rest = path.strip_prefix(name)?;
    (rest.is_empty() || rest.starts_with(b"/")).then(|| Script {
        name: name.to_vec(),
        path_info: rest.to_vec(),
    })
}

fn script(path: &[u8]) -> Script {
    let slashes = (1..path.len()).filter(|&at| path[at] == b'/');
    let mut ends = slashes.chain([path.len()]);
    if let Some(end) = ends.find(|&end| path[..end].ends_with(b".php")) {
        let (name, path_info) = path.split_at(end);
        return Script {
            name: name.to_vec(),
            path_info: path_info.to_vec(),
        };
    }
    let mut name = path.to_vec();
    if name.ends_with(b"/") {
        name.extend_from_slice(b"index.php");
    }
    Script {
        name,
        path_info: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_and_stay_below_the_root() {
        for (path, expected) in [
            ("/", Ok(&b"/"[..])),
            ("/a%20b/%C3%A4/%ff", Ok(b"/a b/\xc3\xa4/\xff")),
            ("/a%2fb", Ok(b"/a/b")),
            ("/a//b/", Ok(b"/a//b/")),
            ("/a/./b", Ok(b"/a/b")),
            ("/a/b/../c", Ok(b"/a/c")),
            ("/a/..", Ok(b"/")),
            ("/a/b/.", Ok(b"/a/b/")),
            ("/.../..a", Ok(b"/.../..a")),
            ("/%2e%2E/a", Err(BadPath::AboveRoot)),
            ("/a/..%2f..", Err(BadPath::AboveRoot)),
            ("/..", Err(BadPath::AboveRoot)),
            ("/%0", Err(BadPath::Escape)),
            ("/%", Err(BadPath::Escape)),
            ("/%+1", Err(BadPath::Escape)),
            ("/a%00.php", Err(BadPath::Nul)),
            ("*", Err(BadPath::NoSlash)),
            ("", Err(BadPath::NoSlash)),
        ] {
            assert_eq!(decode(path).as_deref(), expected.as_deref(), "{path}");
        }
    }

    #[test]
    fn names_and_the_rest() {
        let places = |script_name: Option<&str>, root: Option<&str>| Places {
            script_name: script_name.map(str::to_owned),
            document_root: root.map(PathBuf::from),
        };
        let one = places(None, None);
        let mounted = places(Some("/app"), None);
        let front = places(Some("/index.php"), Some("/srv/"));
        let php = places(None, Some("/srv/www/"));
        for (places, path, expected) in [
            (&one, "/", Some(("", "/"))),
            (&one, "/a.php/b", Some(("", "/a.php/b"))),
            (&mounted, "/app", Some(("/app", ""))),
            (&mounted, "/app/", Some(("/app", "/"))),
            (&mounted, "/app/x", Some(("/app", "/x"))),
            (&mounted, "/apple", None),
            (&mounted, "/", None),
            (&front, "/index.php/a", Some(("/index.php", "/a"))),
            (&php, "/", Some(("/index.php", ""))),
            (&php, "/a/", Some(("/a/index.php", ""))),
            (&php, "/a.php", Some(("/a.php", ""))),
            (&php, "/a.php/", Some(("/a.php", "/"))),
            (&php, "/d/a.php/b.php/c", Some(("/d/a.php", "/b.php/c"))),
            (&php, "/a.phpx", Some(("/a.phpx", ""))),
            (&php, "/logo.png", Some(("/logo.png", ""))),
        ] {
            let script = places.split(path.as_bytes());
            let expected = expected.map(|(name, path_info)| Script {
                name: name.into(),
                path_info: path_info.into(),
            });
            assert_eq!(script, expected, "{path}");
        }
        assert_eq!(php.file(b"/a.php").unwrap(), b"/srv/www/a.php");
        assert_eq!(places(None, Some("/")).file(b"/a").unwrap(), b"/a");
        assert_eq!(one.file(b"/a"), None);
    }
}
