//! What can go wrong with a form.

use std::sync::Arc;
use std::{error, fmt, io};

use fcgi_core::cgi::Status;
use fcgi_core::form::FormError;

/// Why a form cannot be had.
///
/// A handler that returns it, as `?` does, gives the client the [status](Error::status) of it when
/// nothing was sent yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The form is malformed, or more than the server takes.
    Form(FormError),
    /// The body did not come to its end: it is shorter than announced (`UnexpectedEof`), longer
    /// than the server takes (`FileTooLarge`), or did not come in time (`TimedOut`), or reading it
    /// failed otherwise, as [`InputReader`](crate::InputReader) says.
    Body(Arc<io::Error>),
    /// A file could not be written to the spool directory.
    Spool(Arc<io::Error>),
    /// There is no form in the body where one was asked for: Content-Type is another one.
    NotAForm,
    /// The body was given out before: by [`multipart`](crate::Request::multipart), or as `stdin`.
    Taken,
    /// The form is not what the type that was asked for wants; what is wrong, and where.
    Mismatch(Box<str>),
}

impl Error {
    pub(super) fn body(error: io::Error) -> Error {
        Error::Body(Arc::new(error))
    }

    pub(super) fn spool(error: io::Error) -> Error {
        Error::Spool(Arc::new(error))
    }

    /// The status of the answer: 400, 408, 413 or 415 when the client is to blame, else 500.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Error::Form(error) => error.status(),
            Error::Body(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof => Status::BAD_REQUEST,
                io::ErrorKind::TimedOut => Status::REQUEST_TIMEOUT,
                io::ErrorKind::FileTooLarge => Status::CONTENT_TOO_LARGE,
                _ => Status::INTERNAL_SERVER_ERROR,
            },
            Error::NotAForm => Status::UNSUPPORTED_MEDIA_TYPE,
            Error::Mismatch(_) => Status::BAD_REQUEST,
            Error::Spool(_) | Error::Taken => Status::INTERNAL_SERVER_ERROR,
        }
    }

    /// The status of an error that a handler returned, if it is about a form.
    pub(crate) fn status_of(error: &io::Error) -> Option<Status> {
        let inner = error.get_ref()?;
        let ours = inner.downcast_ref::<Error>().map(Error::status);
        ours.or_else(|| {
            inner
                .downcast_ref::<FormError>()
                .map(|error| error.status())
        })
    }
}

impl From<FormError> for Error {
    fn from(error: FormError) -> Self {
        Error::Form(error)
    }
}

impl From<Error> for io::Error {
    /// The error is inside; its kind is that of reading or writing, or `InvalidData`.
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Body(error) | Error::Spool(error) => error.kind(),
            Error::Taken => io::ErrorKind::InvalidInput,
            Error::Form(_) | Error::NotAForm | Error::Mismatch(_) => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Form(error) => error.fmt(f),
            Error::Body(error) => write!(f, "the body with the form did not come: {error}"),
            Error::Spool(error) => write!(f, "a file of the form cannot be kept: {error}"),
            Error::NotAForm => f.write_str("content-type is that of no form"),
            Error::Taken => f.write_str("the body was given out before"),
            Error::Mismatch(what) => write!(f, "the form does not fit: {what}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Form(error) => Some(error),
            Error::Body(error) | Error::Spool(error) => Some(&**error),
            Error::NotAForm | Error::Taken | Error::Mismatch(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_status_also_inside_an_io_error() {
        let io = |kind| Arc::new(io::Error::from(kind));
        for (error, code) in [
            (Error::Form(FormError::Clash), 400),
            (Error::Form(FormError::TooManyValues { limit: 1 }), 413),
            (Error::Form(FormError::NotMultipart), 415),
            (Error::Body(io(io::ErrorKind::UnexpectedEof)), 400),
            (Error::Body(io(io::ErrorKind::FileTooLarge)), 413),
            (Error::Body(io(io::ErrorKind::TimedOut)), 408),
            (Error::Spool(io(io::ErrorKind::StorageFull)), 500),
            (Error::NotAForm, 415),
            (Error::Taken, 500),
            (Error::Mismatch("age".into()), 400),
        ] {
            assert_eq!(error.status().code(), code, "{error}");
            let returned = io::Error::from(error);
            let status = Error::status_of(&returned).unwrap();
            assert_eq!(status.code(), code);
        }
        let plain = io::Error::new(io::ErrorKind::InvalidData, FormError::Clash);
        assert_eq!(Error::status_of(&plain), Some(Status::BAD_REQUEST));
        let other = io::Error::from(io::ErrorKind::UnexpectedEof);
        assert_eq!(Error::status_of(&other), None);
    }
}
