//! As a CGI program under fcgiwrap, by a command file that starts the application.

use std::thread;

use fcgi_tests::fcgiwrap::Fcgiwrap;

use crate::kit::{Place, Ran, cgi_fcgi, run};

/// Ten clients come at once while nothing runs: one application is started, which answers all of
/// them and those that come later, and holds none of their pipes open.
#[test]
fn a_command_file_as_a_cgi_program() {
    let place = Place::new();
    let text = format!(
        "#!{} -f\n--allow-root -connect {}\n{} 2\n",
        env!("CARGO_BIN_EXE_cgi-fcgi"),
        place.socket(),
        place.app()
    );
    let program = place.write("app.cgi", &text);
    let fcgiwrap = Fcgiwrap::start(3);
    let address = fcgiwrap.address().to_string();
    // Our own bridge is the web server in front of fcgiwrap.
    let request = || {
        let mut command = cgi_fcgi(&["-bind", "-connect", &address]);
        command
            .env("SCRIPT_FILENAME", &program)
            .env("GATEWAY_INTERFACE", "CGI/1.1")
            .env("REQUEST_METHOD", "GET")
            .env("QUERY_STRING", "words+of+a+query");
        run(&mut command)
    };
    let all: Vec<Ran> = thread::scope(|scope| {
        let clients: Vec<_> = (0..10).map(|_| scope.spawn(request)).collect();
        clients.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let supervisor = all[0].id("supervisor");
    for ran in all {
        assert_eq!(
            (ran.status, ran.id("supervisor")),
            (0, supervisor),
            "{ran:?}"
        );
    }
    drop(fcgiwrap);
    let direct = run(&mut cgi_fcgi(&["-bind", "-connect", &place.socket()]));
    assert_eq!(direct.id("supervisor"), supervisor);
}
