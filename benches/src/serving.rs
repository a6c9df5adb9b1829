//! What the servers answer that are compared under load, and how they are started.
//!
//! Each is called as `SERVER WORKLOAD [OPTIONS]` and finds its listening socket as descriptor 0, as
//! a web server would pass it on (FastCGI §2.2). It serves until it is killed. Those on our own
//! crates also take `--listen ADDRESS`, to be started by hand, and `--requests COUNT`, to stop by
//! themselves; that on `fcgi-std` takes `--workers COUNT`.
//!
//! Nothing in here uses the crates that are compared.

use std::fmt;
use std::str::FromStr;

/// The parameter that the small page looks up: the 7th of the 36 that nginx sends.
pub const PARAM: &str = "REQUEST_URI";

/// The head of every answer.
pub const HEAD: &str = "Content-Type: text/plain\r\n\r\n";

/// What follows the value of the parameter on the small page. With the URI of
/// `fcgi_tests::nginx_request` the page has 120 bytes.
pub const TEXT: &str = "\nis what was asked for; it is in the cart with 2 others, for 47.11 EUR\n";

/// What a server does with each request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Workload {
    /// Looks a parameter up and answers with its value and [`TEXT`].
    Page,
    /// Answers with so many bytes; see [`body`].
    Body(usize),
    /// Reads STDIN to its end and answers with its length, in decimal.
    Upload,
}

/// `page`, `body:BYTES` or `upload`.
impl FromStr for Workload {
    type Err = String;

    fn from_str(text: &str) -> Result<Workload, String> {
        match text {
            "page" => Ok(Workload::Page),
            "upload" => Ok(Workload::Upload),
            _ => text
                .strip_prefix("body:")
                .and_then(|bytes| bytes.parse().ok())
                .map(Workload::Body)
                .ok_or_else(|| format!("{text:?} is not page, body:BYTES or upload")),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Workload::Page => f.write_str("page"),
            Workload::Body(bytes) => write!(f, "body:{bytes}"),
            Workload::Upload => f.write_str("upload"),
        }
    }
}

/// A large body: letters in a row whose length is a prime number.
#[must_use]
pub fn body(length: usize) -> Vec<u8> {
    (b'a'..=b'w').cycle().take(length).collect()
}

/// What a server was called with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arguments {
    /// What to do with each request.
    pub workload: Workload,
    /// Where to listen if no socket is passed on; empty if nothing was said.
    pub listen: String,
    /// How many threads to serve with.
    pub workers: usize,
    /// After how many requests to stop.
    pub requests: Option<u64>,
}

impl Arguments {
    /// The arguments of this process.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn from_env() -> Result<Arguments, String> {
        Arguments::parse(std::env::args().skip(1))
    }

    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
        let workload = arguments
            .next()
            .ok_or("say what to do: page, body:BYTES or upload")?;
        let mut parsed = Arguments {
            workload: workload.parse()?,
            listen: String::new(),
            workers: 1,
            requests: None,
        };
        while let Some(option) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| format!("{option} needs a value"))?;
            let bad = || format!("{option} {value}: not a number");
            match option.as_str() {
                "--listen" => parsed.listen = value,
                "--workers" => parsed.workers = value.parse().map_err(|_| bad())?,
                "--requests" => parsed.requests = Some(value.parse().map_err(|_| bad())?),
                _ => return Err(format!("{option} is no option")),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fcgi_tests::nginx_request::{self, Site};

    #[test]
    fn the_page_has_120_bytes() {
        let pairs = nginx_request::pairs(&Site::default());
        assert_eq!(pairs.len(), 36);
        let (_, value) = pairs.iter().find(|(name, _)| name == PARAM).unwrap();
        assert_eq!(value.len() + TEXT.len(), 120);
    }

    #[test]
    fn workloads_are_said_as_they_are_read() {
        for workload in [Workload::Page, Workload::Body(65_536), Workload::Upload] {
            assert_eq!(workload.to_string().parse(), Ok(workload));
        }
        for text in ["", "pages", "body", "body:", "body:x"] {
            assert!(text.parse::<Workload>().is_err(), "{text}");
        }
    }

    #[test]
    fn bodies_repeat_after_23_letters() {
        assert_eq!(body(25), b"abcdefghijklmnopqrstuvwab");
    }

    #[test]
    fn arguments() {
        let parse = |text: &str| Arguments::parse(text.split_whitespace().map(str::to_owned));
        let all = parse("page --listen /a --workers 4 --requests 9").unwrap();
        assert_eq!(
            (all.listen.as_str(), all.workers, all.requests),
            ("/a", 4, Some(9))
        );
        assert_eq!(parse("upload").unwrap().workload, Workload::Upload);
        for bad in ["", "page --workers", "page --workers x", "page --nothing 1"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
