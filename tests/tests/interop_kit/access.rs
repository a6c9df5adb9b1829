//! The Authorizers among the examples, behind the web servers that ask one.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fcgi_tests::address::Address;
use fcgi_tests::apache::{self, Apache, share, shared_directory};
use fcgi_tests::http::{Client, Request, Response};
use fcgi_tests::lighttpd::{self, Lighttpd};
use fcgi_tests::process::{Running, example};
use tempfile::TempDir;

use crate::site::Inherited;

const PAGE: &str = "for those who may\n";

fn documents() -> TempDir {
    let documents = shared_directory();
    let private = documents.path().join("private");
    fs::create_dir(&private).unwrap();
    share(&private);
    fs::write(private.join("page.txt"), PAGE).unwrap();
    // lighttpd looks for the program behind an Authorizer.
    fs::write(private.join("log.fcgi"), "").unwrap();
    documents
}

fn page(user: &str, password: &str) -> Request {
    let credentials = STANDARD.encode(format!("{user}:{password}"));
    Request::get("/private/page.txt").header("Authorization", format!("Basic {credentials}"))
}

/// What everybody gets to hear who is not the one user.
#[track_caller]
fn assert_asked(answer: &Response) {
    assert_eq!(answer.status, 401, "{}", answer.text());
    assert_eq!(answer.all("WWW-Authenticate"), ["Basic realm=\"Test\""]);
    assert_eq!(answer.text(), "Who are you?\n");
}

#[track_caller]
fn one_user(client: &mut Client) {
    for _ in 0..3 {
        let answer = client.call(&page("doe", "xxxx"));
        assert_eq!((answer.status, answer.text().as_str()), (200, PAGE));
        assert_eq!(answer.field("Variable-AUTHORIZED_USER"), None);
        for (user, password) in [
            ("doe", "xxxy"),
            ("doe", "xxx"),
            ("doe", "xxxxx"),
            ("doe", ""),
            ("dof", "xxxx"),
            ("", "xxxx"),
        ] {
            assert_asked(&client.call(&page(user, password)));
        }
    }
}

#[test]
fn authorizer_behind_lighttpd() {
    let documents = documents();
    let app = Inherited::start("authorizer");
    let config = format!(
        r#"fastcgi.server = ( "/private" => ((
    {}, "mode" => "authorizer", "docroot" => "{}" )) )
"#,
        lighttpd::backend(&app.address),
        documents.path().display()
    );
    let lighttpd = Lighttpd::start(documents.path(), &config);
    let mut client = Client::connect(lighttpd.address());
    one_user(&mut client);
    assert_asked(&client.call(&Request::get("/private/page.txt")));
    for wrong in [
        "Basic",
        "Basic ",
        "Basic ZG9lOnh4eHg=x",
        "Bearer ZG9lOnh4eHg=",
    ] {
        let request = Request::get("/private/page.txt").header("Authorization", wrong);
        assert_asked(&client.call(&request));
    }
}

/// It speaks TCP alone.
#[test]
fn authorizer_behind_mod_authnz_fcgi() {
    let documents = documents();
    let address = Address::free_tcp();
    let mut app = Running::start(example("authorizer").arg(address.to_string()));
    app.wait_for(&address);
    let config = format!(
        r#"
TypesConfig /dev/null
AuthnzFcgiDefineProvider authn Authn {}/
<Location /private/>
AuthType Basic
AuthName "the site"
AuthnzFcgiCheckAuthnProvider Authn RequireBasicAuth On
Require valid-user
</Location>
"#,
        apache::backend(&address)
    );
    let apache = Apache::start(documents.path(), &apache::AUTHNZ_FCGI, &config);
    let mut client = Client::connect(apache.address());
    one_user(&mut client);
    // Without a name Apache asks by itself.
    let answer = client.call(&Request::get("/private/page.txt"));
    assert_eq!(answer.status, 401);
}

/// Behind lighttpd, which asks it twice: may this request pass, and what is the answer?
#[test]
fn log_dump_in_both_roles() {
    let documents = documents();
    let log = Path::new(documents.path()).join("access.log");
    fs::write(&log, "a line of the log\n").unwrap();
    let app = Inherited::start("log-dump");
    let backend = lighttpd::backend(&app.address);
    let config = format!(
        r#"server.modules += ( "mod_setenv" )
setenv.add-environment = ( "LOG_FILE" => "{}" )
fastcgi.server = (
    "/private" => (( {backend}, "mode" => "authorizer", "docroot" => "{}" )),
    ".fcgi" => (( {backend}, "check-local" => "disable" )),
)
"#,
        log.display(),
        documents.path().display()
    );
    let lighttpd = Lighttpd::start(documents.path(), &config);
    let mut client = Client::connect(lighttpd.address());
    for number in 1..=3 {
        let shown = client.call(&Request::get("/private/log.fcgi?showme_the_log"));
        let wanted = format!("Access granted, {number} times by now.\n\na line of the log\n");
        assert_eq!((shown.status, shown.text()), (200, wanted));
        let denied = client.call(&Request::get("/private/log.fcgi?please"));
        let wanted = format!("Access denied, {number} times by now.\n");
        assert_eq!((denied.status, denied.text()), (403, wanted));
        // Past the Authorizer; nor does a header field make a grant.
        let around = Request::get("/log.fcgi?showme_the_log").header("Log-Access", "ACCESS_OK.1");
        let around = client.call(&around);
        let wanted = "The log is for those whom the Authorizer lets in.\n";
        assert_eq!((around.status, around.text().as_str()), (403, wanted));
    }
}
