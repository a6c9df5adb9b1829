//! A loop that serves and connections that go out, in one `Poll`.

use std::time::{Duration, Instant};

use fcgi_core::Role;
use fcgi_listen::{Address, Listener};
use fcgi_mio::web_server::{Application, Outgoing, Request, Settings, whole};
use fcgi_mio::{Loop, Settings as ServerSettings};
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use mio::{Events, Poll};

use crate::server::{App, echo};

/// Passes each request on, and completes it when the answer is there.
fn proxy(
    request: &fcgi_mio::Request<'_>,
    response: &mut fcgi_mio::Response<'_>,
    to: &Application,
) -> std::io::Result<()> {
    let mut passed_on = Request::new(Role::Responder);
    passed_on.params(request.params())?;
    passed_on.param("PASSED_ON", "yes")?;
    passed_on.body(request.body().to_vec());
    let mut deferred = response.defer()?;
    let receiver = whole(1 << 20, move |answer| {
        let body = match answer {
            Ok(answer) => {
                for (name, value) in answer.head().fields() {
                    deferred.header(name, value).unwrap();
                }
                deferred.status(answer.head().status().code()).unwrap();
                answer.into_body()
            }
            Err(error) => {
                deferred.status(502).unwrap();
                error.to_string().into_bytes()
            }
        };
        let _ = deferred.complete(body);
    });
    to.send(passed_on, receiver).detach();
    Ok(())
}

#[test]
fn a_handler_passes_requests_on_to_another_application() {
    let behind = App::tcp(ServerSettings::new(), || fcgi_mio::whole(echo));
    let behind_address: Address = behind.address.to_string().parse().unwrap();
    let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap(), &Default::default()).unwrap();
    let Address::Ip(front) = listener.local_address().unwrap() else {
        panic!("not what was bound");
    };
    let mut poll = Poll::new().unwrap();
    let mut events = Events::with_capacity(64);
    let settings = Settings::new().max_connections(3).multiplex(8);
    let mut outgoing = Outgoing::new(poll.registry(), 0..1 << 20, settings).unwrap();
    let application = outgoing.application(behind_address);
    let nowhere = application.at(Address::Unix(crate::peer::unix_path()));
    let service = fcgi_mio::whole(move |request, response| {
        let is_lost = request.param("QUERY_STRING") == Some(b"nowhere");
        proxy(
            request,
            response,
            if is_lost { &nowhere } else { &application },
        )
    });
    let mut fastcgi = Loop::new(
        poll.registry(),
        1 << 20..usize::MAX,
        vec![listener],
        ServerSettings::new(),
        service,
    )
    .unwrap();
    let handle = fastcgi.handle();
    let web_servers: Vec<_> = (0..4)
        .map(|_| std::thread::spawn(move || ask_through(front)))
        .collect();
    while !fastcgi.is_finished() {
        let deadlines = [fastcgi.next_deadline(), outgoing.next_deadline()];
        let wait = deadlines.into_iter().flatten().min();
        let wait = wait.map(|at| at.saturating_duration_since(Instant::now()));
        let most = Duration::from_millis(20);
        poll.poll(&mut events, Some(wait.unwrap_or(most).min(most)))
            .unwrap();
        for event in &events {
            assert!(fastcgi.ready(event) || outgoing.ready(event));
        }
        fastcgi.expired();
        outgoing.expired();
        if web_servers.iter().all(std::thread::JoinHandle::is_finished) {
            handle.stop(Duration::ZERO);
        }
    }
    for thread in web_servers {
        thread.join().unwrap();
    }
    assert_eq!(behind.counters().begun, 4 * 50);
    assert!(behind.counters().accepted <= 3);
}

/// What a web server sees of the proxy.
fn ask_through(front: std::net::SocketAddr) {
    let connection = fcgi_tests::address::Address::Tcp(front).connect().unwrap();
    let mut peer = WebServer { connection };
    for n in 0..50 {
        let query = format!("n={n}");
        let params = [("QUERY_STRING", query.as_str())];
        let body = vec![b'b'; n * 1000];
        let answer = peer.ask(1, responder(1, KEEP, &params, &body));
        let expected = [format!("[{query}]").as_bytes(), &body].concat();
        assert!(answer.body() == expected, "{n}");
        assert!(answer.head().contains("Content-Type: text/plain"));
    }
    let params = [("QUERY_STRING", "nowhere"), ("REQUEST_URI", "/lost")];
    let answer = peer.ask(1, responder(1, KEEP, &params, b""));
    assert!(
        answer.head().starts_with("Status: 502"),
        "{}",
        answer.head()
    );
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    assert!(
        text.starts_with("/lost to unix:") && text.contains("can't connect"),
        "{text}"
    );
}
