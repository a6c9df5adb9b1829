//! Pages that the gateway makes itself, when there is no answer to show.

use bytes::Bytes;
use fcgi_core::ProtocolStatus;
use fcgi_core::cgi::ParseError;
use fcgi_listen::Address;
use hyper::StatusCode;

use super::pipe::Cause;
use super::request::Rejection;

/// Why a request got no answer from the application.
#[derive(Debug)]
pub(super) enum Problem {
    /// The request is not passed on.
    Rejected(Rejection),
    /// CONNECT, which is for proxies.
    Method,
    /// A body with another transfer coding than `chunked`.
    Coding,
    /// A body of unknown length, and none is collected.
    LengthRequired,
    /// A body of unknown length, and longer than is collected, in bytes.
    TooLong(u64),
    /// A body could not be collected.
    Spool(std::io::Error),
    /// Nobody listens.
    Unreachable(Address, std::io::Error),
    /// The command that is the application does not stay alive.
    Down(String),
    /// The application took no request.
    Refused(ProtocolStatus),
    /// The application failed while it served the request.
    Failed(Cause),
    /// The application ended the request without a whole head.
    NoHead(Option<u32>),
    /// What the application sent is no head of a response.
    Head(ParseError),
    /// Redirects within the application without an end.
    Redirects,
}

/// A page to be sent.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) html: Bytes,
    /// The same for the console: what happened, in one line.
    pub(super) line: String,
}

impl Problem {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Problem::Rejected(rejection) => rejection.status(),
            Problem::Method | Problem::Coding => StatusCode::NOT_IMPLEMENTED,
            Problem::LengthRequired => StatusCode::LENGTH_REQUIRED,
            Problem::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Problem::Spool(_) => StatusCode::INSUFFICIENT_STORAGE,
            Problem::Failed(Cause::ClientBody) => StatusCode::BAD_REQUEST,
            Problem::Failed(Cause::Timeout { client: true }) => StatusCode::REQUEST_TIMEOUT,
            Problem::Failed(Cause::Timeout { client: false }) => StatusCode::GATEWAY_TIMEOUT,
            Problem::Unreachable(..) | Problem::Down(_) | Problem::Failed(Cause::Stopped) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Problem::Refused(ProtocolStatus::OVERLOADED | ProtocolStatus::CANT_MPX_CONN) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Problem::Refused(_)
            | Problem::Failed(_)
            | Problem::NoHead(_)
            | Problem::Head(_)
            | Problem::Redirects => StatusCode::BAD_GATEWAY,
        }
    }

    /// What happened, in one line.
    fn text(&self) -> String {
        match self {
            Problem::Rejected(rejection) => rejection.text().to_owned(),
            Problem::Method => "CONNECT is for proxies".to_owned(),
            Problem::Coding => "of transfer codings only chunked is understood".to_owned(),
            Problem::LengthRequired => "the body has no length, and none is collected".to_owned(),
            Problem::TooLong(limit) => {
                format!("the body has no length, and is longer than the {limit} bytes collected")
            }
            Problem::Spool(error) => format!("the body cannot be collected: {error}"),
            Problem::Unreachable(address, error) => format!("connecting to {address}: {error}"),
            Problem::Down(why) => why.clone(),
            Problem::Refused(status) => format!("the application refused the request: {status}"),
            Problem::Failed(cause) => failure(cause),
            Problem::NoHead(Some(status)) if *status != 0 => format!(
                "the application ended the request without an answer, with appStatus {}",
                status.cast_signed()
            ),
            Problem::NoHead(_) => {
                "the application ended the request without a complete head".to_owned()
            }
            Problem::Head(error) => {
                format!("what the application answered is no CGI response: {error}")
            }
            Problem::Redirects => "the application redirects to itself again and again".to_owned(),
        }
    }

    /// What can be done about it.
    fn advice(&self) -> &'static str {
        match self {
            Problem::Unreachable(..) => {
                "Start the application so that it listens there, or let the gateway start it: \
                 <code>fcgi serve -- COMMAND</code>. Then load this page again."
            }
            Problem::Down(_) => {
                "The gateway starts it again, after longer and longer pauses. What it printed \
                 before it ended is in the terminal of <code>fcgi serve</code>."
            }
            Problem::Refused(_) => "Load this page again in a moment.",
            Problem::LengthRequired | Problem::TooLong(_) => {
                "Send a Content-Length, or start the gateway with a larger \
                 <code>--spool-limit</code>."
            }
            Problem::Failed(Cause::Timeout { .. }) => {
                "How long to wait is set by <code>--timeout</code>."
            }
            Problem::Failed(_) | Problem::NoHead(_) => {
                "What the application said about it, if anything, is in the terminal of \
                 <code>fcgi serve</code>."
            }
            Problem::Head(_) => {
                "A response begins with lines such as <code>Content-Type: text/html</code>, and an \
                 empty line ends them."
            }
            Problem::Rejected(_)
            | Problem::Method
            | Problem::Coding
            | Problem::Spool(_)
            | Problem::Redirects => "",
        }
    }

    pub(super) fn page(&self) -> Page {
        let (status, text, advice) = (self.status(), self.text(), self.advice());
        let title = match status.canonical_reason() {
            Some(reason) => format!("{} {reason}", status.as_str()),
            None => status.to_string(),
        };
        let mut html = format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\n\
             <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n<p>{}</p>\n",
            sentence(&text)
        );
        if !advice.is_empty() {
            html.push_str(&format!("<p>{advice}</p>\n"));
        }
        html.push_str("<footer>fcgi serve, a gateway for development</footer></body></html>\n");
        Page {
            status,
            html: html.into(),
            line: text,
        }
    }
}

const STYLE: &str = ":root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{max-width:42em;margin:15vh auto;padding:0 1em}h1{font-size:1.4em}\
code{font-size:.95em}p{overflow-wrap:anywhere}footer{opacity:.6;font-size:.85em;margin-top:3em}";

fn failure(cause: &Cause) -> String {
    match cause {
        Cause::Closed => "the application closed the connection before it had answered".to_owned(),
        Cause::Lost(error) => format!("the connection to the application broke: {error}"),
        Cause::Protocol(error) => format!("the application breaks the protocol: {error}"),
        Cause::ClientBody => "the client did not send its whole body".to_owned(),
        Cause::Timeout { client: true } => "the client took too long to send its body".to_owned(),
        Cause::Timeout { client: false } => {
            "the application did nothing about the request for too long".to_owned()
        }
        Cause::Stopped => "the gateway is being stopped".to_owned(),
    }
}

impl Cause {
    pub(super) fn text(&self) -> String {
        failure(self)
    }
}

/// With a capital and a full stop, as HTML.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    let mut html = String::new();
    for char in first.into_iter().chain(chars).chain(['.']) {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            char => html.push(char),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_say_what_happened() {
        let address: Address = "unix:/run/<app>.sock".parse().unwrap();
        let error = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let page = Problem::Unreachable(address, error).page();
        assert_eq!(page.status, 503);
        let html = std::str::from_utf8(&page.html).unwrap();
        assert!(html.contains("<h1>503 Service Unavailable</h1>"), "{html}");
        let text = "<p>Connecting to unix:/run/&lt;app&gt;.sock: connection refused.</p>";
        assert!(html.contains(text), "{html}");
        assert!(html.contains("fcgi serve -- COMMAND"), "{html}");
    }

    #[test]
    fn statuses() {
        for (problem, status) in [
            (Problem::Rejected(Rejection::Outside), 404),
            (Problem::Method, 501),
            (Problem::Coding, 501),
            (Problem::LengthRequired, 411),
            (Problem::TooLong(5), 413),
            (Problem::Down("x".into()), 503),
            (Problem::Refused(ProtocolStatus::OVERLOADED), 503),
            (Problem::Refused(ProtocolStatus::CANT_MPX_CONN), 503),
            (Problem::Refused(ProtocolStatus::UNKNOWN_ROLE), 502),
            (Problem::Failed(Cause::Closed), 502),
            (Problem::Failed(Cause::Timeout { client: false }), 504),
            (Problem::Failed(Cause::Timeout { client: true }), 408),
            (Problem::NoHead(Some(1)), 502),
            (Problem::Redirects, 502),
        ] {
            assert_eq!(problem.page().status, status, "{problem:?}");
        }
    }
}
