//! Nothing of a request is in the next one that the same process gets.

use fcgi_tests::http::{Client, Request};
use fcgi_tests::nginx::Nginx;
use fcgi_tests::pattern;

use crate::pages::told;
use crate::site::{Inherited, Site, Way, hosted};

/// Each has something that the others have not, or have otherwise.
fn requests() -> Vec<Request> {
    let long = "v".repeat(3000);
    vec![
        Request::post("/app.fcgi?long=query", pattern::bytes(200_000))
            .header("Cookie", "session=1; theme=dark")
            .header("Content-Type", "text/plain")
            .header("X-Long", &long),
        Request::get("/app.fcgi"),
        Request::post("/app.fcgi", "short").header("X-Long", "short"),
        Request::get("/app.fcgi/path?q").header("X-Other", "1"),
        Request::post("/app.fcgi", "").header("Cookie", ""),
        Request::get("/app.fcgi/a/longer/path").header("Cookie", "session=2"),
        Request::new("DELETE", "/app.fcgi"),
    ]
}

/// Each request behind each other one is answered as by a process that has seen no other.
#[test]
fn of_a_request_is_not_in_the_next() {
    let requests = requests();
    let fresh = Site::start(Way::Fcgiwrap, "echo");
    let alone: Vec<_> = requests
        .iter()
        .map(|request| told(&fresh.ask(request)))
        .collect();
    for (name, kept) in [("echo", true), ("echo", false), ("echo2", true)] {
        let app = Inherited::start(name);
        let nginx = Nginx::before(app.address.clone());
        let nginx = if kept { nginx.keep_conn(1) } else { nginx }.start();
        let mut client = Client::connect(nginx.address());
        for first in &requests {
            for (request, alone) in requests.iter().zip(&alone) {
                let _ = client.call(&hosted(first));
                let page = told(&client.call(&hosted(request)));
                assert!(
                    page == *alone,
                    "{name}, kept {kept}: {:?}\n{:?}",
                    page.1,
                    alone.1
                );
            }
        }
    }
}
