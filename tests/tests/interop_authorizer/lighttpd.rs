//! lighttpd sends the denial as it is, and passes on what the grant's variables say.

use fcgi_tests::lighttpd::{Lighttpd, backend};

use super::*;

struct Site {
    lighttpd: Lighttpd,
    _app: App,
    _documents: TempDir,
}

impl Site {
    /// Everything below `/protected/` needs a ticket.
    fn start(unix: bool) -> Site {
        let app = App::start(PROGRAM, &[], unix);
        let documents = documents();
        // Names of programs, which lighttpd looks for behind an Authorizer.
        for name in ["protected/show.fcgi", "show.fcgi"] {
            fs::write(documents.path().join(name), "").unwrap();
        }
        let backend = backend(app.address());
        let docroot = documents.path().display();
        let config = format!(
            r#"fastcgi.server = (
    "/protected/" => (( {backend}, "mode" => "authorizer", "docroot" => "{docroot}" )),
    ".fcgi" => (( {backend} )),
)
"#
        );
        Site {
            lighttpd: Lighttpd::start(documents.path(), &config),
            _app: app,
            _documents: documents,
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.lighttpd.address())
    }
}

fn both(test: impl Fn(&Site)) {
    for unix in [true, false] {
        test(&Site::start(unix));
    }
}

#[track_caller]
fn assert_denied(page: &Response, ticket: &str) {
    assert_eq!(page.status, 403);
    let reason = format!("not with {ticket:?}");
    assert_eq!(page.all("X-Reason"), [reason]);
    assert_eq!(page.all("Content-Type"), ["text/html"]);
    assert_eq!(page.text(), format!("<p>Sorry, {ticket:?}.</p>"));
}

#[test]
fn a_ticket_opens_a_file() {
    both(|site| {
        let mut client = site.client();
        let page = Request::get("/protected/page.txt");
        assert_page(&client.call(&ticket(page.clone(), "good")));
        assert_denied(&client.call(&page), "");
        assert_denied(&client.call(&ticket(page.clone(), "bad")), "bad");
        assert_page(&client.call(&ticket(page, "good again")));
        let missing = ticket(Request::get("/protected/none.txt"), "good");
        assert_eq!(client.call(&missing).status, 404);
        let open = client.call(&Request::get("/open.txt"));
        assert_eq!((open.status, open.text().as_str()), (200, "for all"));
        let head = client.call(&Request::head("/protected/page.txt"));
        assert_eq!((head.status, head.length), (403, 0));
    });
}

#[test]
fn the_program_behind_it_sees_the_variables() {
    both(|site| {
        let mut client = site.client();
        let page = client.call(&ticket(Request::get("/protected/show.fcgi"), "good: a b"));
        assert_eq!(shown(&page, "TICKET"), "good: a b");
        assert_eq!(shown(&page, "JUDGED"), "1");
        // Not judged, so nothing is shown but the body.
        let page = client.call(&ticket(Request::get("/show.fcgi"), "good"));
        assert_eq!(page.text(), "BODY=0 None\n");
    });
}

#[test]
fn a_body_is_the_responders() {
    both(|site| {
        bodies(site.lighttpd.address(), |request| ticket(request, "good"));
        let denied = Request::post_pattern("/protected/show.fcgi", 100_000);
        assert_denied(&site.client().call(&denied), "");
        assert_page(
            &site
                .client()
                .call(&ticket(Request::get("/protected/page.txt"), "good")),
        );
    });
}

#[test]
fn one_request_tells_nothing_to_the_next() {
    both(|site| {
        let deny = |client: &mut Client, show: &Request| {
            assert_denied(&client.call(&ticket(show.clone(), "bad")), "bad");
            assert_denied(&client.call(show), "");
        };
        let judged = turns(site.lighttpd.address(), "TICKET", ticket, deny);
        // Each request once, all by the same process.
        assert_eq!(judged.len(), CLIENTS * TURNS);
        assert!(judged.last() <= Some(&(3 * CLIENTS * TURNS)), "{judged:?}");
    });
}
