//! A response of CGI (RFC 3875 §6) as a response of HTTP.

use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use fcgi_core::cgi::Head;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};

use super::access::Access;
use super::page::Problem;
use super::pipe::{Answer, Cause, End, Failure, Item};

/// The complaint about a body that is longer than its response allows.
pub(super) const SURPLUS: &str =
    "the application sends more than belongs to the response; it is cut off";

/// The body of a response, as hyper takes it. Its end is the end of the request's line of access.
pub(super) struct ResponseBody {
    source: Source,
    access: Access,
}

enum Source {
    /// All of it, or nothing.
    Ready(Bytes),
    /// What followed the head, and what still comes.
    Streamed {
        first: Bytes,
        answer: Answer,
        /// How many bytes of the announced length are missing.
        left: Option<u64>,
    },
    /// The response is cut short. The client gets to know when it has what came before.
    Cut(io::Error),
    /// Nothing more.
    Done,
}

/// The response that the application has begun: its head, the bytes of body that came with it, and
/// the rest.
pub(super) fn from_application(
    head: &Head<'_>,
    first: Bytes,
    answer: Answer,
    method: &Method,
    mut access: Access,
) -> Response<ResponseBody> {
    // A parsed status has three digits.
    let status = StatusCode::from_u16(head.status().code()).unwrap_or(StatusCode::BAD_GATEWAY);
    access.set_status(status);
    let is_head = method == Method::HEAD;
    let source = if head.body_allowed(is_head) && head.content_length() != Some(0) {
        Source::Streamed {
            first,
            answer,
            left: head.content_length(),
        }
    } else {
        // What the application sends all the same is dropped, and the request may end by itself.
        // Many send to HEAD what they send to GET.
        if !(is_head || first.is_empty()) {
            access.note(SURPLUS);
        }
        answer.finish(!is_head);
        Source::Ready(Bytes::new())
    };
    let mut response = Response::new(ResponseBody::new(source, access));
    *response.status_mut() = status;
    fields(head, status, response.headers_mut());
    response
}

/// The fields of the head; those about the connection are not among them (RFC 3875 §6.3.4).
fn fields(head: &Head<'_>, status: StatusCode, headers: &mut HeaderMap) {
    for (name, value) in head.fields() {
        // The parser takes what HTTP takes.
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        else {
            continue;
        };
        if name == header::CONTENT_LENGTH {
            if status != StatusCode::NO_CONTENT {
                headers.insert(name, value);
            }
        } else {
            headers.append(name, value);
        }
    }
}

/// A page that the gateway makes itself.
pub(super) fn from_problem(
    problem: &Problem,
    method: &Method,
    mut access: Access,
) -> Response<ResponseBody> {
    let page = problem.page();
    access.set_status(page.status);
    access.note(&page.line);
    let length = page.html.len();
    let html = if method == Method::HEAD {
        Bytes::new()
    } else {
        page.html
    };
    let mut response = Response::new(ResponseBody::new(Source::Ready(html), access));
    *response.status_mut() = page.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, length.into());
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if page.status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

impl ResponseBody {
    fn new(source: Source, mut access: Access) -> ResponseBody {
        if matches!(&source, Source::Ready(bytes) if bytes.is_empty()) {
            access.complete();
        }
        ResponseBody { source, access }
    }

    /// Counts a piece, and cuts off what exceeds the announced length: it would be taken for the
    /// next response.
    fn take(&mut self, mut bytes: Bytes) -> Bytes {
        let mut is_whole = false;
        if let Source::Streamed {
            left: Some(left), ..
        } = &mut self.source
        {
            let room = usize::try_from(*left).unwrap_or(usize::MAX);
            if bytes.len() > room {
                self.access.note(SURPLUS);
                bytes.truncate(room);
            }
            *left -= bytes.len() as u64;
            is_whole = *left == 0;
        }
        self.access.add(bytes.len());
        if is_whole {
            self.finish();
        }
        bytes
    }

    /// All of it was handed out.
    fn finish(&mut self) {
        self.access.complete();
        if let Source::Streamed { answer, .. } = mem::replace(&mut self.source, Source::Done) {
            answer.finish(true);
        }
    }

    /// The application is done with this.
    fn end(&mut self, end: &End) {
        let Source::Streamed { left, .. } = mem::replace(&mut self.source, Source::Done) else {
            return;
        };
        let why = match (end, left) {
            (End::Complete(_), None | Some(0)) => return self.access.complete(),
            (End::Complete(_), Some(left)) => {
                format!("the response is {left} bytes shorter than its Content-Length")
            }
            (End::Refused(status, _), _) => {
                format!("the application ended the request with {status} in its middle")
            }
            (End::Failed(failure), _) => failure.cause.text(),
        };
        // A client that has gone needs no complaint.
        if !matches!(
            end,
            End::Failed(Failure {
                cause: Cause::ClientBody,
                ..
            })
        ) {
            self.access.cut(&why);
        }
        self.source = Source::Cut(io::Error::new(io::ErrorKind::UnexpectedEof, why));
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let body = self.get_mut();
        let bytes = match &mut body.source {
            Source::Done => return Poll::Ready(None),
            Source::Cut(_) => {
                let source = mem::replace(&mut body.source, Source::Done);
                return Poll::Ready(match source {
                    Source::Cut(error) => Some(Err(error)),
                    _ => None,
                });
            }
            Source::Ready(bytes) => {
                let bytes = mem::take(bytes);
                body.source = Source::Done;
                body.access.complete();
                bytes
            }
            Source::Streamed { first, answer, .. } if first.is_empty() => {
                match ready!(answer.poll_next(context)) {
                    Item::Stdout(bytes) => bytes,
                    Item::End(end) => {
                        body.end(&end);
                        if matches!(body.source, Source::Done) {
                            return Poll::Ready(None);
                        }
                        // hyper drops what it has not written when it sees an error, and writes
                        // while it waits: let it wait for one turn.
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
            }
            Source::Streamed { first, .. } => mem::take(first),
        };
        let bytes = body.take(bytes);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Done => true,
            Source::Ready(bytes) => bytes.is_empty(),
            Source::Streamed { .. } | Source::Cut(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            Source::Done => SizeHint::with_exact(0),
            Source::Ready(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Cut(_) => SizeHint::default(),
            Source::Streamed { left, .. } => {
                left.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}
