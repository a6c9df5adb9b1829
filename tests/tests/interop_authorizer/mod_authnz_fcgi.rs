//! Apache's `mod_authnz_fcgi` asks in three ways: in place of `mod_auth_basic`, as its provider and
//! for `Require` apart, and as both in one stage. It speaks TCP alone.

use fcgi_tests::apache::{AUTHNZ_FCGI, Apache, backend};

use super::*;

/// How a location is protected.
struct Way {
    protection: &'static str,
    /// What each grant passes on, apart from numbers.
    variables: &'static [&'static str],
    /// Whether the client gets the denial's page; it gets Apache's own otherwise.
    own_page: bool,
}

const WAYS: [Way; 3] = [
    Way {
        protection: "AuthnzFcgiCheckAuthnProvider Authn RequireBasicAuth On
<RequireAll>
Require valid-user
Require not user mallory
</RequireAll>",
        variables: &["AUTHN"],
        own_page: true,
    },
    Way {
        protection: "AuthBasicProvider Authn\nRequire Authz",
        variables: &["AUTHN", "AUTHZ"],
        own_page: false,
    },
    Way {
        protection: "AuthBasicProvider Authnz\nRequire Authnz",
        variables: &["AUTHN"],
        own_page: false,
    },
];

struct Site {
    way: &'static Way,
    apache: Apache,
    _app: App,
    _documents: TempDir,
}

impl Site {
    /// Everything below `/protected/` is protected.
    fn start(way: &'static Way) -> Site {
        let app = App::start(PROGRAM, &[], false);
        let documents = documents();
        let config = format!(
            r#"
AuthnzFcgiDefineProvider authn Authn {backend}/
AuthnzFcgiDefineProvider authz Authz {backend}/
AuthnzFcgiDefineProvider authnz Authnz {backend}/
TypesConfig /dev/null
AddType text/plain .txt
<LocationMatch "\.fcgi$">
SetHandler "proxy:{backend}"
</LocationMatch>
<Location /protected/>
AuthType Basic
AuthName "the site"
{protection}
</Location>
"#,
            backend = backend(app.address()),
            protection = way.protection,
        );
        Site {
            way,
            apache: Apache::start(documents.path(), &AUTHNZ_FCGI, &config),
            _app: app,
            _documents: documents,
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.apache.address())
    }
}

fn all(test: impl Fn(&Site)) {
    for way in &WAYS {
        test(&Site::start(way));
    }
}

impl Site {
    /// A user who is not the one, or not with this password.
    #[track_caller]
    fn assert_denied(&self, page: &Response, user: &str) {
        assert_eq!(page.status, 401);
        let reason = page.field("X-Reason").unwrap_or_default();
        assert_eq!(reason, format!("not with {user:?}"));
        let own_page = format!("<p>Sorry, {user:?}.</p>");
        assert_eq!(
            page.text() == own_page,
            self.way.own_page,
            "{}",
            page.text()
        );
        let realm = match self.way.own_page {
            true => "Basic realm=\"the application\"",
            false => "Basic realm=\"the site\"",
        };
        assert_eq!(page.all("WWW-Authenticate"), [realm]);
    }
}

#[test]
fn a_user_is_let_in() {
    all(|site| {
        let mut client = site.client();
        let page = Request::get("/protected/page.txt");
        assert_page(&client.call(&known(page.clone(), "alice")));
        site.assert_denied(
            &client.call(&user(page.clone(), "alice", "guessed")),
            "alice",
        );
        // Without a name Apache asks for one by itself.
        let nobody = client.call(&page);
        assert_eq!((nobody.status, nobody.field("X-Reason")), (401, None));
        let mallory = client.call(&known(page.clone(), "mallory"));
        assert_eq!(mallory.status, 401);
        assert_page(&client.call(&known(page, "bob")));
        let open = client.call(&Request::get("/open.txt"));
        assert_eq!((open.status, open.text().as_str()), (200, "for all"));
    });
}

#[test]
fn the_program_behind_it_sees_the_variables() {
    all(|site| {
        let mut client = site.client();
        let page = client.call(&known(Request::get("/protected/show.fcgi"), "alice"));
        assert_eq!(shown(&page, "REMOTE_USER"), "alice");
        for variable in site.way.variables {
            assert_eq!(shown(&page, variable), "alice");
        }
        // The last of the stages.
        let stages = site.way.variables.len();
        assert_eq!(shown(&page, "JUDGED"), stages.to_string());
        let page = client.call(&Request::get("/show.fcgi"));
        assert_eq!(page.text(), "BODY=0 None\n");
    });
}

#[test]
fn a_body_is_the_responders() {
    all(|site| {
        bodies(site.apache.address(), |request| known(request, "alice"));
        let denied = Request::post_pattern("/protected/show.fcgi", 100_000);
        site.assert_denied(
            &site.client().call(&user(denied, "alice", "guessed")),
            "alice",
        );
    });
}

#[test]
fn one_request_tells_nothing_to_the_next() {
    all(|site| {
        let deny = |client: &mut Client, show: &Request| {
            let page = client.call(&user(show.clone(), "alice", "guessed"));
            site.assert_denied(&page, "alice");
            assert_eq!(client.call(show).status, 401);
        };
        let judged = turns(site.apache.address(), "AUTHN", known, deny);
        assert_eq!(judged.len(), CLIENTS * TURNS);
        let stages = site.way.variables.len();
        let most = (stages + 1) * CLIENTS * TURNS;
        assert!(judged.last() <= Some(&most), "{judged:?}");
    });
}
