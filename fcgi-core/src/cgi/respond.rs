//! Heads that follow a pattern: redirects, cookies, files that the web server sends.

use super::field::Target;
use super::format::check_value;
use super::uri::{bad_uri, climbs, escape_path};
use super::{HeadError, ResponseHead, Status};
use crate::form::cookie::{CookieError, SetCookie};
use crate::storage::{Storage, StorageFull};

/// Heads that follow a pattern. What a call refuses leaves the head as it was.
impl<S: Storage> ResponseHead<S> {
    /// Sends the client to `location`, with one of the statuses of RFC 9110 §15.4 (RFC 3875
    /// §6.2.3, §6.2.4); it takes the place of a status and a `Location` that were set before.
    ///
    /// | status | the client repeats the request | and remembers the new place |
    /// |---|---|---|
    /// | 301 | as GET if it was POST | yes |
    /// | 302 | as GET if it was POST | no |
    /// | 303 | as GET | no |
    /// | 307 | as it was | no |
    /// | 308 | as it was | yes |
    ///
    /// `location` is a URI, or a reference relative to the request's own (RFC 9110 §10.2.2), with
    /// everything escaped that a URI does not have: see [`escape_path`](super::escape_path). A
    /// document may follow.
    ///
    /// ```
    /// use fcgi_core::cgi::{HeadError, ResponseHead, Status};
    ///
    /// let mut head = ResponseHead::new(heapless::Vec::<u8, 128>::new());
    /// head.redirect(Status::SEE_OTHER, "/done?id=7")?;
    /// assert_eq!(head.get("Location"), Some(&b"/done?id=7"[..]));
    /// assert_eq!(head.redirect(Status::OK, "/"), Err(HeadError::NotRedirect));
    /// assert_eq!(head.redirect(Status::FOUND, "/a b"), Err(HeadError::Uri { at: 2 }));
    /// # Ok::<(), HeadError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`HeadError::NotRedirect`], [`HeadError::EmptyValue`], [`HeadError::Uri`],
    /// [`HeadError::StorageFull`].
    pub fn redirect(
        &mut self,
        status: Status,
        location: impl AsRef<[u8]>,
    ) -> Result<(), HeadError> {
        let location = location.as_ref();
        if !matches!(status.code(), 301..=303 | 307 | 308) {
            return Err(HeadError::NotRedirect);
        }
        check_uri(location)?;
        self.set("Location", location)?;
        self.set_status(status);
        Ok(())
    }

    /// Lets the web server serve another of its paths in place of this response, as if the client
    /// had asked for it (RFC 3875 §6.2.2). `path` begins with one `/`, may have a query, and is
    /// escaped as in a URI.
    ///
    /// Not every web server does so: nginx sends the client a 302 instead. Nothing else can be in
    /// the head, and whatever is added afterwards makes a client redirect of it.
    ///
    /// # Errors
    ///
    /// [`HeadError::NotAlone`] when something is in the head, [`HeadError::RelativePath`],
    /// [`HeadError::Uri`] (a `#` is the client's affair and refused, too),
    /// [`HeadError::StorageFull`].
    pub fn local_redirect(&mut self, path: impl AsRef<[u8]>) -> Result<(), HeadError> {
        let path = path.as_ref();
        if !self.is_alone() {
            return Err(HeadError::NotAlone);
        }
        check_absolute(path)?;
        check_uri(path)?;
        if let Some(at) = path.iter().position(|&byte| byte == b'#') {
            return Err(HeadError::Uri { at });
        }
        self.set("Location", path)
    }

    /// Adds a cookie for the client, on a line of its own beside those that are there.
    ///
    /// # Errors
    ///
    /// [`HeadError::Cookie`] for one that a client would not take, [`HeadError::StorageFull`].
    pub fn set_cookie(&mut self, cookie: &SetCookie<'_>) -> Result<(), HeadError> {
        self.store_made("Set-Cookie", |store| {
            cookie.write(store).map_err(|error| match error {
                CookieError::StorageFull => HeadError::StorageFull,
                refused => HeadError::Cookie(refused),
            })
        })?;
        self.facts.others = self.facts.others.saturating_add(1);
        Ok(())
    }

    /// Lets nginx send what it has at `path`, which may be `internal` to it, in place of a body:
    /// `X-Accel-Redirect`.
    ///
    /// `path` is that of a location of nginx, absolute, and not escaped: that is done here. The
    /// response has no body of its own then, and no type unless one is set: nginx takes that of the
    /// file. Cookies and other fields stay.
    ///
    /// # Errors
    ///
    /// [`HeadError::RelativePath`], [`HeadError::ParentPath`], [`HeadError::Value`] for a NUL,
    /// [`HeadError::StorageFull`].
    pub fn x_accel_redirect(&mut self, path: impl AsRef<[u8]>) -> Result<(), HeadError> {
        self.send_elsewhere("X-Accel-Redirect", path.as_ref())
    }

    /// Lets lighttpd, or Apache with mod_xsendfile, send a file in place of a body: `X-Sendfile`.
    ///
    /// `path` is the file's absolute name, not escaped: that is done here, as lighttpd unescapes it,
    /// and so does mod_xsendfile since 1.0. Before (Debian has 0.12) it took the name as it came; for
    /// one with a space, a `%` or anything else that is escaped, set the field `X-Sendfile` itself.
    /// The web server has to allow the file's directory, and Apache does not know its type: set one.
    /// Otherwise as [`x_accel_redirect`](Self::x_accel_redirect).
    ///
    /// # Errors
    ///
    /// As [`x_accel_redirect`](Self::x_accel_redirect).
    pub fn x_sendfile(&mut self, path: impl AsRef<[u8]>) -> Result<(), HeadError> {
        self.send_elsewhere("X-Sendfile", path.as_ref())
    }

    fn send_elsewhere(&mut self, name: &str, path: &[u8]) -> Result<(), HeadError> {
        check_absolute(path)?;
        if climbs(path) {
            return Err(HeadError::ParentPath);
        }
        if let Some(at) = path.iter().position(|&byte| byte == 0) {
            return Err(HeadError::Value { at });
        }
        let before = self.lines().len();
        self.store_made(name, |store| {
            escape_path(path, store).map_err(|StorageFull| HeadError::StorageFull)
        })?;
        self.facts.elsewhere = self.facts.elsewhere.saturating_add(1);
        let replaced = self.take_out(before, name.as_bytes());
        self.facts.elsewhere = self.facts.elsewhere.saturating_sub(replaced);
        Ok(())
    }

    /// Appends a line whose value is made in the store, or nothing.
    fn store_made(
        &mut self,
        name: &str,
        make: impl FnOnce(&mut S) -> Result<(), HeadError>,
    ) -> Result<(), HeadError> {
        let before = self.lines().len();
        let stored = self
            .store_line(&[name.as_bytes(), b": "])
            .and_then(|()| make(&mut self.store))
            .and_then(|()| self.store_line(&[b"\r\n"]));
        if stored.is_err() {
            self.store.truncate(before);
        }
        stored
    }
}

fn check_uri(location: &[u8]) -> Result<(), HeadError> {
    check_value("location", location)?;
    match bad_uri(location) {
        Some(at) => Err(HeadError::Uri { at }),
        None => Ok(()),
    }
}

fn check_absolute(path: &[u8]) -> Result<(), HeadError> {
    match Target::of(path) {
        Target::LocalPath => Ok(()),
        Target::NetworkPath | Target::Uri => Err(HeadError::RelativePath),
    }
}
