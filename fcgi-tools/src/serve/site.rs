//! What the application is told about the site that it serves.

use std::error::Error;
use std::fmt;
use std::path::{self, PathBuf};

use super::target::Places;

/// The part of the CGI variables (RFC 3875 §4.1) that does not come from the client.
///
/// Without settings the application is mounted at the root: SCRIPT_NAME is empty and PATH_INFO is
/// the whole path.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Site {
    pub(super) places: Places,
    pub(super) params: Vec<(String, String)>,
}

/// Why a setting of a [`Site`] is none.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SiteError {
    /// A script name that does not begin with a slash.
    ScriptName,
    /// A document root that is empty, or that cannot be made absolute as there is no current
    /// directory.
    DocumentRoot,
    /// A parameter that is not `NAME=VALUE`.
    NoParameter,
    /// HTTP_PROXY, which is never passed on.
    HttpProxy,
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SiteError::ScriptName => "a script name begins with a slash, as in /app",
            SiteError::DocumentRoot => "the document root is not a directory's path",
            SiteError::NoParameter => "a parameter is written NAME=VALUE",
            SiteError::HttpProxy => {
                "HTTP_PROXY is never passed on: programs take it for the proxy that they should use"
            }
        })
    }
}

impl Error for SiteError {}

impl Site {
    /// Mounts the application at this path, as in `/app`: SCRIPT_NAME. What follows it in the path
    /// is PATH_INFO; other paths get a 404. A slash at the end is left out.
    ///
    /// # Errors
    ///
    /// [`SiteError::ScriptName`].
    pub fn script_name(mut self, name: &str) -> Result<Site, SiteError> {
        let name = name.trim_end_matches('/');
        if !(name.is_empty() || name.starts_with('/')) {
            return Err(SiteError::ScriptName);
        }
        self.places.script_name = Some(name.to_owned());
        Ok(self)
    }

    /// The directory of the site: DOCUMENT_ROOT, and with it SCRIPT_FILENAME and PATH_TRANSLATED. A
    /// relative path is taken from the current directory.
    ///
    /// Unless a [script name](Site::script_name) is set, the scripts are those that the requests
    /// name, as PHP wants it: in `/a/b.php/c` SCRIPT_NAME is `/a/b.php` and PATH_INFO is `/c`;
    /// `/a/` means `/a/index.php`; another path is a SCRIPT_NAME as it is. The gateway itself never
    /// looks into the directory.
    ///
    /// # Errors
    ///
    /// [`SiteError::DocumentRoot`].
    pub fn document_root(mut self, root: impl Into<PathBuf>) -> Result<Site, SiteError> {
        let root = path::absolute(root.into()).map_err(|_| SiteError::DocumentRoot)?;
        self.places.document_root = Some(root);
        Ok(self)
    }

    /// Another variable, written `NAME=VALUE`. It takes the place of the gateway's own of that
    /// name, or of the client's header. Of the same name twice, the last wins.
    ///
    /// # Errors
    ///
    /// [`SiteError::NoParameter`], [`SiteError::HttpProxy`].
    pub fn param(mut self, pair: &str) -> Result<Site, SiteError> {
        let (name, value) = pair.split_once('=').ok_or(SiteError::NoParameter)?;
        if name.is_empty() {
            return Err(SiteError::NoParameter);
        }
        if name == "HTTP_PROXY" {
            return Err(SiteError::HttpProxy);
        }
        self.params.retain(|(other, _)| other != name);
        self.params.push((name.to_owned(), value.to_owned()));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let site = Site::default();
        assert_eq!(
            site.clone().script_name("app"),
            Err(SiteError::ScriptName),
            "no slash"
        );
        assert_eq!(
            site.clone().document_root(""),
            Err(SiteError::DocumentRoot),
            "empty"
        );
        for (pair, error) in [
            ("NAME", SiteError::NoParameter),
            ("=value", SiteError::NoParameter),
            ("HTTP_PROXY=http://x", SiteError::HttpProxy),
        ] {
            assert_eq!(site.clone().param(pair), Err(error), "{pair}");
        }
        let site = site.script_name("/a/").unwrap();
        assert_eq!(site.places.script_name.as_deref(), Some("/a"));
        let site = site.param("A=1").unwrap().param("B=").unwrap();
        let site = site.param("A=2=3").unwrap();
        let pairs = [("B", ""), ("A", "2=3")];
        assert_eq!(site.params, pairs.map(|(n, v)| (n.into(), v.into())));
    }
}
