//! Signals to an application behind nginx: while it is idle, inside a request, twice.

use std::io;

use fcgi_listen::Address as Bound;
use fcgi_std::Role;
use fcgi_std::web_server::{self, Application};
use fcgi_tests::address::Address;
use fcgi_tests::blocking::eventually;
use fcgi_tests::http::{Client, Request};
use fcgi_tests::nginx::Nginx;
use rustix::process::{Pid, Signal, kill_process};

use crate::site::Inherited;
use crate::supervised::{CHILDREN, Children, PATIENCE};

/// Larger than all buffers on the way, so that the application is inside the request as long as its
/// client does not read.
const LONG: usize = 40 << 20;

/// SIGUSR1 as well, by which web servers of old asked for an end.
const STOPS: [Signal; 3] = [Signal::TERM, Signal::INT, Signal::USR1];

/// An nginx that hands the response on as it comes.
fn nginx(application: &Address) -> Nginx {
    Nginx::before(application.clone())
        .unbuffered_response()
        .start()
}

/// A client whose response has begun.
#[track_caller]
fn begin(nginx: &Nginx) -> Client {
    let mut client = Client::connect(nginx.address());
    // So that it learns of a response that is cut: nginx goes on as if it were whole.
    let request = Request::get(format!("/size.fcgi/{LONG}")).header("Connection", "close");
    client.send(&request.head_bytes()).unwrap();
    let head = client.receive_head().unwrap();
    assert_eq!(head.status, 200);
    client
}

/// It has ended by itself, and well.
#[track_caller]
fn assert_ends_well(app: &mut Inherited, name: &str) {
    let status = app.process.wait(PATIENCE);
    let is_well = status.is_some_and(|status| status.success());
    assert!(is_well, "{name}: {status:?}");
}

#[test]
fn an_idle_application_ends() {
    for signal in STOPS {
        for name in ["tiny-fcgi", "tiny-fcgi2", "threaded", "size"] {
            let mut app = Inherited::start(name);
            let nginx = Nginx::before(app.address.clone()).keep_conn(1).start();
            // So it has begun, and there is a connection that is kept.
            let page = Client::connect(nginx.address()).call(&Request::get("/app.fcgi"));
            assert_eq!(page.status, 200);
            app.process.signal(signal);
            assert_ends_well(&mut app, name);
        }
    }
}

#[test]
fn a_request_is_completed() {
    for signal in STOPS {
        let mut app = Inherited::start("size");
        let nginx = nginx(&app.address);
        let mut client = begin(&nginx);
        app.process.signal(signal);
        assert_eq!(client.receive_bytes(LONG).unwrap().len(), LONG);
        assert_ends_well(&mut app, "size");
    }
}

#[test]
fn the_second_signal_cuts_it() {
    let mut app = Inherited::start("size");
    let nginx = nginx(&app.address);
    // Shows when the first signal has been heard: two that come at once may count as one.
    let Address::Unix(path) = app.address.clone() else {
        panic!("the application listens on a unix socket");
    };
    let mut idle = Application::connect(&Bound::Unix(path), Some(PATIENCE)).unwrap();
    let mut request = web_server::Request::new(Role::Responder);
    request.param("PATH_INFO", "/1").unwrap();
    idle.send(&request, &mut io::empty())
        .unwrap()
        .finish()
        .unwrap();
    let mut client = begin(&nginx);
    app.process.signal(Signal::TERM);
    eventually(
        || idle.values().is_err(),
        || "the idle connection is still open".to_owned(),
    );
    assert!(app.process.exited().is_none());
    app.process.signal(Signal::TERM);
    assert!(app.process.wait(PATIENCE).is_some());
    let cut = client.receive_bytes(LONG).unwrap_err();
    assert_eq!(cut.kind(), io::ErrorKind::UnexpectedEof);
}

/// Each child is told to end inside a request; others take their places meanwhile.
#[test]
fn supervised_children_complete_their_requests() {
    let children = Children::start("size", |rules| rules);
    let nginx = nginx(&children.address);
    let mut clients: Vec<_> = (0..CHILDREN).map(|_| begin(&nginx)).collect();
    let first = children.started();
    for pid in &first {
        let pid = i32::try_from(*pid).ok().and_then(Pid::from_raw).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
    }
    for client in &mut clients {
        assert_eq!(client.receive_bytes(LONG).unwrap().len(), LONG);
    }
    let all_ended = || first.iter().all(|pid| children.has_ended(*pid));
    eventually(
        || all_ended() && children.started().len() == 2 * CHILDREN,
        || format!("{:?}", children.events()),
    );
    let page = Client::connect(nginx.address()).call(&Request::get("/size.fcgi/1000"));
    assert_eq!((page.status, page.body.len()), (200, 1000));
    children.stop(&first.into_iter().map(|pid| (pid, 1)).collect());
}
