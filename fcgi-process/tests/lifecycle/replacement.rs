//! New children for old ones.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use fcgi_process::{Program, Supervised};

use crate::kit::{End, PATIENCE, Seen, Watched, runs, sleeper, supervisor, wait_until};

const SETTLE: Duration = Duration::from_millis(200);
const SIGTERM: i32 = 15;

/// Puts a script in the place of a program, as an installation does it.
///
/// Another process writes it: a file that this one has open for writing would be open in the children
/// that other tests are starting, too, and cannot be run meanwhile.
fn install(app: &Path, script: &str) {
    let (new, ready) = (app.with_extension("new"), app.with_extension("ready"));
    let text = format!("#!/bin/sh\necho >> {ready:?}\n{script}\n");
    let written = Command::new("sh")
        .args(["-c", "printf %s \"$1\" > \"$0\""])
        .args([new.as_os_str(), OsStr::new(&text)])
        .status();
    assert!(written.unwrap().success());
    fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(&new, app).unwrap();
}

/// Waits until as many children have read their script, and the next can be installed.
fn wait_ready(app: &Path, count: u64) {
    let ready = app.with_extension("ready");
    wait_until("children that are ready", || {
        fs::metadata(&ready).is_ok_and(|ready| ready.len() >= count)
    });
}

#[test]
fn new_children_come_before_the_old_ones_go() {
    let watched = Watched::start(supervisor(sleeper()).children(2).settle(SETTLE));
    let mut old = watched.started(2);
    for _ in 0..2 {
        watched.supervised.reload();
        assert_eq!(watched.next(), Seen::Begun);
        let new = watched.started(2);
        assert_eq!(watched.next(), Seen::Settled);
        let mut gone = vec![watched.ended(), watched.ended()];
        gone.sort_by_key(|(pid, ..)| *pid);
        old.sort_unstable();
        let wanted: Vec<_> = old
            .iter()
            .map(|pid| (*pid, End::Signal(SIGTERM), None))
            .collect();
        assert_eq!(gone, wanted);
        assert_eq!(watched.next(), Seen::Done);
        assert!(new.iter().all(|pid| runs(*pid)));
        old = new;
    }
}

#[test]
fn a_broken_program_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app");
    install(&app, "exec sleep 1000");
    // Only the first of two new children breaks; the other has to go as well.
    let broken = format!(
        "mkdir {:?} 2>/dev/null && exit 9; exec sleep 1000",
        app.with_extension("d")
    );
    let program = Program::new(&app);
    let watched = Watched::start(supervisor(program).children(2).settle(PATIENCE));
    let old = watched.started(2);
    wait_ready(&app, 2);

    install(&app, &broken);
    watched.supervised.reload();
    assert_eq!(watched.next(), Seen::Begun);
    let mut new = watched.started(2);
    let (pid, end, restart) = watched.ended();
    assert_eq!((end, restart), (End::Status(9), None));
    new.retain(|one| *one != pid);
    assert_eq!(watched.next(), Seen::GivenUp);
    assert_eq!(watched.ended(), (new[0], End::Signal(SIGTERM), None));

    fs::remove_file(&app).unwrap();
    watched.supervised.reload();
    assert_eq!(watched.next(), Seen::Begun);
    let wanted = Seen::NotStarted(ErrorKind::NotFound, None);
    assert_eq!(watched.next(), wanted);
    assert_eq!(watched.next(), Seen::GivenUp);
    assert!(old.iter().all(|pid| runs(*pid)));

    watched.supervised.stop(PATIENCE);
    assert_eq!(watched.next(), Seen::Stopping);
    for _ in 0..2 {
        assert!(old.contains(&watched.ended().0));
    }
    assert_eq!(watched.wait(), [Seen::Stopped]);
}

#[test]
fn the_old_children_are_restarted_while_the_new_ones_settle() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app");
    let die = folder.path().join("die");
    install(
        &app,
        &format!("until [ -e {die:?} ]; do sleep 0.02; done; exit 8"),
    );
    let program = Program::new(&app);
    let watched = Watched::start(supervisor(program).settle(Duration::from_secs(5)));
    let old = watched.started(1);
    wait_ready(&app, 1);
    install(&app, "exec sleep 1000");
    watched.supervised.reload();
    assert_eq!(watched.next(), Seen::Begun);
    let new = watched.started(1);
    fs::write(&die, "").unwrap();
    let (pid, end, restart) = watched.ended();
    assert_eq!((pid, end), (old[0], End::Status(8)));
    assert_eq!(restart, Some(Duration::from_millis(100)));
    let between = watched.started(1);
    assert_eq!(watched.next(), Seen::Settled);
    assert_eq!(watched.ended(), (between[0], End::Signal(SIGTERM), None));
    assert_eq!(watched.next(), Seen::Done);
    assert!(runs(new[0]));
}

#[test]
fn new_children_that_have_served_their_requests_have_settled() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app");
    install(&app, "exec sleep 1000");
    let supervisor = supervisor(Program::new(&app))
        .max_requests(NonZeroU64::MIN)
        .settle(Duration::from_secs(3));
    let watched = Watched::start(supervisor);
    let old = watched.started(1)[0];
    wait_ready(&app, 1);
    install(&app, "sleep 0.3");
    watched.supervised.reload();
    assert_eq!(watched.next(), Seen::Begun);
    let mut ends = 0;
    loop {
        match watched.next() {
            Seen::Started(_) => {}
            Seen::Ended(pid, end, Some(_)) if pid != old => {
                assert_eq!(end, End::Status(0));
                ends += 1;
            }
            Seen::Settled => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(ends > 0);
}

/// One of them was due to be restarted, and cannot be: it is not tried again.
#[test]
fn new_children_that_cannot_be_restarted_are_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let app = folder.path().join("app");
    install(&app, "exec sleep 1000");
    let supervisor = supervisor(Program::new(&app))
        .max_requests(NonZeroU64::MIN)
        .settle(PATIENCE);
    let watched = Watched::start(supervisor);
    let old = watched.started(1)[0];
    wait_ready(&app, 1);
    install(&app, "rm \"$0\"");
    watched.supervised.reload();
    assert_eq!(watched.next(), Seen::Begun);
    watched.started(1);
    assert_eq!(watched.ended().1, End::Status(0));
    let wanted = [
        Seen::NotStarted(ErrorKind::NotFound, None),
        Seen::GivenUp,
        Seen::Stopping,
        Seen::Ended(old, End::Signal(SIGTERM), None),
        Seen::Stopped,
    ];
    assert_eq!([watched.next(), watched.next()], wanted[..2]);
    watched.supervised.stop(PATIENCE);
    assert_eq!(watched.wait(), wanted[2..]);
}

#[test]
fn a_request_for_replacement_during_one_is_remembered() {
    let (events, seen) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    let supervised: Supervised = supervisor(sleeper())
        .settle(Duration::from_millis(50))
        .on_event(move |event| {
            let event = Seen::of(event);
            let is_begun = event == Seen::Begun;
            events.send(event).unwrap();
            if is_begun {
                // Until the test has said all it has to say.
                gate.recv_timeout(PATIENCE).unwrap();
            }
        })
        .start()
        .unwrap();
    let next = || seen.recv_timeout(PATIENCE).unwrap();
    let until = |wanted: &Seen| while &next() != wanted {};
    supervised.reload();
    until(&Seen::Begun);
    for _ in 0..3 {
        supervised.reload();
    }
    open.send(()).unwrap();
    until(&Seen::Done);
    // All three are one.
    assert_eq!(next(), Seen::Begun);
    open.send(()).unwrap();
    until(&Seen::Done);
    supervised.stop(PATIENCE);
    supervised.wait().unwrap();
    let rest: Vec<_> = seen.iter().collect();
    assert!(!rest.contains(&Seen::Begun), "{rest:?}");
}

#[test]
fn a_stop_during_a_replacement_stops_all() {
    let watched = Watched::start(supervisor(sleeper()).children(2).settle(PATIENCE));
    let mut pids = watched.started(2);
    watched.supervised.reload();
    assert_eq!(watched.next(), Seen::Begun);
    pids.extend(watched.started(2));
    watched.supervised.stop(PATIENCE);
    assert_eq!(watched.next(), Seen::Stopping);
    for _ in 0..4 {
        let (pid, end, restart) = watched.ended();
        assert!(pids.contains(&pid));
        assert_eq!((end, restart), (End::Signal(SIGTERM), None));
    }
    assert_eq!(watched.wait(), [Seen::Stopped]);
}
