//! The demo as its user starts it, and a browser that shows its page.

use fcgi_tests::address::Address;
use fcgi_tests::nginx::Nginx;
use fcgi_tests::process::{Running, example};
use serde_json::Value;
use tempfile::TempDir;

use crate::browser::Browser;
use crate::wait::until;

/// The running demo, and the browser that has opened it.
pub(crate) struct Site {
    pub(crate) browser: Browser,
    pub(crate) url: String,
    // What is in front goes first.
    _nginx: Option<Nginx>,
    _demo: Running,
    _directory: Option<TempDir>,
}

impl Site {
    /// Behind the demo's own gateway.
    #[track_caller]
    pub(crate) fn open() -> Self {
        let mut demo = Running::start(example("demo").arg("127.0.0.1:0"));
        let url = until("the demo to print its URL", || {
            let url = url_in(&demo.log());
            if let (None, Some(status)) = (&url, demo.exited()) {
                panic!("the demo ended: {status}");
            }
            url
        });
        let browser = Browser::start();
        browser.open(&url);
        Self {
            browser,
            url,
            _nginx: None,
            _demo: demo,
            _directory: None,
        }
    }

    /// Its application alone, behind an nginx that is configured as usual.
    #[track_caller]
    pub(crate) fn behind_nginx() -> Self {
        let directory = TempDir::with_prefix("fcgi-demo-").expect("a temporary directory");
        let address = Address::Unix(directory.path().join("demo.sock"));
        let mut command = example("demo");
        command.arg("--application").arg(address.to_string());
        let mut demo = Running::start(&mut command);
        demo.wait_for(&address);
        let nginx = Nginx::before(address).start();
        let url = format!("http://{}/", nginx.address());
        let browser = Browser::start();
        browser.open(&url);
        Self {
            browser,
            url,
            _nginx: Some(nginx),
            _demo: demo,
            _directory: Some(directory),
        }
    }

    /// The number on the page.
    #[track_caller]
    pub(crate) fn count(&self) -> u64 {
        let count = self.browser.text("#count");
        count.parse().expect("the counter is a number")
    }

    /// The application's process, as the page tells.
    #[track_caller]
    pub(crate) fn process(&self) -> i32 {
        let process = self.browser.text("#process");
        process.parse().expect("a process id is a number")
    }

    /// The text of an element, if it is there: also while one page follows another.
    #[track_caller]
    pub(crate) fn shown(&self, css: &str) -> Option<String> {
        let text = format!("return document.querySelector('{css}')?.textContent");
        self.browser.script(&text).as_str().map(Into::into)
    }

    /// Presses Start.
    #[track_caller]
    pub(crate) fn start_stream(&self) {
        self.browser.click("#start");
    }

    /// How far the stream has come.
    #[track_caller]
    pub(crate) fn stream(&self) -> Stream {
        let state = self.browser.script(
            "return [document.querySelector('#pieces').textContent,
                     document.querySelector('#stream').textContent,
                     !document.querySelector('#start').disabled]",
        );
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Stream {
            pieces: text(&state[0]).parse().expect("pieces are a number"),
            text: text(&state[1]),
            ended: state[2] == true,
        }
    }

    /// Nothing went wrong on the page, and it asked nobody else for anything.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.browser.errors(), Vec::<String>::new());
        let requests = self.browser.requests();
        assert!(requests.contains(&self.url), "{requests:?}");
        for request in requests {
            assert!(request.starts_with(&self.url), "a request to {request}");
        }
    }
}

/// What the page shows of its streamed response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) pieces: u32,
    pub(crate) text: String,
    pub(crate) ended: bool,
}

/// The URL in "fcgi serve: http://127.0.0.1:33711/ shows …".
fn url_in(log: &str) -> Option<String> {
    let (_, rest) = log.split_once("fcgi serve: ")?;
    let (url, _) = rest.split_once(" shows ")?;
    Some(url.to_owned())
}
