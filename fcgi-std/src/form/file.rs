//! A file of a form: in memory while it is small, else in the spool directory.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Cursor, Read, Seek, Write};
use std::path::Path;

use fcgi_core::form::multipart::base_name;
use fcgi_core::form::tree::Value;
use tempfile::{Builder, NamedTempFile, TempPath};

use super::parts::Head;

/// A file that came with a form; whole, and no longer than the server takes.
///
/// What is spooled is a file of its own, readable by this user alone, under a name that nobody can
/// guess. It is removed when the tree that [`files`](crate::Request::files) gave is dropped
/// everywhere: with the request at the latest, unless the handler keeps the tree. A process that is
/// killed leaves it behind.
///
/// Nothing that the client says of a file can be trusted, neither its name nor its type.
#[derive(Debug)]
pub struct File {
    file_name: Value,
    content_type: Option<Value>,
    length: u64,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Memory(Vec<u8>),
    Spooled(TempPath),
}

impl File {
    /// The name that the file has on the client's side, decoded, perhaps with directories: **never
    /// a path to use**.
    #[must_use]
    pub fn file_name(&self) -> &Value {
        &self.file_name
    }

    /// The last component of the file name, for showing, escaped as the place needs it: behind
    /// every `/` and `\`, and `None` if that is empty, `.` or `..`.
    #[must_use]
    pub fn base_name(&self) -> Option<Cow<'_, str>> {
        base_name(self.file_name.as_bytes()).map(String::from_utf8_lossy)
    }

    /// Content-Type as the client says; `text/plain` is meant if there is none.
    #[must_use]
    pub fn content_type(&self) -> Option<&Value> {
        self.content_type.as_ref()
    }

    /// Bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The bytes, from the first one.
    ///
    /// # Errors
    ///
    /// The spooled file cannot be opened.
    pub fn open(&self) -> io::Result<impl Read + Seek + use<'_>> {
        Ok(match &self.content {
            Content::Memory(bytes) => Reader::Memory(Cursor::new(bytes)),
            Content::Spooled(path) => Reader::Spooled(fs::File::open(path)?),
        })
    }

    /// All bytes; those of a spooled file are read into memory.
    ///
    /// # Errors
    ///
    /// The spooled file cannot be read.
    pub fn bytes(&self) -> io::Result<Cow<'_, [u8]>> {
        match &self.content {
            Content::Memory(bytes) => Ok(Cow::Borrowed(bytes)),
            Content::Spooled(path) => fs::read(path).map(Cow::Owned),
        }
    }

    /// Where the file is spooled, for programs that want a path; none if it is in memory.
    #[must_use]
    pub fn spooled(&self) -> Option<&Path> {
        match &self.content {
            Content::Memory(_) => None,
            Content::Spooled(path) => Some(path),
        }
    }

    /// Keeps the file at `path`, which the application has chosen: complete or not at all, and
    /// never in place of another one. This user alone can read it until its permissions are
    /// changed.
    ///
    /// A spooled file is moved there if that is possible, which is when the spool directory is on
    /// the same file system; otherwise it is copied. [`open`](Self::open) and
    /// [`bytes`](Self::bytes) go on to work.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` when there is something at `path`; what the file system says otherwise.
    pub fn persist(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = path.as_ref();
        if let Content::Spooled(spooled) = &self.content {
            match fs::hard_link(spooled, path) {
                Ok(()) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
                // Another file system, or one without links.
                Err(_) => {}
            }
        }
        let directory = path.parent().filter(|parent| *parent != Path::new(""));
        let mut copy = temporary(Some(directory.unwrap_or(Path::new("."))))?;
        io::copy(&mut self.open()?, &mut copy)?;
        copy.persist_noclobber(path)?;
        Ok(())
    }
}

/// A name that only shows where a file came from.
fn temporary(directory: Option<&Path>) -> io::Result<NamedTempFile> {
    let mut builder = Builder::new();
    builder.prefix("fastcgi-upload-");
    match directory {
        Some(directory) => builder.tempfile_in(directory),
        None => builder.tempfile(),
    }
}

enum Reader<'a> {
    Memory(Cursor<&'a [u8]>),
    Spooled(fs::File),
}

impl Read for Reader<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Reader::Memory(bytes) => bytes.read(buf),
            Reader::Spooled(file) => file.read(buf),
        }
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, position: io::SeekFrom) -> io::Result<u64> {
        match self {
            Reader::Memory(bytes) => bytes.seek(position),
            Reader::Spooled(file) => file.seek(position),
        }
    }
}

/// A file that is coming.
pub(super) struct Incoming<'a> {
    /// What came, as long as it is no more than `most`.
    memory: Vec<u8>,
    most: usize,
    directory: Option<&'a Path>,
    spooled: Option<NamedTempFile>,
    length: u64,
}

impl<'a> Incoming<'a> {
    /// Up to `most` bytes stay in memory.
    pub(super) fn new(most: usize, directory: Option<&'a Path>) -> Incoming<'a> {
        Incoming {
            memory: Vec::new(),
            most,
            directory,
            spooled: None,
            length: 0,
        }
    }

    pub(super) fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        let count = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        self.length = self.length.saturating_add(count);
        let spooled = match &mut self.spooled {
            Some(spooled) => spooled,
            None if chunk.len() <= self.most - self.memory.len() => {
                self.memory.extend_from_slice(chunk);
                return Ok(());
            }
            None => {
                let spooled = self.spooled.insert(temporary(self.directory)?);
                spooled.write_all(&self.memory)?;
                self.memory = Vec::new();
                spooled
            }
        };
        spooled.write_all(chunk)
    }

    /// The bytes that stay in memory.
    pub(super) fn in_memory(&self) -> usize {
        self.memory.len()
    }

    /// The file as a whole. Its descriptor is closed: a form may have many files.
    pub(super) fn finish(self, head: Head) -> File {
        File {
            file_name: head.file_name.unwrap_or_default(),
            content_type: head.content_type,
            length: self.length,
            content: match self.spooled {
                Some(spooled) => Content::Spooled(spooled.into_temp_path()),
                None => Content::Memory(self.memory),
            },
        }
    }
}
