//! Apache's `mod_fcgid` starts the program itself, with the listener as descriptor 0, and asks it in
//! three stages: for access, for who the user is, and for whether that user may.
//!
//! Of a denial the client gets the fields, but Apache's status 401 and Apache's page.

use fcgi_tests::apache::Apache;

use super::*;

const MODULES: [&str; 4] = ["authn_core", "authz_user", "mime", "fcgid"];

struct Site {
    apache: Apache,
    _documents: TempDir,
}

impl Site {
    /// Everything below `/protected/` needs a ticket as well as a user.
    fn start() -> Site {
        let documents = documents();
        let program = documents.path().join("programs/authorizer");
        copy_program(PROGRAM, &program);
        for name in ["protected/show.fcgi", "show.fcgi"] {
            copy_program(PROGRAM, &documents.path().join(name));
        }
        let config = format!(
            r#"
TypesConfig /dev/null
AddType text/plain .txt
<LocationMatch "\.fcgi$">
Options +ExecCGI
SetHandler fcgid-script
</LocationMatch>
<Location /protected/>
AuthType Basic
AuthName "the site"
FcgidAccessChecker {program}
FcgidAuthenticator {program}
FcgidAuthorizer {program}
Require valid-user
</Location>
"#,
            program = program.display(),
        );
        Site {
            apache: Apache::start(documents.path(), &MODULES, &config),
            _documents: documents,
        }
    }

    fn client(&self) -> Client {
        Client::connect(self.apache.address())
    }

    /// Stops it. Every program has to have ended by itself when Apache told it to (SIGTERM), and
    /// without an incident.
    fn stop(mut self) {
        let log = self.apache.stop();
        let ends: Vec<_> = log
            .lines()
            .filter(|line| line.contains(") exit("))
            .collect();
        let good = "exit(shutting down), terminated by calling exit(), return code: 0";
        assert!(
            !ends.is_empty() && ends.iter().all(|end| end.ends_with(good)),
            "{log}"
        );
        assert!(!log.contains("fastcgi: "), "{log}");
    }
}

/// A user with a ticket.
fn admitted(request: Request, name: &str) -> Request {
    known(ticket(request, "good"), name)
}

#[track_caller]
fn assert_denied(page: &Response, shown: &str) {
    assert_eq!(page.status, 401);
    assert_eq!(page.all("X-Reason"), [format!("not with {shown:?}")]);
    assert_ne!(page.text(), PAGE);
}

#[test]
fn each_stage_has_its_say() {
    let site = Site::start();
    let mut client = site.client();
    for round in 0..20 {
        let page = Request::get("/protected/page.txt");
        let granted = client.call(&admitted(page.clone(), "alice"));
        assert_eq!(
            (granted.status, granted.text().as_str()),
            (200, PAGE),
            "{round}"
        );
        let ticket = |request: &Request, shown| ticket(request.clone(), shown);
        assert_denied(&client.call(&known(ticket(&page, "bad"), "alice")), "bad");
        let guess = user(ticket(&page, "good"), "alice", "guessed");
        assert_denied(&client.call(&guess), "alice");
        assert_denied(
            &client.call(&known(ticket(&page, "good"), "mallory")),
            "mallory",
        );
        let nobody = client.call(&ticket(&page, "good"));
        assert_eq!((nobody.status, nobody.field("X-Reason")), (401, None));
    }
    let open = client.call(&Request::get("/open.txt"));
    assert_eq!((open.status, open.text().as_str()), (200, "for all"));
    site.stop();
}

#[test]
fn the_program_behind_it_sees_the_variables() {
    let site = Site::start();
    let mut client = site.client();
    let page = client.call(&admitted(Request::get("/protected/show.fcgi"), "alice"));
    assert_eq!(shown(&page, "TICKET"), "good");
    for name in ["AUTHN", "AUTHZ", "REMOTE_USER"] {
        assert_eq!(shown(&page, name), "alice");
    }
    // One process has judged all three stages.
    assert_eq!(shown(&page, "JUDGED"), "1, 2, 3");
    let page = client.call(&Request::get("/show.fcgi"));
    assert_eq!(page.text(), "BODY=0 None\n");
    site.stop();
}

#[test]
fn a_body_is_the_responders() {
    let site = Site::start();
    bodies(site.apache.address(), |request| admitted(request, "alice"));
    let denied = Request::post_pattern("/protected/show.fcgi", 100_000);
    assert_denied(&site.client().call(&ticket(denied, "bad")), "bad");
    site.stop();
}

/// Several processes judge here, so there is no telling how many requests each has had.
#[test]
fn one_request_tells_nothing_to_the_next() {
    let site = Site::start();
    let deny = |client: &mut Client, show: &Request| {
        let page = client.call(&known(ticket(show.clone(), "bad"), "alice"));
        assert_denied(&page, "bad");
        assert_eq!(client.call(&ticket(show.clone(), "good")).status, 401);
    };
    let judged = turns(site.apache.address(), "AUTHN", admitted, deny);
    assert!(judged.last() >= Some(&TURNS), "{judged:?}");
    site.stop();
}
