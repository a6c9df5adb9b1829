//! Children that are replaced, and children that retire, while clients ask: no request is lost.
//!
//! nginx has no other upstream to turn to, and with `fastcgi_next_upstream off` it asks once. On
//! kept connections that does not hold: FastCGI has no word by which an application could say that
//! it is going to close one, so a request may be on its way at the same moment. nginx then asks
//! again, unless it is told not to, or the request is one that must not be made twice, as a POST.

use std::num::NonZeroU64;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use fcgi_tests::address::Address;
use fcgi_tests::blocking::eventually;
use fcgi_tests::nginx::{Nginx, Setup};
use fcgi_tests::process::{Running, tool};
use rustix::process::Signal;

use crate::site::path_of;
use crate::supervised::{CHILDREN, Children, PATIENCE, load};

const REQUESTS: usize = 10_000;
const REPLACEMENTS: usize = 5;

/// Every request has a connection of its own, and is sent once.
fn closing(application: &Address) -> Setup {
    Nginx::before(application.clone()).directive("fastcgi_next_upstream off;")
}

/// Replaces the children again and again until all is asked.
fn replaced_under_load(setup: impl FnOnce(&Address) -> Setup) {
    let children = Children::start("tiny-fcgi", |rules| rules);
    let nginx = setup(&children.address).start();
    let is_over = AtomicBool::new(false);
    let served = thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let done = children.replacements();
                children.supervised.reload();
                let is_done = || children.replacements() > done || is_over.load(Ordering::Relaxed);
                eventually(is_done, || format!("{:?}", children.events()));
            }
        });
        let _over = SetWhenDropped(&is_over);
        load(nginx.address(), REQUESTS, || {
            children.replacements() >= REPLACEMENTS
        })
    });
    let started = children.started();
    assert!(
        started.len() >= CHILDREN * (REPLACEMENTS + 1),
        "{started:?}"
    );
    assert!(served.keys().all(|pid| started.contains(pid)), "{served:?}");
    assert!(served.values().sum::<usize>() >= REQUESTS);
    // Not the first ones alone.
    assert!(served.len() > CHILDREN, "{served:?}");
    children.stop(&served);
}

/// Says so also when a client has panicked.
struct SetWhenDropped<'a>(&'a AtomicBool);

impl Drop for SetWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_replacement_loses_no_request() {
    replaced_under_load(closing);
}

#[test]
fn a_replacement_loses_no_request_on_kept_connections() {
    replaced_under_load(|application| Nginx::before(application.clone()).keep_conn(8));
}

#[test]
fn children_that_retire_lose_no_request() {
    let each = NonZeroU64::new(50).unwrap();
    for kept in [false, true] {
        let children = Children::start("tiny-fcgi", |rules| rules.max_requests(each));
        let nginx = match kept {
            false => closing(&children.address),
            true => Nginx::before(children.address.clone()).keep_conn(8),
        };
        let served = load(nginx.start().address(), 2000, || true);
        let all: usize = served.values().sum();
        // Those that had come in before are served as well.
        assert!(served.len() >= all / (50 + 16), "{served:?}");
        // Behind its last request a process may be ended by any signal.
        let retired = served.iter().filter(|(_, count)| **count >= 50);
        let retired: Vec<u32> = retired.map(|(pid, _)| *pid).collect();
        eventually(
            || retired.iter().all(|pid| children.has_ended(*pid)),
            || format!("{retired:?} {:?}", children.events()),
        );
        children.stop(&served);
    }
}

/// The same by the command, and by signals.
#[test]
fn the_supervising_command_loses_no_request() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("app.sock");
    let mut command = tool("cgi-fcgi");
    command.args(["-supervise", "--allow-root", "-connect"]);
    command.arg(&socket).arg(path_of("tiny-fcgi")).arg("2");
    let mut supervisor = Running::start(&mut command);
    let application = Address::from(socket);
    supervisor.wait_for(&application);
    let nginx = closing(&application).start();
    let done = |log: &str| log.matches("replacement of the children done").count();
    let is_over = AtomicBool::new(false);
    let supervisor = Mutex::new(supervisor);
    let log = || supervisor.lock().unwrap().log();
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 1.. {
                supervisor.lock().unwrap().signal(Signal::HUP);
                eventually(
                    || done(&log()) >= number || is_over.load(Ordering::Relaxed),
                    log,
                );
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let _over = SetWhenDropped(&is_over);
        load(nginx.address(), 1000, || done(&log()) >= 2);
    });
    let mut supervisor = supervisor.into_inner().unwrap();
    supervisor.signal(Signal::TERM);
    let status = supervisor.wait(PATIENCE);
    assert!(status.is_some_and(|status| status.success()), "{status:?}");
    assert!(!supervisor.log().contains("killed"), "{}", supervisor.log());
}
