//! Files that the web server sends for the program: `X-Sendfile`.

use std::fs;
use std::path::{Path, PathBuf};

use fcgi_tests::apache::{share, shared_directory};
use fcgi_tests::http::Request;
use tempfile::TempDir;

use crate::site::{Frontend, Site};

/// How the program names a file: `file` escaped, `raw-file` as it is and with a type.
type Way = &'static str;

/// The request for a file by its name, in hexadecimal digits.
fn file(way: Way, path: &Path) -> Request {
    let name = path.to_str().unwrap();
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    Request::get(format!("/app.fcgi?{way}={digits}"))
}

/// A directory that the web server may send files of, in one that it may not.
struct Files {
    directory: TempDir,
    inside: PathBuf,
}

impl Files {
    fn new() -> Files {
        let directory = shared_directory();
        let inside = directory.path().join("inside");
        fs::create_dir(&inside).unwrap();
        share(&inside);
        let files = Files { directory, inside };
        fs::write(files.page(), "<p>a file</p>").unwrap();
        fs::write(files.plain(), "plain").unwrap();
        fs::write(files.secret(), "<p>a secret</p>").unwrap();
        files
    }

    fn page(&self) -> PathBuf {
        self.inside.join("100% K\u{e4}se?;+&.html")
    }

    fn plain(&self) -> PathBuf {
        self.inside.join("plain-1.0_~.txt")
    }

    fn secret(&self) -> PathBuf {
        self.directory.path().join("outside.html")
    }

    /// Asks for all of them; `refused` is the status for what the web server may not send.
    #[track_caller]
    fn are_sent_by(&self, site: &Site, way: Way, refused: u16) {
        let mut client = site.client();
        for _ in 0..3 {
            let page = client.call(&file(way, &self.page()));
            assert_eq!((page.status, page.text().as_str()), (200, "<p>a file</p>"));
            assert_eq!(page.all("Content-Type"), ["text/html"]);
            assert_eq!(page.field("X-Sendfile"), None);
            let part = client.call(&file(way, &self.page()).header("Range", "bytes=3-8"));
            assert_eq!((part.status, part.text().as_str()), (206, "a file"));
            let plain = client.call(&file("file", &self.plain()));
            assert_eq!((plain.status, plain.text().as_str()), (200, "plain"));
            let secret = client.call(&file(way, &self.secret()));
            assert_eq!(secret.status, refused, "{}", secret.text());
            let missing = client.call(&file(way, &self.inside.join("none.html")));
            assert_eq!(missing.status, 404);
        }
    }
}

#[test]
fn lighttpd_sends_files_of_its_directories() {
    let files = Files::new();
    let options = format!(
        r#""x-sendfile" => "enable", "x-sendfile-docroot" => ( "{}/" )"#,
        files.inside.display()
    );
    for (frontend, unix) in [(Frontend::Std, true), (Frontend::Mio, false)] {
        files.are_sent_by(&Site::lighttpd(unix, frontend, &options), "file", 403);
    }
}

/// Its module unescapes names since 1.0 only; until then those that have nothing to be escaped are
/// the same either way. It gives files no type.
#[test]
fn apache_sends_files_of_its_directories() {
    let files = Files::new();
    let config = format!("XSendFile on\nXSendFilePath {}", files.inside.display());
    for frontend in [Frontend::Std, Frontend::Mio] {
        let site = Site::fcgid(frontend, &["xsendfile"], &config);
        files.are_sent_by(&site, "raw-file", 404);
    }
}
