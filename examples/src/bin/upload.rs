//! Uploads: any number of files from one form, kept in a directory.
//!
//! ```text
//! cargo run -p fcgi-examples --bin upload 127.0.0.1:9000 /srv/uploads
//! curl -F note=hello -F file=@a.txt -F file=@b.png http://localhost/   # through your web server
//! ```
//!
//! The answer lists the files and the names under which they are kept: `upload-1` and so on. Large
//! ones are spooled in the same directory while they come, so that keeping one costs no copy; an
//! upload that is cut leaves nothing behind. Without a directory nothing is kept.
//!
//! Web servers have a limit of their own: for nginx see `client_max_body_size`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use fcgi_std::form::File;

const PAGE: &str = "<!doctype html><title>Upload</title>
<form method=post enctype=multipart/form-data>
<p><input name=note placeholder=Note> <input name=file type=file multiple> <button>Send</button>
</form>";

fn main() -> io::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9000".into());
    let directory = arguments.next().map(PathBuf::from);
    let mut server = fcgi_std::Server::inherited_or_bind(&address.to_string_lossy())?;
    if let Some(directory) = &directory {
        server = server.spool_directory(directory);
    }
    server.serve(move |request| {
        let (values, files) = (request.post()?, request.files()?);
        let mut html = String::from(PAGE);
        if let Some(note) = values.first("note") {
            html += &format!("<p>Note: {}", escape(&note.to_text()));
        }
        html += "<table>";
        for file in files.all("file") {
            let kept = directory.as_deref().map(|directory| keep(file, directory));
            let kind = file
                .content_type()
                .map(|kind| kind.to_text())
                .unwrap_or_default();
            html += &format!(
                "<tr><td>{}<td>{}<td>{} bytes<td>{}",
                escape(&file.base_name().unwrap_or_default()),
                escape(&kind),
                file.len(),
                kept.transpose()?.unwrap_or_default(),
            );
        }
        html += "</table>";
        request.content_type("text/html; charset=utf-8")?;
        request.stdout.write_all(html.as_bytes())
    })
}

/// Keeps a file under the first number that is free. The client's name for it is never a path.
fn keep(file: &File, directory: &Path) -> io::Result<String> {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    loop {
        let name = format!("upload-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        match file.persist(directory.join(&name)) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Everything on the page that a client chose goes through here.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
