//! One request of HTTP, from its head to the head of its response.

use std::borrow::Cow;
use std::convert::Infallible;
use std::mem;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fcgi_core::ProtocolStatus;
use fcgi_core::cgi::{HeadLimits, HeadParser, Kind};
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderMap};
use hyper::http::request::Parts;
use hyper::http::uri::{Authority, PathAndQuery};
use hyper::{Method, Request, Response, Uri};

use super::access::Access;
use super::body::{RequestBody, SpoolError};
use super::child::Health;
use super::console::Console;
use super::page::Problem;
use super::pipe::{Answer, Cause, End, Item};
use super::pool::{Outgoing, Pool, Sent, Wanted};
use super::request::{self, Facts};
use super::response::{self, ResponseBody};
use super::site::Site;

/// As many local redirects (RFC 3875 §6.2.2) are followed for one request.
const MOST_REDIRECTS: usize = 10;

/// What all requests share.
pub(super) struct Gateway {
    pub(super) site: Site,
    pub(super) spool_limit: u64,
    pub(super) timeout: Duration,
    pub(super) console: Console,
    pub(super) pool: Arc<Pool>,
    pub(super) health: Health,
}

/// The two ends of the client's connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peers {
    pub(super) remote: SocketAddr,
    pub(super) local: SocketAddr,
}

/// A complete head, the bytes of body that came with it, and the rest.
struct Begun {
    parser: HeadParser<Vec<u8>>,
    first: Bytes,
    answer: Answer,
}

/// What is sent to the application, again and again if need be.
struct Attempt {
    params: Vec<u8>,
    body: RequestBody,
    label: Arc<str>,
    /// Whether the request may be sent twice (RFC 9110 §9.2.2).
    is_idempotent: bool,
}

/// Answers a request.
pub(super) async fn answer(
    gateway: Arc<Gateway>,
    peers: Peers,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, Infallible> {
    let (parts, incoming) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("", PathAndQuery::as_str);
    let shown = if target.is_empty() { "-" } else { target };
    let access = Access::new(gateway.console.clone(), parts.method.as_str(), shown);
    let result = gateway.serve(&parts, incoming, peers, &access).await;
    Ok(match result {
        Ok(begun) => respond(begun, &parts.method, access),
        Err(problem) => response::from_problem(&problem, &parts.method, access),
    })
}

/// Path and query; of `http://host?query` the path is `/` (RFC 9110 §4.2.3).
fn target(uri: &Uri) -> Cow<'_, str> {
    let target = uri.path_and_query().map_or("", PathAndQuery::as_str);
    if target.starts_with('?') {
        return format!("/{target}").into();
    }
    target.into()
}

/// Whether the body is what it seems. A coding beneath `chunked` would have to be undone: CGI has
/// no words for it (RFC 3875 §4.2).
fn is_plain_or_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(only), None) => only.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

fn respond(begun: Begun, method: &Method, access: Access) -> Response<ResponseBody> {
    match begun.parser.head() {
        Some(head) => response::from_application(&head, begun.first, begun.answer, method, access),
        // Only complete heads get here.
        None => response::from_problem(&Problem::NoHead(None), method, access),
    }
}

impl Gateway {
    async fn serve(
        &self,
        parts: &Parts,
        incoming: Incoming,
        peers: Peers,
        access: &Access,
    ) -> Result<Begun, Problem> {
        if parts.method == Method::CONNECT {
            return Err(Problem::Method);
        }
        if !is_plain_or_chunked(&parts.headers) {
            return Err(Problem::Coding);
        }
        let target = target(&parts.uri);
        let mut facts = Facts {
            method: parts.method.as_str(),
            authority: parts.uri.authority().map(Authority::as_str),
            target: &target,
            version: parts.version,
            headers: &parts.headers,
            remote: peers.remote,
            local: peers.local,
            content_length: None,
        };
        // Before the body is taken: a request that is refused need not be uploaded.
        request::params(&self.site, &facts).map_err(Problem::Rejected)?;
        let (body, content_length) = self.body(&parts.headers, incoming).await?;
        facts.content_length = content_length;
        let attempt = Attempt {
            params: request::params(&self.site, &facts).map_err(Problem::Rejected)?,
            body,
            label: access.label(),
            is_idempotent: parts.method.is_idempotent(),
        };
        let begun = self.attempt(attempt).await?;
        self.follow(begun, &facts, access).await
    }

    /// The body and its length: known from the head, or found out by collecting the body.
    async fn body(
        &self,
        headers: &HeaderMap,
        incoming: Incoming,
    ) -> Result<(RequestBody, Option<u64>), Problem> {
        let length = incoming.size_hint().exact();
        let is_announced = headers.contains_key(header::CONTENT_LENGTH)
            || headers.contains_key(header::TRANSFER_ENCODING);
        match length {
            Some(0) if !is_announced => Ok((RequestBody::empty(), None)),
            Some(length) => Ok((RequestBody::streamed(incoming), Some(length))),
            None if self.spool_limit == 0 => Err(Problem::LengthRequired),
            None => match RequestBody::collected(incoming, self.spool_limit, self.timeout).await {
                Ok((body, length)) => Ok((body, Some(length))),
                Err(SpoolError::TooLong) => Err(Problem::TooLong(self.spool_limit)),
                Err(SpoolError::Client) => Err(Problem::Failed(Cause::ClientBody)),
                Err(SpoolError::Timeout) => Err(Problem::Failed(Cause::Timeout { client: true })),
                Err(SpoolError::File(error)) => Err(Problem::Spool(error)),
            },
        }
    }

    /// Follows local redirects: the application names another path of its own, and the client gets
    /// the answer to that (RFC 3875 §6.2.2).
    async fn follow(
        &self,
        mut begun: Begun,
        facts: &Facts<'_>,
        access: &Access,
    ) -> Result<Begun, Problem> {
        for _ in 0..MOST_REDIRECTS {
            let head = begun.parser.head().ok_or(Problem::NoHead(None))?;
            if head.kind() != Kind::LocalRedirect {
                return Ok(begun);
            }
            let location = head.get("Location").unwrap_or_default();
            let Ok(target) = PathAndQuery::try_from(location) else {
                // Not a path that can be asked for: the client gets a 302, and may know better.
                return Ok(begun);
            };
            begun.answer.finish(true);
            let mut headers = facts.headers.clone();
            headers.remove(header::CONTENT_TYPE);
            let method = if facts.method == "HEAD" {
                "HEAD"
            } else {
                "GET"
            };
            let again = Facts {
                method,
                target: target.as_str(),
                headers: &headers,
                content_length: None,
                ..facts.clone()
            };
            let attempt = Attempt {
                params: request::params(&self.site, &again).map_err(Problem::Rejected)?,
                body: RequestBody::empty(),
                label: access.label(),
                is_idempotent: true,
            };
            begun = self.attempt(attempt).await?;
        }
        Err(Problem::Redirects)
    }

    /// Sends a request until the head of an answer is there.
    async fn attempt(&self, attempt: Attempt) -> Result<Begun, Problem> {
        let Attempt {
            params,
            mut body,
            label,
            is_idempotent,
        } = attempt;
        let mut retries = Retries::default();
        loop {
            if let Some(why) = self.health.down() {
                return Err(Problem::Down(why));
            }
            let outgoing = Outgoing {
                params: params.clone(),
                body,
                label: Arc::clone(&label),
            };
            let sent = self.pool.send(outgoing, retries.wanted).await;
            let Sent { answer, is_reused } = sent
                .map_err(|(error, _)| Problem::Unreachable(self.pool.address().clone(), error))?;
            let (end, is_answered) = match self.head(answer).await? {
                Outcome::Begun(begun) => return Ok(*begun),
                Outcome::Ended { end, is_answered } => (end, is_answered),
            };
            let (problem, left) = retries.after(end, is_reused, is_idempotent);
            body = match left {
                Some(left) if !is_answered => left,
                _ => return Err(problem),
            };
            if !body.rewind().await {
                return Err(problem);
            }
        }
    }

    /// Waits for the head of an answer.
    async fn head(&self, mut answer: Answer) -> Result<Outcome, Problem> {
        let mut parser = HeadParser::new(Vec::new(), HeadLimits::default());
        let mut is_answered = false;
        loop {
            let item = tokio::select! {
                item = answer.next() => item,
                why = self.health.goes_down(), if !is_answered => return Err(Problem::Down(why)),
            };
            let bytes = match item {
                Item::Stdout(bytes) => bytes,
                Item::End(end) => return Ok(Outcome::Ended { end, is_answered }),
            };
            is_answered = true;
            let mut rest = &bytes[..];
            if parser.push(&mut rest).map_err(Problem::Head)? {
                let first = bytes.slice(bytes.len() - rest.len()..);
                return Ok(Outcome::Begun(Box::new(Begun {
                    parser,
                    first,
                    answer,
                })));
            }
        }
    }
}

/// What became of an attempt.
enum Outcome {
    Begun(Box<Begun>),
    Ended {
        end: End,
        /// Whether a byte of an answer came before.
        is_answered: bool,
    },
}

/// When a request is sent again: once for each reason.
struct Retries {
    wanted: Wanted,
    was_refused: bool,
    was_stale: bool,
}

impl Default for Retries {
    fn default() -> Retries {
        Retries {
            wanted: Wanted::Any,
            was_refused: false,
            was_stale: false,
        }
    }
}

impl Retries {
    /// What to say about an attempt that ended without an answer, and the body if the request may
    /// be sent again:
    ///
    /// - the application refused it for want of room (§5.5): it has done nothing about it;
    /// - a kept connection was closed before anything came, and the request was not sent or may be
    ///   sent twice.
    fn after(
        &mut self,
        end: End,
        is_reused: bool,
        is_idempotent: bool,
    ) -> (Problem, Option<RequestBody>) {
        match end {
            End::Complete(app_status) => (Problem::NoHead(app_status), None),
            End::Refused(status, body) => {
                let is_busy = status != ProtocolStatus::UNKNOWN_ROLE;
                let is_first = !mem::replace(&mut self.was_refused, true);
                // An application that cannot multiplex may have another connection that is free.
                if status == ProtocolStatus::OVERLOADED {
                    self.wanted = Wanted::Fresh;
                }
                let body = body.filter(|_| is_busy && is_first);
                (Problem::Refused(status), body)
            }
            End::Failed(failure) => {
                let is_stale = matches!(failure.cause, Cause::Closed | Cause::Lost(_));
                let is_safe = is_idempotent || !failure.was_sent;
                let is_first = !mem::replace(&mut self.was_stale, true);
                self.wanted = Wanted::Fresh;
                let again = is_stale && is_reused && is_safe && is_first;
                (
                    Problem::Failed(failure.cause),
                    failure.body.filter(|_| again),
                )
            }
        }
    }
}
