//! Both directions of each connection as files.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// An empty directory for the files.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Makes the directory unless it is there.
    ///
    /// # Errors
    ///
    /// `DirectoryNotEmpty` if there is something in it: files of another run would be taken for
    /// those of this one. Else what the system says.
    pub(super) fn open(path: &Path) -> io::Result<Directory> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        fs::create_dir_all(path).map_err(named)?;
        if fs::read_dir(path).map_err(named)?.next().is_some() {
            let kind = io::ErrorKind::DirectoryNotEmpty;
            return Err(io::Error::new(
                kind,
                format!("{} is not empty", path.display()),
            ));
        }
        Ok(Directory(path.to_owned()))
    }

    /// The files of a connection: for what the web server sends, and for what the application does.
    pub(super) fn files(&self, connection: u64) -> io::Result<[File; 2]> {
        let file = |sender: &str| {
            let name = format!("{connection:05}-{sender}.fcgi");
            File::create_new(self.0.join(name))
        };
        Ok([file("web-server")?, file("application")?])
    }
}
