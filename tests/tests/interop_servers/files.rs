//! Files that lighttpd sends for the program: `X-Sendfile`.

use std::fs;
use std::path::Path;

use fcgi_tests::http::Request;

use crate::site::{Frontend, Site};

/// The request for a file by its name, in hexadecimal digits.
fn file(path: &Path) -> Request {
    let name = path.to_str().unwrap();
    let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
    Request::get(format!("/app.fcgi?file={digits}"))
}

#[test]
fn lighttpd_sends_files_of_its_directories() {
    let files = tempfile::tempdir().unwrap();
    let inside = files.path().join("inside");
    fs::create_dir(&inside).unwrap();
    let name = inside.join("100% K\u{e4}se?;+&.html");
    fs::write(&name, "<p>a file</p>").unwrap();
    let outside = files.path().join("outside.html");
    fs::write(&outside, "<p>a secret</p>").unwrap();
    let options = format!(
        r#""x-sendfile" => "enable", "x-sendfile-docroot" => ( "{}/" )"#,
        inside.display()
    );
    for (frontend, unix) in [(Frontend::Std, true), (Frontend::Mio, false)] {
        let site = Site::lighttpd(unix, frontend, &options);
        let mut client = site.client();
        for _ in 0..3 {
            let page = client.call(&file(&name));
            assert_eq!((page.status, page.text().as_str()), (200, "<p>a file</p>"));
            assert_eq!(page.all("Content-Type"), ["text/html"]);
            assert_eq!(page.field("X-Sendfile"), None);
            let part = client.call(&file(&name).header("Range", "bytes=3-8"));
            assert_eq!((part.status, part.text().as_str()), (206, "a file"));
            let refused = client.call(&file(&outside));
            assert_eq!(refused.status, 403, "{}", refused.text());
            let missing = client.call(&file(&inside.join("none.html")));
            assert_eq!(missing.status, 404);
        }
    }
}
