//! Processes that `mod_fcgid` has started: they end when Apache does, and in good order.

use std::thread;

use fcgi_tests::http::Request;

use crate::site::{Frontend, Site};

#[test]
fn they_end_in_good_order_with_apache() {
    for frontend in [Frontend::Std, Frontend::Mio] {
        they_end(Site::fcgid(frontend, &[], ""));
    }
}

fn they_end(mut site: Site) {
    let shared = &site;
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(move || {
                let mut client = shared.client();
                for _ in 0..10 {
                    assert_eq!(client.call(&Request::get("/app.fcgi")).status, 200);
                }
            });
        }
    });
    let log = site.stop();
    let ends: Vec<_> = log
        .lines()
        .filter(|line| line.contains(") exit("))
        .collect();
    assert!(!ends.is_empty(), "{log}");
    for end in ends {
        let good = "exit(shutting down), terminated by calling exit(), return code: 0";
        assert!(end.ends_with(good), "{log}");
    }
}
