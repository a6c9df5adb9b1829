//! How much of a form is taken.

use fcgi_core::form::{multipart, tree};

/// How much of a form is taken; beyond it, it is refused.
///
/// The defaults let a browser's form with some files of up to 64 MiB pass. Of one request up to 3
/// MiB of values and files are held in memory, and what their trees need: at most 1 MiB for names
/// without brackets, more with the [depth](tree::Limits::depth) of names. The spool directory has
/// to have room for [`multipart::Limits::total`] times the requests that may run at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Of the trees that [`get`](crate::Request::get), [`post`](crate::Request::post),
    /// [`cookies`](crate::Request::cookies) and [`files`](crate::Request::files) make, each by
    /// itself.
    pub tree: tree::Limits,
    /// Of the parts of a body with files.
    pub multipart: multipart::Limits,
    /// Bytes of a body without files, or of all names and values of one with files: they are held
    /// in memory. Default 2 MiB.
    pub values: usize,
    /// Bytes of a file that are held in memory; a longer one is spooled. Default 64 KiB.
    pub file_in_memory: usize,
    /// Bytes of all files of a form that are held in memory; what is more is spooled. Default
    /// 1 MiB.
    pub files_in_memory: usize,
}

impl Limits {
    /// The default limits.
    pub const DEFAULT: Self = Self {
        tree: tree::Limits::DEFAULT,
        multipart: multipart::Limits::DEFAULT,
        values: 2 * 1024 * 1024,
        file_in_memory: 64 * 1024,
        files_in_memory: 1024 * 1024,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
