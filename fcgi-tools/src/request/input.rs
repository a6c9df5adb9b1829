//! Bodies: their length has to be known before they are sent (RFC 3875 §4.1.2).

use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;

use crate::exchange::Source;

/// What is sent as STDIN or DATA.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Input {
    /// Nothing, and no CONTENT_LENGTH.
    #[default]
    Empty,
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// So many bytes from the beginning of the file.
    File(File, u64),
}

impl Input {
    /// A file; one that is not a plain file, such as a pipe, is read to its end first.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or those of [`Input::read`].
    pub fn file(path: &Path) -> io::Result<Input> {
        let named =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = File::open(path).map_err(named)?;
        let metadata = file.metadata().map_err(named)?;
        if metadata.is_file() {
            return Ok(Input::File(file, metadata.len()));
        }
        Input::read(file).map_err(named)
    }

    /// All that a reader gives, kept in a temporary file.
    ///
    /// # Errors
    ///
    /// Those of the reader, and of the directory for temporary files, which the text names.
    pub fn read(mut reader: impl Read) -> io::Result<Input> {
        let directory = env::temp_dir();
        let named = |error: io::Error| {
            let text = format!("a temporary file in {}: {error}", directory.display());
            io::Error::new(error.kind(), text)
        };
        let mut file = tempfile::tempfile_in(&directory).map_err(named)?;
        let length = io::copy(&mut reader, &mut file)?;
        Ok(Input::File(file, length))
    }

    /// In bytes; `None` where there is no body, not even an empty one.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        match self {
            Input::Empty => None,
            Input::Bytes(bytes) => Some(bytes.len() as u64),
            Input::File(_, length) => Some(*length),
        }
    }

    /// Begins at the beginning.
    pub(super) fn source(&self) -> io::Result<Source<'_>> {
        Ok(match self {
            Input::Empty => Source::Empty,
            Input::Bytes(bytes) => Source::Bytes(bytes),
            Input::File(file, length) => {
                let mut cursor: &File = file;
                cursor.seek(SeekFrom::Start(0))?;
                Source::Descriptor {
                    fd: file.as_fd(),
                    limit: Some(*length),
                }
            }
        })
    }
}
