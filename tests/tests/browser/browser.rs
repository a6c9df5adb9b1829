//! A headless Chromium: what a person does with a browser, and what they see.
//!
//! Everything panics when it fails, and nothing waits for ever.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::wait::until;
use crate::wire::Driver;

/// Without a screen, without a past, and without any business of its own in the network.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    // The sandbox does not work for root, nor in many containers; the only pages are ours.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--lang=en",
];

/// The name under which WebDriver (§12) hands out elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window, and a new profile that goes with it.
pub(crate) struct Browser {
    session: String,
    // Before the directory, so that nobody writes there any more when it goes.
    driver: Driver,
    _directory: TempDir,
}

/// A size of the window's inside, in CSS pixels, and the kind of machine that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Heeds `<meta name="viewport">`, as telephones do.
    pub(crate) mobile: bool,
}

impl Screen {
    pub(crate) const DESK: Self = Self {
        width: 1280,
        height: 900,
        mobile: false,
    };
    pub(crate) const PHONE: Self = Self {
        width: 390,
        height: 844,
        mobile: true,
    };
}

/// An element of the page that is shown.
#[derive(Debug)]
pub(crate) struct Element(String);

impl Browser {
    /// Starts a driver and a browser, on the desk.
    #[track_caller]
    pub(crate) fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("fcgi-browser-").tempdir();
        let directory = directory.expect("a temporary directory");
        let profile = format!("--user-data-dir={}/profile", directory.path().display());
        let arguments: Vec<&str> = ARGUMENTS.into_iter().chain([&*profile]).collect();
        let driver = Driver::start(directory.path());
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            // Milliseconds; less than the patience for the driver's answer.
            "timeouts": { "implicit": 0, "pageLoad": 20_000, "script": 10_000 },
        }}});
        let session = match driver.command("POST", "/session", &capabilities) {
            Ok(session) => session["sessionId"].as_str().unwrap_or_default().to_owned(),
            Err(failure) => panic!("no browser: {failure}"),
        };
        let browser = Self {
            session,
            driver,
            _directory: directory,
        };
        browser.screen(Screen::DESK);
        browser
    }

    /// Opens a page and waits until it is loaded.
    #[track_caller]
    pub(crate) fn open(&self, url: &str) {
        self.post("url", &json!({ "url": url }));
    }

    /// Loads the page again and waits until that is done.
    #[track_caller]
    pub(crate) fn reload(&self) {
        self.post("refresh", &json!({}));
    }

    /// The first element that a CSS selector matches; it may still have to come.
    #[track_caller]
    pub(crate) fn find(&self, css: &str) -> Element {
        let query = json!({ "using": "css selector", "value": css });
        until(css, || {
            let elements = self.post("elements", &query);
            elements[0][ELEMENT].as_str().map(|id| Element(id.into()))
        })
    }

    /// Clicks on the middle of an element; does not wait for a page that this may open.
    #[track_caller]
    pub(crate) fn click(&self, css: &str) {
        let Element(id) = self.find(css);
        self.post(&format!("element/{id}/click"), &json!({}));
    }

    /// Types into an element.
    #[track_caller]
    pub(crate) fn keys(&self, css: &str, text: &str) {
        let Element(id) = self.find(css);
        self.post(&format!("element/{id}/value"), &json!({ "text": text }));
    }

    /// What a person reads there: nothing if it is hidden, blanks as they are shown.
    #[track_caller]
    pub(crate) fn text(&self, css: &str) -> String {
        let Element(id) = self.find(css);
        let text = self.command("GET", &format!("element/{id}/text"), &Value::Null);
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Runs the body of a function in the page and returns what it returns.
    #[track_caller]
    pub(crate) fn script(&self, body: &str) -> Value {
        self.post("execute/sync", &json!({ "script": body, "args": [] }))
    }

    /// Chooses files, all at once, as a person does in the window that a file field opens.
    #[track_caller]
    pub(crate) fn choose(&self, css: &str, files: &[&Path]) {
        let files: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
        self.keys(css, &files.join("\n"));
    }

    /// Loads the page again, whose own scripts do not run from now on.
    #[track_caller]
    pub(crate) fn reload_without_scripts(&self) {
        let parameters = json!({ "value": true });
        self.devtools("Emulation.setScriptExecutionDisabled", &parameters);
        self.reload();
    }

    /// Changes the size of the window's inside.
    #[track_caller]
    pub(crate) fn screen(&self, screen: Screen) {
        // A window cannot be made as narrow as a telephone: its inside is told to be.
        let parameters = json!({
            "width": screen.width,
            "height": screen.height,
            "deviceScaleFactor": 1,
            "mobile": screen.mobile,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", &parameters);
    }

    /// Prefers light or dark colours.
    #[track_caller]
    pub(crate) fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [feature] }),
        );
    }

    /// What the window shows, as a PNG file.
    #[track_caller]
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        let image = self.command("GET", "screenshot", &Value::Null);
        let image = image.as_str().unwrap_or_default();
        BASE64_STANDARD.decode(image).expect("a picture in base64")
    }

    /// The errors on the console since the last look: exceptions, and what could not be loaded.
    #[track_caller]
    pub(crate) fn errors(&self) -> Vec<String> {
        self.log("browser")
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].to_string())
            .collect()
    }

    /// The URLs that pages asked for since the last look, leaving out what needs no network.
    #[track_caller]
    pub(crate) fn requests(&self) -> Vec<String> {
        self.log("performance")
            .iter()
            .filter_map(|entry| serde_json::from_str(entry["message"].as_str()?).ok())
            .filter(|event: &Value| event["message"]["method"] == "Network.requestWillBeSent")
            .filter_map(|event| {
                event["message"]["params"]["request"]["url"]
                    .as_str()
                    .map(Into::into)
            })
            .filter(|url: &String| !["chrome:", "data:"].iter().any(|own| url.starts_with(own)))
            .collect()
    }

    #[track_caller]
    fn log(&self, kind: &str) -> Vec<Value> {
        match self.post("se/log", &json!({ "type": kind })) {
            Value::Array(entries) => entries,
            other => panic!("a list of log entries, not {other}"),
        }
    }

    #[track_caller]
    fn devtools(&self, command: &str, parameters: &Value) {
        let command = json!({ "cmd": command, "params": parameters });
        self.post("goog/cdp/execute", &command);
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Value {
        self.command("POST", path, body)
    }

    #[track_caller]
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let path_of_session = format!("/session/{}/{path}", self.session);
        match self.driver.command(method, &path_of_session, body) {
            Ok(value) => value,
            Err(failure) => panic!("{method} {path} {body}: {failure}"),
        }
    }
}

/// Closes the browser; the driver's own end sees to one that does not go.
impl Drop for Browser {
    fn drop(&mut self) {
        let session = format!("/session/{}", self.session);
        let _ = self.driver.command("DELETE", &session, &Value::Null);
    }
}
