//! Applications on `fcgi-std` in this process.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fcgi_listen::Address;
use fcgi_std::{Handle, Request, Server};
use fcgi_tools::serve::{Application, Options};
use tempfile::TempDir;

use crate::gateway::Gateway;

/// How the gateway reaches the application.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Unix,
    Tcp,
}

/// Makes two tests of each function: `unix::NAME` and `tcp::NAME`.
macro_rules! both_ways {
    ($($case:ident),* $(,)?) => {
        both_ways! { @ unix, Unix, $($case)* }
        both_ways! { @ tcp, Tcp, $($case)* }
    };
    (@ $way:ident, $variant:ident, $($case:ident)*) => {
        mod $way {
            $(#[test] fn $case() { super::$case(crate::app::Way::$variant); })*
        }
    };
}
pub(crate) use both_ways;

/// An application that serves until its value is dropped: drop its gateway before.
pub(crate) struct App {
    address: Address,
    incidents: Arc<Mutex<Vec<String>>>,
    handle: Handle,
    server: Option<JoinHandle<io::Result<()>>>,
    _directory: TempDir,
}

impl App {
    pub(crate) fn start<F>(way: Way, handler: F) -> App
    where
        F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.sock");
        let server = match way {
            Way::Unix => Server::bind(path.to_str().unwrap()),
            Way::Tcp => Server::bind("127.0.0.1:0"),
        };
        let incidents = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&incidents);
        let server = server
            .unwrap()
            .on_incident(move |incident| seen.lock().unwrap().push(incident.to_string()));
        App {
            address: server.addresses().unwrap().remove(0),
            incidents,
            handle: server.handle(),
            server: Some(thread::spawn(move || server.serve(handler))),
            _directory: directory,
        }
    }

    /// A gateway before it.
    pub(crate) fn gateway(&self) -> Gateway {
        self.gateway_with(|options| options)
    }

    /// A gateway with other options.
    pub(crate) fn gateway_with(&self, change: impl FnOnce(Options) -> Options) -> Gateway {
        Gateway::start(Application::Connect(self.address.clone()), change)
    }

    /// What the application complained about so far.
    pub(crate) fn incidents(&self) -> Vec<String> {
        self.incidents.lock().unwrap().clone()
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.handle.stop(Duration::from_secs(5));
        if thread::panicking() {
            eprintln!("--- incidents: {:#?}", self.incidents());
        } else if let Some(server) = self.server.take() {
            server.join().unwrap().unwrap();
        }
    }
}

/// Answers with a plain text.
pub(crate) fn text(request: &mut Request, text: &str) -> io::Result<()> {
    request.header("Content-Type", "text/plain")?;
    request.stdout.write_all(text.as_bytes())
}
