//! A gateway in this process, for tests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use fcgi_tests::http::Client;
use fcgi_tools::serve::{self, Application, Console, Line, Options};
use tokio::sync::oneshot;

/// How long a step may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway that serves until its value is dropped; then it must stop soon and well.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    lines: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    served: Option<JoinHandle<std::io::Result<()>>>,
}

impl Gateway {
    /// Serves an application on a free port.
    pub(crate) fn start(
        application: Application,
        change: impl FnOnce(Options) -> Options,
    ) -> Gateway {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&lines);
        let options = Options {
            http: "127.0.0.1:0".parse().unwrap(),
            grace: Duration::from_millis(500),
            console: Console::new(move |line| {
                let line = match line {
                    Line::Notice(text) => format!("notice: {text}"),
                    Line::Access(text) => format!("access: {text}"),
                    Line::Error(text) => format!("error: {text}"),
                };
                seen.lock().unwrap().push(line);
            }),
            ..Options::new(application)
        };
        let gateway = serve::Gateway::bind(change(options)).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        Gateway {
            address: gateway.http_address(),
            lines,
            stop: Some(stop),
            served: Some(thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                runtime.block_on(gateway.run_until(async {
                    let _ = stopped.await;
                }))
            })),
        }
    }

    /// A new client.
    #[track_caller]
    pub(crate) fn client(&self) -> Client {
        Client::connect(self.address)
    }

    /// Waits until such a line was printed, and returns it.
    #[track_caller]
    pub(crate) fn line(&self, what: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let lines = self.lines.lock().unwrap().clone();
            if let Some(line) = lines.iter().find(|line| line.contains(what)) {
                return line.clone();
            }
            assert!(Instant::now() < deadline, "no line {what:?} in {lines:#?}");
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // A gateway that has failed is not there to be told.
        let _ = self.stop.take().map(|stop| stop.send(()));
        if thread::panicking() {
            eprintln!("--- lines of the gateway: {:#?}", self.lines.lock());
            return;
        }
        let begun = Instant::now();
        if let Some(served) = self.served.take() {
            let served = served.join().expect("the gateway does not panic");
            served.expect("a graceful stop");
        }
        let took = begun.elapsed();
        assert!(took < PATIENCE / 4, "stopping took {took:?}");
    }
}
