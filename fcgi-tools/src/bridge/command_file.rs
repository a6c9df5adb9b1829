//! Command files: arguments in a file, which a `#!` line can make a program of.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Why a command file cannot be used.
#[derive(Debug)]
pub(super) struct CommandFileError {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Read(io::Error),
    Text,
    Quote,
}

/// The words of a command file: all of its lines but comments, split as a shell does it.
pub(super) fn words(path: &Path) -> Result<Vec<String>, CommandFileError> {
    let error = |why| CommandFileError {
        path: path.to_owned(),
        why,
    };
    let bytes = fs::read(path).map_err(|cause| error(Why::Read(cause)))?;
    let text = String::from_utf8(bytes).map_err(|_| error(Why::Text))?;
    split(&text).map_err(|_| error(Why::Quote))
}

/// A line that begins with `#` is a comment wherever it stands, as in the kit; and so is what
/// follows a word that begins with one, as in a shell. Some editors put a mark before the text, and
/// a CR at the end of each line, also if the last one lacks its LF.
fn split(text: &str) -> Result<Vec<String>, shell_words::ParseError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text
        .lines()
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .filter(|line| !line.starts_with('#'));
    shell_words::split(&lines.collect::<Vec<_>>().join("\n"))
}

impl fmt::Display for CommandFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Read(error) => write!(f, "the command file {path} cannot be read: {error}"),
            Why::Text => write!(f, "the command file {path} is not text in UTF-8"),
            Why::Quote => write!(f, "the command file {path} has a quote without its end"),
        }
    }
}

impl Error for CommandFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.why {
            Why::Read(error) => Some(error),
            Why::Text | Why::Quote => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_comments() {
        for (text, wanted) in [
            ("", &[][..]),
            (
                "#!/usr/bin/cgi-fcgi -f\n-bind -connect /a\n",
                &["-bind", "-connect", "/a"],
            ),
            (
                "#!x\n# -start\n\n  -bind  \t-connect\n/a   \n",
                &["-bind", "-connect", "/a"],
            ),
            ("-bind -connect /a\r\n", &["-bind", "-connect", "/a"]),
            ("\u{feff}# why\r\n-connect /a\r", &["-connect", "/a"]),
            ("\u{feff}-connect '\u{feff}'", &["-connect", "\u{feff}"]),
            ("-bind # why\n-connect /a", &["-bind", "-connect", "/a"]),
            ("'a b' \"c d\" e\\ f g\\\nh", &["a b", "c d", "e f", "gh"]),
            ("\"a\n#b\nc\"", &["a\nc"]),
            ("a#b ''", &["a#b", ""]),
        ] {
            assert_eq!(split(text).unwrap(), wanted, "{text:?}");
        }
        assert!(split("'open").is_err());
    }

    #[test]
    fn errors_name_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let told = |path: &Path| words(path).unwrap_err().to_string();
        assert!(told(&path).contains("cannot be read: No such file"));
        fs::write(&path, b"\xff").unwrap();
        assert!(told(&path).contains("file is not text"));
        fs::write(&path, b"'").unwrap();
        assert!(told(&path).contains("file has a quote"));
    }
}
