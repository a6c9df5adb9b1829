//! Bodies with files as they come.

use std::io;

use fcgi_core::form::FormError;
use fcgi_core::form::multipart::{Boundary, Event, Limits, Parser, PartHead};

use super::error;
use crate::Request;

/// What becomes of the parts of a `multipart/form-data` body.
///
/// Parts come one after the other: each begins, has any number of pieces of data, and ends. An
/// error of any of the three ends the request.
pub trait Parts {
    /// A part begins.
    ///
    /// # Errors
    ///
    /// As the application likes.
    fn begin(&mut self, head: PartHead<'_>) -> io::Result<()>;

    /// A piece of its body, never empty.
    ///
    /// # Errors
    ///
    /// As the application likes.
    fn data(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The part is whole. A part that was cut off has no end.
    ///
    /// # Errors
    ///
    /// As the application likes.
    fn end(&mut self) -> io::Result<()>;
}

/// Takes a `multipart/form-data` body to pieces as it comes (RFC 7578), for a
/// [`Task`](crate::Task).
///
/// Of files nothing is kept, of heads the one in hand. Work is linear in the bytes, however they
/// are cut.
///
/// ```
/// use std::io;
///
/// use fcgi_mio::form::{Parts, Upload, multipart};
/// use fcgi_mio::{Plan, Request, Response, Service, Task};
///
/// struct Counting {
///     upload: Upload,
///     files: Files,
/// }
///
/// #[derive(Default)]
/// struct Files {
///     count: usize,
///     bytes: u64,
/// }
///
/// impl Parts for Files {
///     fn begin(&mut self, head: multipart::PartHead<'_>) -> io::Result<()> {
///         self.count += usize::from(head.is_file());
///         Ok(())
///     }
///
///     fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
///         self.bytes += bytes.len() as u64;
///         Ok(())
///     }
///
///     fn end(&mut self) -> io::Result<()> {
///         Ok(())
///     }
/// }
///
/// impl Task for Counting {
///     fn input(&mut self, bytes: &[u8], _: &mut Response<'_>) -> io::Result<()> {
///         self.upload.input(bytes, &mut self.files)
///     }
///
///     fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
///         self.upload.end()?;
///         let Files { count, bytes } = self.files;
///         response.write(format!("{count} files, {bytes} bytes"))?;
///         response.end();
///         Ok(())
///     }
/// }
///
/// struct App;
///
/// impl Service for App {
///     type Task = Counting;
///
///     fn begin(&mut self, request: &Request<'_>) -> Plan<Counting> {
///         Plan::Stream(Counting {
///             upload: Upload::of(request, multipart::Limits::DEFAULT),
///             files: Files::default(),
///         })
///     }
///
///     fn whole(&mut self, _: &Request<'_>, _: &mut Response<'_>) -> io::Result<()> {
///         Err(io::Error::other("every request streams"))
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Upload {
    /// Or why nothing is read.
    parser: Result<Parser<Vec<u8>>, FormError>,
}

impl Upload {
    /// An upload whose boundary is in the CONTENT_TYPE of the request.
    ///
    /// What is wrong with it, or with a CONTENT_LENGTH over the limit, is said by the first call of
    /// [`input`](Self::input) or [`end`](Self::end), so that a task which returns that error
    /// answers it, before the body has come.
    #[must_use]
    pub fn of(request: &Request<'_>, limits: Limits) -> Upload {
        let content_type = request.param("CONTENT_TYPE").unwrap_or_default();
        let announced = request.params().content_length().unwrap_or(0);
        let parser = Boundary::from_content_type(content_type).and_then(|boundary| {
            if announced > limits.total {
                let limit = limits.total;
                return Err(FormError::FormTooLong { limit });
            }
            Ok(Parser::new(&boundary, Vec::new(), limits))
        });
        Upload { parser }
    }

    /// Takes the next piece of the body and says what is in it.
    ///
    /// # Errors
    ///
    /// `InvalidData` with a [`FormError`], and the same again in every later call; what a method of
    /// `parts` returns.
    pub fn input(&mut self, mut bytes: &[u8], parts: &mut (impl Parts + ?Sized)) -> io::Result<()> {
        let parser = self.parser.as_mut().map_err(|refused| error(*refused))?;
        while let Some(event) = parser.receive(&mut bytes).map_err(error)? {
            match event {
                Event::Part(head) => parts.begin(head)?,
                Event::Body(bytes) => parts.data(bytes)?,
                Event::PartEnd => parts.end()?,
                Event::End => {}
            }
        }
        Ok(())
    }

    /// The body has ended: says whether it was whole.
    ///
    /// # Errors
    ///
    /// `InvalidData` with [`FormError::UnexpectedEnd`] when the last delimiter has not come, and
    /// what has come of the last part must not be taken for all of it; the error of
    /// [`input`](Self::input) if there was one.
    pub fn end(&self) -> io::Result<()> {
        let parser = self.parser.as_ref().map_err(|refused| error(*refused))?;
        parser.finish().map_err(error)
    }
}
