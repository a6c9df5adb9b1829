//! Applications that are started, and by whom.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::thread;

use fcgi_tests::address::Address;
use fcgi_tests::process::Running;
use rustix::process::{Pid, Signal, geteuid, getsid, kill_process, kill_process_group};

use crate::kit::{
    Place, Ran, cgi_fcgi, children, exists, finish, run, run_with, spawn, wait_until,
};

/// Has the application's processes tell of themselves.
fn ask(place: &Place) -> Ran {
    run(&mut cgi_fcgi(&["-bind", "-connect", &place.socket()]))
}

/// `-connect SOCKET APP`, which starts it if nobody listens.
fn bridge(place: &Place) -> std::process::Command {
    cgi_fcgi(&["--allow-root", "-connect", &place.socket(), &place.app()])
}

#[test]
fn start_returns_when_the_socket_listens() {
    let place = Place::new();
    let start = [
        "-start",
        "--allow-root",
        "-connect",
        &place.socket(),
        &place.app(),
        "3",
    ];
    let ran = run(&mut cgi_fcgi(&start));
    assert_eq!((ran.status, &ran.stderr[..]), (0, ""));
    assert!(ran.stdout.is_empty());

    let told = ask(&place);
    assert_eq!(told.status, 0, "{told:?}");
    let processes = children(told.id("supervisor"));
    assert_eq!(processes.len(), 3);
    assert!(processes.contains(&told.id("process")));

    let again = run(&mut cgi_fcgi(&start));
    assert_eq!(again.status, 1);
    assert!(
        again.stderr.contains("another process listens"),
        "{}",
        again.stderr
    );
    assert_eq!(children(told.id("supervisor")), processes);
}

#[test]
fn the_bridge_starts_what_does_not_run() {
    let place = Place::new();
    let first = run(bridge(&place).env("EXIT", "9"));
    assert_eq!(first.status, 9, "{first:?}");
    let second = run_with(
        bridge(&place).env("ECHO", "yes").env("CONTENT_LENGTH", "5"),
        b"hello",
    );
    assert_eq!((second.status, second.body()), (0, &b"hello"[..]));
    assert_eq!(place.supervisors(), [first.id("supervisor")]);
}

#[test]
fn two_starters_at_once_start_one() {
    let place = Place::new();
    // Also while a stale socket lies there, which the one that starts replaces.
    drop(std::os::unix::net::UnixListener::bind(place.socket()).unwrap());
    let all: Vec<Ran> = thread::scope(|scope| {
        let bridges: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| run(&mut bridge(&place))))
            .collect();
        bridges.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for ran in &all {
        assert_eq!(ran.status, 0, "{ran:?}");
        assert_eq!(ran.id("process"), all[0].id("process"));
    }
    assert_eq!(place.supervisors(), [all[0].id("supervisor")]);
}

/// Over TCP there is no lock, as nobody can take an address that is in use.
#[test]
fn starters_over_tcp() {
    let place = Place::new();
    let address = Address::free_tcp().to_string();
    let bridge = |address: &str| {
        run(&mut cgi_fcgi(&[
            "--allow-root",
            "-connect",
            address,
            &place.app(),
        ]))
    };
    let all: Vec<Ran> = thread::scope(|scope| {
        let bridges: Vec<_> = (0..4).map(|_| scope.spawn(|| bridge(&address))).collect();
        bridges.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let supervisor = all[0].id("supervisor");
    for ran in &all {
        assert_eq!(
            (ran.status, ran.id("supervisor")),
            (0, supervisor),
            "{ran:?}"
        );
    }
    let (_, port) = address.rsplit_once(':').unwrap();
    let local = run(&mut cgi_fcgi(&["-bind", "-connect", &format!(":{port}")]));
    assert_eq!(local.id("supervisor"), supervisor);
    assert_eq!(place.supervisors(), [supervisor]);
}

/// What the web server does to a CGI program and all that belongs to it must not reach an
/// application that is there for the next request, too.
#[test]
fn a_started_application_outlives_its_starter() {
    let place = Place::new();
    let child = spawn(bridge(&place).process_group(0));
    let group = Pid::from_child(&child);
    // That the output comes to its end shows that the application does not hold it.
    let ran = finish(child);
    let (process, supervisor) = (ran.id("process"), ran.id("supervisor"));
    assert!(
        kill_process_group(group, Signal::KILL).is_err(),
        "nobody is left in the group of the CGI program"
    );
    for id in [process, supervisor] {
        let session = getsid(Pid::from_raw(id)).unwrap();
        assert_eq!(session.as_raw_nonzero().get(), supervisor);
    }
    for (descriptor, wanted) in [(1, "/dev/null"), (2, "/dev/null")] {
        let link = fs::read_link(format!("/proc/{process}/fd/{descriptor}")).unwrap();
        assert_eq!(link.to_str(), Some(wanted));
    }
    assert_eq!(ask(&place).id("process"), process);
}

#[test]
fn an_application_that_dies_is_started_again() {
    let place = Place::new();
    let first = run(&mut bridge(&place)).id("process");
    kill_process(Pid::from_raw(first).unwrap(), Signal::KILL).unwrap();
    // Connections wait until another process accepts them.
    wait_until("an answer of another process", || {
        let told = ask(&place);
        told.status == 0 && told.id("process") != first
    });
}

/// The application does not see the request that it was started for, but in PARAMS.
#[test]
fn the_environment_of_a_started_application() {
    let place = Place::new();
    let ran = run(bridge(&place)
        .env("GATEWAY_INTERFACE", "CGI/1.1")
        .env("HTTP_COOKIE", "secret")
        .env("QUERY_STRING", "secret")
        .env("LANG", "C.UTF-8"));
    assert_eq!(ran.value("own.LANG"), "C.UTF-8");
    assert!(!ran.text().contains("secret"), "{ran:?}");
}

#[test]
fn settings_of_what_is_started() {
    let place = Place::new();
    let ran = run(&mut cgi_fcgi(&[
        "-start",
        "--allow-root",
        "--socket-mode",
        "640",
        "--socket-user",
        &format!("{}", geteuid().as_raw()),
        "--max-requests",
        "12345",
        "-connect",
        &place.socket(),
        &place.app(),
    ]));
    assert_eq!(ran.status, 0, "{ran:?}");
    let mode = fs::metadata(place.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert_eq!(ask(&place).value("own.FCGI_MAX_REQUESTS"), "12345");
}

#[test]
fn what_cannot_be_started() {
    let place = Place::new();
    let plain = place.path("plain");
    fs::write(&plain, "").unwrap();
    let app = place.app();
    for (arguments, told) in [
        (
            &["/no/such/program"][..],
            "cannot run /no/such/program: No such file",
        ),
        (&[plain.to_str().unwrap()], "plain: Permission denied"),
        (
            &["--user", "no-such-user", &app],
            "there is no user \"no-such-user\"",
        ),
    ] {
        let socket = place.socket();
        let connect = ["--allow-root", "-connect", &socket];
        let start = run(&mut cgi_fcgi(
            &[&["-start"], &connect[..], arguments].concat(),
        ));
        assert_eq!(start.status, 1, "{start:?}");
        assert!(start.stderr.contains(told), "{}", start.stderr);
        let bridge = run(&mut cgi_fcgi(&[&connect[..], arguments].concat()));
        assert_eq!(bridge.status, 69);
        assert!(bridge.stdout.starts_with(b"Status: 503 "), "{bridge:?}");
        assert!(bridge.stderr.contains(told), "{}", bridge.stderr);
        assert!(!exists(&socket));
    }
    wait_until("no supervisor is left", || place.supervisors().is_empty());
}

/// A program that crashes: who starts it is told, and no client waits for it in vain.
#[test]
fn what_crashes_at_once() {
    let place = Place::new();
    let app = place.write("broken", "#!/bin/sh\nexit 3\n");
    let socket = place.socket();
    let app = app.to_str().unwrap();
    let arguments = ["--allow-root", "-connect", &socket, app, "2"];
    // On a slow machine it may come to its end only when nobody waits for it any more.
    wait_until("a start fails", || {
        let ran = run(&mut cgi_fcgi(&[&["-start"], &arguments[..]].concat()));
        wait_until("the supervisor gives up", || place.supervisors().is_empty());
        ran.status == 1 && ran.stderr.contains("end as soon as")
    });
    assert!(!exists(&socket));
    let ran = run(&mut cgi_fcgi(&arguments));
    assert!(ran.stdout.starts_with(b"Status: 50"), "{ran:?}");
}

/// A program that ends by itself, as a CGI program does: no client waits for it for ever.
#[test]
fn what_serves_nobody() {
    let place = Place::new();
    let app = place.write("other", "#!/bin/sh\n");
    let arguments = [
        "--allow-root",
        "-connect",
        &place.socket(),
        app.to_str().unwrap(),
    ];
    let ran = run(&mut cgi_fcgi(&arguments));
    assert!(ran.stdout.starts_with(b"Status: 50"), "{ran:?}");
    wait_until("the supervisor gives up", || place.supervisors().is_empty());
    // On a slow machine it may come to its end only when nobody waits for it any more.
    wait_until("a start fails", || {
        let ran = run(&mut cgi_fcgi(&[&["-start"], &arguments[..]].concat()));
        wait_until("the supervisor gives up", || place.supervisors().is_empty());
        ran.status == 1 && ran.stderr.contains("end as soon as")
    });
}

/// Only who says so serves as root; others are not asked.
#[test]
fn root_is_refused() {
    let place = Place::new();
    let ran = run(&mut cgi_fcgi(&[
        "-start",
        "-connect",
        &place.socket(),
        &place.app(),
    ]));
    let (status, said) = match geteuid().is_root() {
        true => (1, true),
        false => (0, false),
    };
    assert_eq!(ran.status, status, "{ran:?}");
    assert_eq!(ran.stderr.contains("--allow-root"), said, "{}", ran.stderr);
}

#[test]
fn supervise_stays_until_it_is_told_to_end() {
    let place = Place::new();
    let arguments = [
        "-supervise",
        "--allow-root",
        "-connect",
        &place.socket(),
        &place.app(),
        "2",
    ];
    let mut running = Running::start(&mut cgi_fcgi(&arguments));
    running.wait_for(&Address::Unix(place.path("sock")));
    let told = ask(&place);
    let supervisor = i32::try_from(running.id()).unwrap();
    assert_eq!(told.id("supervisor"), supervisor);
    assert_eq!(children(supervisor).len(), 2);
    running.signal(Signal::TERM);
    let status = running.wait(crate::kit::PATIENCE).expect("it ends");
    assert!(status.success(), "{status}");
    assert!(!exists(&place.socket()));
    assert!(
        running.log().contains("cgi-fcgi: child 2 started"),
        "{}",
        running.log()
    );
}

/// Nobody waits for somebody to listen at the path of a file.
#[test]
fn a_file_in_the_place_of_the_socket() {
    let place = Place::new();
    fs::write(place.socket(), "").unwrap();
    let ran = run(&mut bridge(&place));
    assert_eq!(ran.status, 69, "{ran:?}");
    let why = "the path exists and is not a socket";
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
}
