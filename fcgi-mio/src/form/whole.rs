//! The forms of a whole request, as trees.

use std::io;

use fcgi_core::form::Kind;
use fcgi_core::form::multipart::{self, PartHead, base_name};
use fcgi_core::form::tree::{self, Tree};

use super::{Parts, Upload, error};
use crate::Request;

impl Request<'_> {
    /// The values in the query, as a tree of their names: see [`Tree`].
    ///
    /// For limits other than the default ones, or to go without a tree, read
    /// [`param("QUERY_STRING")`](Self::param) with `fcgi_core::form`.
    ///
    /// # Errors
    ///
    /// As [`form`](crate::form#errors) has it, for a clash of names or more than 1000 values.
    pub fn get(&self) -> io::Result<Tree> {
        let query = self.param("QUERY_STRING").unwrap_or_default();
        Tree::from_urlencoded(query, tree::Limits::DEFAULT).map_err(error)
    }

    /// The cookies, of which the first one with a name counts: see [`Tree::from_cookies`].
    ///
    /// # Errors
    ///
    /// As [`form`](crate::form#errors) has it, for more than 1000 cookies.
    pub fn cookies(&self) -> io::Result<Tree> {
        // Some web servers send each header by itself.
        let headers: Vec<_> = self.params().get_all("HTTP_COOKIE").collect();
        Tree::from_cookies(&headers.join(&b"; "[..]), tree::Limits::DEFAULT).map_err(error)
    }

    /// The values in the body; nothing in [`Service::begin`](crate::Service::begin).
    ///
    /// # Errors
    ///
    /// Those of [`Form::of`].
    pub fn post(&self) -> io::Result<Tree> {
        Form::of(self, Limits::default()).map(|form| form.values)
    }

    /// The files in the body. For large ones, see [`Upload`].
    ///
    /// # Errors
    ///
    /// Those of [`Form::of`].
    pub fn files(&self) -> io::Result<Tree<File>> {
        Form::of(self, Limits::default()).map(|form| form.files)
    }
}

/// A body that is a form.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// What was typed and chosen.
    pub values: Tree,
    /// The files; those that the user did not choose are left out.
    pub files: Tree<File>,
}

/// How much of a form is taken. [`max_body`](crate::Settings::max_body) is a limit on all of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// For the values, and again for the files.
    pub tree: tree::Limits,
    /// For the parts of a body with files.
    pub parts: multipart::Limits,
}

impl Form {
    /// Reads the body of a whole request: `application/x-www-form-urlencoded`, or
    /// `multipart/form-data` (RFC 7578). A body of another type is no form, and gives an empty one;
    /// so does that of GET and HEAD, which means nothing (RFC 9110 §9.3.1).
    ///
    /// # Errors
    ///
    /// `InvalidData` with a [`FormError`](super::FormError).
    pub fn of(request: &Request<'_>, limits: Limits) -> io::Result<Form> {
        let mut form = Form {
            values: Tree::new(limits.tree),
            files: Tree::new(limits.tree),
        };
        let body = request.body();
        match Kind::of(&request.params()).map_err(error)? {
            Kind::Urlencoded => {
                form.values = Tree::from_urlencoded(body, limits.tree).map_err(error)?;
            }
            Kind::Multipart(_) => {
                let mut collector = Collector {
                    form: &mut form,
                    name: Vec::new(),
                    file: None,
                    bytes: Vec::new(),
                };
                let mut upload = Upload::of(request, limits.parts);
                upload.input(body, &mut collector)?;
                upload.end()?;
            }
            Kind::Other => {}
        }
        Ok(form)
    }
}

/// A file that lies in memory.
///
/// Its name and type are what the client says, and are not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    name: Vec<u8>,
    content_type: Option<Vec<u8>>,
    bytes: Vec<u8>,
}

impl File {
    /// What is in it.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is in it, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Its name on the client's side, decoded. **Never use it as a path**.
    #[must_use]
    pub fn file_name(&self) -> &[u8] {
        &self.name
    }

    /// The last component of its name, for showing: see [`base_name`].
    #[must_use]
    pub fn base_name(&self) -> Option<&[u8]> {
        base_name(&self.name)
    }

    /// The value of its Content-Type; `text/plain` is meant if there is none (RFC 7578 §4.4).
    #[must_use]
    pub fn content_type(&self) -> Option<&[u8]> {
        self.content_type.as_deref()
    }
}

/// Puts parts into a form.
struct Collector<'a> {
    form: &'a mut Form,
    /// Of the part in hand.
    name: Vec<u8>,
    file: Option<File>,
    bytes: Vec<u8>,
}

impl Parts for Collector<'_> {
    fn begin(&mut self, head: PartHead<'_>) -> io::Result<()> {
        self.name = head.name().decode().into_owned();
        self.file = head.file_name().map(|name| File {
            name: name.decode().into_owned(),
            content_type: head.content_type().map(<[u8]>::to_vec),
            bytes: Vec::new(),
        });
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.bytes);
        let inserted = match self.file.take() {
            None => self.form.values.insert(&self.name, bytes.into()),
            // A field for a file in which none was chosen.
            Some(file) if file.name.is_empty() && bytes.is_empty() => Ok(()),
            Some(file) => self.form.files.insert(&self.name, File { bytes, ..file }),
        };
        inserted.map_err(error)
    }
}
