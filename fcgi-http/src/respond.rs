//! The methods by which a handler makes the head of a response.

/// Gives a type the methods by which a handler changes and reads the head of its response.
///
/// The type has two methods of its own, which need not be public:
///
/// ```text
/// fn head(&mut self) -> io::Result<&mut ResponseHead<Vec<u8>>>   // an error once it is out
/// fn head_so_far(&self) -> &ResponseHead<Vec<u8>>
/// ```
#[macro_export]
macro_rules! respond_methods {
    ($type:ty) => {
        /// The head of the response.
        ///
        /// Each of these that changes the head fails with `InvalidInput` when it is out already,
        /// and when HTTP or CGI do not allow what is asked for: the source is a
        /// [`HeadError`]($crate::expansion::HeadError) then, and the head is as it was.
        impl $type {
            /// Puts one field in the place of all fields with this name, in any case of letters.
            ///
            /// # Errors
            ///
            /// `InvalidInput`: see above.
            pub fn set_header(
                &mut self,
                name: impl ::core::convert::AsRef<[u8]>,
                value: impl ::core::convert::AsRef<[u8]>,
            ) -> ::std::io::Result<()> {
                self.head()?.set(name, value).map_err($crate::invalid)
            }

            /// Removes all fields with this name; whether there were any. `Status` is the status.
            ///
            /// # Errors
            ///
            /// `InvalidInput` when the head is out.
            pub fn remove_header(
                &mut self,
                name: impl ::core::convert::AsRef<[u8]>,
            ) -> ::std::io::Result<bool> {
                Ok(self.head()?.remove(name))
            }

            /// The value of the first field with this name, of those that were set. Still known
            /// when the head is out.
            #[must_use]
            pub fn field(&self, name: impl ::core::convert::AsRef<[u8]>) -> Option<&[u8]> {
                self.head_so_far().get(name)
            }

            /// The names and values of all fields that were set, in order; `Status` is not among
            /// them.
            pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
                self.head_so_far().fields()
            }

            /// Sets the type of the body: `text/html; charset=utf-8`.
            ///
            /// # Errors
            ///
            /// `InvalidInput`: see above.
            pub fn content_type(
                &mut self,
                content_type: impl ::core::convert::AsRef<[u8]>,
            ) -> ::std::io::Result<()> {
                self.set_header("Content-Type", content_type)
            }

            /// Announces the number of bytes of the body, which is held to it then.
            ///
            /// # Errors
            ///
            /// `InvalidInput` when the head is out.
            pub fn content_length(&mut self, bytes: u64) -> ::std::io::Result<()> {
                self.head()?.set_content_length(bytes);
                Ok(())
            }

            /// Sends the client to another place, by 301, 302, 303, 307 or 308.
            ///
            /// `location` is a URI or a reference relative to that of the request, escaped as URIs
            /// are ([`escape_path`](fcgi_core::cgi::escape_path) does it for paths). After 303 the
            /// client asks with GET, as one wants it after a form; after 307 and 308 it repeats
            /// its request as it was; 301 and 308 it remembers.
            ///
            /// # Errors
            ///
            /// `InvalidInput`: see above; for any other status, and for a byte that no URI has.
            pub fn redirect(
                &mut self,
                status: u16,
                location: impl ::core::convert::AsRef<[u8]>,
            ) -> ::std::io::Result<()> {
                let head = self.head()?;
                $crate::expansion::Status::new(status)
                    .ok_or($crate::expansion::HeadError::NotRedirect)
                    .and_then(|status| head.redirect(status, location))
                    .map_err($crate::invalid)
            }

            /// Lets the web server serve another of its paths instead, as if the client had asked
            /// for it (RFC 3875 §6.2.2). `path` begins with one `/`, may have a query, and is
            /// escaped as in a URI.
            ///
            /// Not every web server does so: nginx sends the client a 302.
            ///
            /// # Errors
            ///
            /// `InvalidInput`: see above; also when something was set before.
            pub fn local_redirect(
                &mut self,
                path: impl ::core::convert::AsRef<[u8]>,
            ) -> ::std::io::Result<()> {
                self.head()?.local_redirect(path).map_err($crate::invalid)
            }

            /// Adds a cookie for the client to keep, beside those that were set before.
            ///
            /// # Errors
            ///
            /// `InvalidInput`: see above; for a cookie that a client would drop or misread.
            pub fn set_cookie(
                &mut self,
                cookie: &$crate::expansion::SetCookie<'_>,
            ) -> ::std::io::Result<()> {
                self.head()?.set_cookie(cookie).map_err($crate::invalid)
            }

            /// Sets a field to a date, as `Sun, 06 Nov 1994 08:49:37 GMT`.
            ///
            /// # Errors
            ///
            /// `InvalidInput`: see above; for a time before 1970 or after 9999.
            pub fn date_header(
                &mut self,
                name: impl ::core::convert::AsRef<[u8]>,
                time: ::std::time::SystemTime,
            ) -> ::std::io::Result<()> {
                self.set_header(name, $crate::date(time)?)
            }

            /// Says when what is sent was last changed: `Last-Modified`. A time that is yet to come
            /// is said to be now (RFC 9110 §8.8.2.1).
            ///
            /// # Errors
            ///
            /// As [`date_header`](Self::date_header).
            pub fn last_modified(
                &mut self,
                time: ::std::time::SystemTime,
            ) -> ::std::io::Result<()> {
                self.set_header("Last-Modified", $crate::last_modified(time)?)
            }

            /// Says from when on the response is stale: `Expires` (RFC 9111 §5.3).
            ///
            /// # Errors
            ///
            /// As [`date_header`](Self::date_header).
            pub fn expires(&mut self, time: ::std::time::SystemTime) -> ::std::io::Result<()> {
                self.date_header("Expires", time)
            }

            /// Lets nginx send what it has at `path`, `internal` locations included, instead of a
            /// body: `X-Accel-Redirect`. The path is absolute and not escaped: that is done here.
            ///
            /// nginx finds the type out, unless one is set here; cookies and other fields stay.
            ///
            /// # Errors
            ///
            /// `InvalidInput`: see above; for a relative path and one with a segment `..`.
            pub fn x_accel_redirect(
                &mut self,
                path: impl ::core::convert::AsRef<[u8]>,
            ) -> ::std::io::Result<()> {
                self.head()?.x_accel_redirect(path).map_err($crate::invalid)
            }

            /// Lets lighttpd, or Apache with mod_xsendfile, send a file instead of a body:
            /// `X-Sendfile`. The name is absolute and not escaped: that is done here.
            ///
            /// lighttpd takes the escapes out, mod_xsendfile since 1.0 only; and Apache does not
            /// know the file's type: see
            /// [`ResponseHead::x_sendfile`](fcgi_core::cgi::ResponseHead::x_sendfile).
            ///
            /// # Errors
            ///
            /// As [`x_accel_redirect`](Self::x_accel_redirect).
            pub fn x_sendfile(
                &mut self,
                path: impl ::core::convert::AsRef<[u8]>,
            ) -> ::std::io::Result<()> {
                self.head()?.x_sendfile(path).map_err($crate::invalid)
            }

            /// Answers that the client's copy is still good: 304. There can be no body.
            ///
            /// # Errors
            ///
            /// `InvalidInput` when the head is out.
            pub fn not_modified(&mut self) -> ::std::io::Result<()> {
                self.head()?
                    .set_status($crate::expansion::Status::NOT_MODIFIED);
                Ok(())
            }

            /// Answers that all is well and there is nothing to show: 204. There can be no body.
            ///
            /// # Errors
            ///
            /// `InvalidInput` when the head is out.
            pub fn no_content(&mut self) -> ::std::io::Result<()> {
                self.head()?
                    .set_status($crate::expansion::Status::NO_CONTENT);
                Ok(())
            }
        }
    };
}
