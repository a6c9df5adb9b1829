//! Forms: queries, cookies, and bodies with values and files.
//!
//! | what is sent | is had by |
//! |---|---|
//! | query | [`Request::get`] |
//! | cookies | [`Request::cookies`] |
//! | values in the body, urlencoded or with files | [`Request::post`] |
//! | files in the body | [`Request::files`]: small ones in memory, others spooled |
//! | the same as it comes, of any size | [`Request::multipart`], or [`Parts`] of any reader |
//! | a type of yours (feature `serde`) | `Request::form` |
//!
//! ```no_run
//! use std::io::Write;
//!
//! fn main() -> std::io::Result<()> {
//!     fcgi_std::Server::bind("127.0.0.1:9000")?.serve(|request| {
//!         let form = request.post()?; // user[name]=…&user[mail]=…&tag[]=…&tag[]=…
//!         request.header("Content-Type", "text/plain; charset=utf-8")?;
//!         if let Some(name) = form.first("user[name]") {
//!             writeln!(request.stdout, "Hello, {}!", name.to_text())?;
//!         }
//!         for tag in form.all("tag") {
//!             writeln!(request.stdout, "- {}", tag.to_text())?;
//!         }
//!         for file in request.files()?.all("photo") {
//!             file.persist(format!("/srv/photos/{}", request.id()))?; // never the client's name
//!         }
//!         Ok(())
//!     })
//! }
//! ```
//!
//! What names with brackets and repeated names mean is said at [`Tree`]. Everything is
//! read once, when it is first asked for, and is the same whenever it is asked for again, an error
//! too. Trees come in an [`Arc`], so that the request can be used while one looks at them.
//!
//! # Errors
//!
//! Every error is an [`Error`], which `?` turns into the [`io::Error`](std::io::Error) that a
//! handler returns. The client of [`serve`](crate::Server::serve) then gets its status, if nothing
//! was sent yet: 400 for a malformed form or one that is cut, 408 for one that did not come in time,
//! 413 for one that is too large, 415 where another type of content came. It is reported as any
//! other failure of a handler is.
//!
//! [`Limits`] are set by [`Server::form_limits`](crate::Server::form_limits).

mod body;
mod error;
mod file;
mod limits;
mod parts;
#[cfg(feature = "serde")]
mod typed;

use std::sync::Arc;

pub use error::Error;
pub use fcgi_core::form::multipart::{Limits as MultipartLimits, base_name};
pub use fcgi_core::form::{FormError, cookie, tree};
pub use file::File;
pub use limits::Limits;
pub use parts::{Part, Parts};
#[cfg(feature = "serde")]
pub use typed::from_tree;

use fcgi_core::form::Kind;

use crate::{InputReader, Request, Role};
use body::Body;
use tree::Tree;

/// What was read of a request's forms.
#[derive(Default)]
pub(crate) struct Forms {
    get: Option<Result<Arc<Tree>, FormError>>,
    cookies: Option<Result<Arc<Tree>, FormError>>,
    body: Option<Result<Body, Error>>,
}

/// Forms; see [`form`](crate::form).
impl Request {
    /// The values in the query, whatever the method is.
    ///
    /// # Errors
    ///
    /// [`Error::Form`]: a clash of names, or more than the server's
    /// [limits](crate::Server::form_limits).
    pub fn get(&mut self) -> Result<Arc<Tree>, Error> {
        let (params, limits) = (&self.params, self.link.rules().forms.tree);
        let get = self.forms.get.get_or_insert_with(|| {
            let query = params.get("QUERY_STRING").unwrap_or_default();
            Tree::from_urlencoded(query, limits).map(Arc::new)
        });
        Ok(get.clone()?)
    }

    /// The cookies, of which the first one with a name counts: [`first`](Tree::first). A cookie
    /// that clashes with an earlier one is left out; see [`Tree::from_cookies`].
    ///
    /// # Errors
    ///
    /// [`Error::Form`]: more than the server's [limits](crate::Server::form_limits).
    pub fn cookies(&mut self) -> Result<Arc<Tree>, Error> {
        let (params, limits) = (&self.params, self.link.rules().forms.tree);
        let cookies = self.forms.cookies.get_or_insert_with(|| {
            // Some web servers send each header by itself.
            let headers: Vec<_> = params.view().get_all("HTTP_COOKIE").collect();
            Tree::from_cookies(&headers.join(&b"; "[..]), limits).map(Arc::new)
        });
        Ok(cookies.clone()?)
    }

    /// The values in the body: of `application/x-www-form-urlencoded`, or of `multipart/form-data`
    /// those that are no files.
    ///
    /// The first call reads `stdin` to its end, and must come before anything was read of it, which
    /// is noticed if the request says how long it is. A body of another type is no form: the tree
    /// is empty then, and `stdin` is left as it is. So it is for an Authorizer, and for GET and
    /// HEAD, whose bodies mean nothing (RFC 9110 §9.3.1).
    ///
    /// # Errors
    ///
    /// Every [`Error`] but [`NotAForm`](Error::NotAForm) and [`Mismatch`](Error::Mismatch). Of a
    /// form that is too long the rest is left unread.
    pub fn post(&mut self) -> Result<Arc<Tree>, Error> {
        Ok(self.body()?.values)
    }

    /// The files in the body, if it is `multipart/form-data`. Fields in which no file was chosen
    /// are left out.
    ///
    /// Reads `stdin` as [`post`](Self::post) does, both at once.
    ///
    /// # Errors
    ///
    /// As [`post`](Self::post).
    pub fn files(&mut self) -> Result<Arc<Tree<File>>, Error> {
        Ok(self.body()?.files)
    }

    /// The parts of a `multipart/form-data` body as they come, to be read from `stdin` one by one.
    /// [`post`](Self::post) and [`files`](Self::files) have nothing to read then.
    ///
    /// The server's [limits](crate::Server::form_limits) for parts hold. To use the other fields of
    /// the request meanwhile, make [`Parts`] of its `stdin` alone.
    ///
    /// # Errors
    ///
    /// [`Error::Taken`] after [`post`](Self::post), [`files`](Self::files) or this call, or when
    /// something else was read of `stdin`;
    /// [`Error::Form`] when the body is of another type or has no boundary.
    pub fn multipart(&mut self) -> Result<Parts<&mut InputReader>, Error> {
        if self.forms.body.is_some() || self.is_begun() {
            return Err(Error::Taken);
        }
        let content_type = self.params.get("CONTENT_TYPE").unwrap_or_default();
        let limits = self.link.rules().forms.multipart;
        let parts = Parts::new(content_type, &mut self.stdin, limits)?;
        self.forms.body = Some(Err(Error::Taken));
        Ok(parts)
    }

    fn body(&mut self) -> Result<Body, Error> {
        if self.forms.body.is_none() {
            let kind = self.unread_kind();
            let rules = &self.link.rules();
            let announced = self.stdin.announced();
            let (limits, directory) = (&rules.forms, rules.spool_directory.as_deref());
            let read =
                |kind: Kind| Body::read(&kind, &mut self.stdin, announced, limits, directory);
            self.forms.body = Some(kind.and_then(read));
        }
        // It was just put there.
        self.forms.body.clone().unwrap_or(Err(Error::Taken))
    }

    /// What the body is, if it is no form or nothing was read of it.
    fn unread_kind(&self) -> Result<Kind, Error> {
        let kind = self.kind()?;
        if kind != Kind::Other && self.is_begun() {
            return Err(Error::Taken);
        }
        Ok(kind)
    }

    /// Whether something was read of a body whose length was announced.
    fn is_begun(&self) -> bool {
        // A CGI request that does not say has no body.
        let length = self.params.content_length();
        self.role() != Role::Authorizer && length.is_some() && self.stdin.announced() != length
    }

    fn kind(&self) -> Result<Kind, FormError> {
        if self.role() == Role::Authorizer {
            return Ok(Kind::Other);
        }
        Kind::of(&self.params.view())
    }
}

/// Forms as types (feature `serde`); see [`from_tree`].
#[cfg(feature = "serde")]
impl Request {
    /// The form as a type of yours: the query of a GET or HEAD, the values of the body otherwise.
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query) and [`post`](Self::post); [`Error::NotAForm`] when another type of
    /// content came.
    pub fn form<T: serde_core::de::DeserializeOwned>(&mut self) -> Result<T, Error> {
        if fcgi_core::form::is_get(&self.params.view()) {
            return self.query();
        }
        if self.kind()? == Kind::Other {
            return Err(Error::NotAForm);
        }
        from_tree(&*self.post()?)
    }

    /// The query as a type of yours, whatever the method is.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get); [`Error::Mismatch`] when the values are not what the type wants.
    pub fn query<T: serde_core::de::DeserializeOwned>(&mut self) -> Result<T, Error> {
        from_tree(&*self.get()?)
    }
}
