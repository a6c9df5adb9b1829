//! A proxy in a thread of the test, and what it prints.

// Each program of tests uses some of it.
#![allow(dead_code)]

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use fcgi_tests::address::{Address, Connection};
use fcgi_tests::blocking::eventually;
use fcgi_tools::dump::{Options, Proxy, Style, Summary};

/// A proxy; it has to be ended.
pub(crate) struct Proxied {
    address: Address,
    printed: Printed,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<Summary>>,
}

/// What was written, for all to see.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Proxied {
    /// Stands before an application.
    #[track_caller]
    pub(crate) fn before(application: &str, style: Style, save: Option<PathBuf>) -> Proxied {
        let printed = Printed::default();
        let proxied = Proxied::to(application, style, save, printed.clone());
        Proxied { printed, ..proxied }
    }

    /// The same, with what is printed going elsewhere.
    #[track_caller]
    pub(crate) fn to(
        application: &str,
        style: Style,
        save: Option<PathBuf>,
        out: impl Write + Send + 'static,
    ) -> Proxied {
        let listen = "127.0.0.1:0".parse().unwrap();
        let mut options = Options::new(listen, application.parse().unwrap());
        options.style = style;
        options.save = save;
        let proxy = Proxy::bind(options).unwrap();
        let address = proxy.local_address().unwrap().to_string();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Proxied {
            address: Address::Tcp(address.parse().unwrap()),
            printed: Printed::default(),
            stop,
            thread: thread::spawn(move || proxy.run(out, &stopped)),
        }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> Connection {
        self.address.connect().unwrap()
    }

    /// All lines so far, as `#1 > …`: without the time, and without where a connection came from.
    pub(crate) fn lines(&self) -> Vec<String> {
        let printed = self.printed.0.lock().unwrap();
        let printed = String::from_utf8(printed.clone()).expect("what is printed is text");
        printed.lines().map(line).collect()
    }

    /// Waits until so many lines have this in them; all lines.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize, what: &str) -> Vec<String> {
        let has = || {
            self.lines()
                .iter()
                .filter(|line| line.contains(what))
                .count()
                >= count
        };
        eventually(has, || {
            format!("not {count} times {what:?} in {:#?}", self.lines())
        });
        self.lines()
    }

    /// The lines of one connection about one direction, when both have ended.
    #[track_caller]
    pub(crate) fn direction(&self, connection: u64, sign: char) -> Vec<String> {
        for sign in ['<', '>'] {
            self.wait_for(1, &format!("#{connection} {sign} (end)"));
        }
        let start = format!("#{connection} {sign} ");
        let lines = self.lines().into_iter();
        lines
            .filter_map(|line| line.strip_prefix(&start).map(str::to_owned))
            .collect()
    }

    /// Stops the proxy; what has passed it, and all that it has printed.
    #[track_caller]
    pub(crate) fn end(self) -> (Summary, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let summary = self.thread.join().unwrap().unwrap();
        let printed = self.printed.0.lock().unwrap();
        let printed = String::from_utf8(printed.clone()).unwrap();
        (summary, printed.lines().map(line).collect())
    }
}

/// A line without what differs from run to run.
fn line(line: &str) -> String {
    if let Some(pair) = line.strip_prefix(&" ".repeat(16)) {
        return pair.to_owned();
    }
    let (time, rest) = line
        .trim_start()
        .split_once(' ')
        .expect("a time and a rest");
    assert!(time.parse::<f64>().is_ok_and(|time| time >= 0.0), "{line}");
    match rest.split_once(" from ") {
        Some((what, _)) if what.ends_with("connected") => what.to_owned(),
        _ => rest.to_owned(),
    }
}
