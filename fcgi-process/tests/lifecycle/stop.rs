//! The end of all children.

use std::fs;
use std::io::ErrorKind;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc;
use std::time::Duration;

use fcgi_listen::{Address, Listener, Options};
use fcgi_process::{Event, Program, Supervisor};
use tempfile::TempDir;

use crate::kit::{End, PATIENCE, Seen, Watched, line_of, runs, shell, sleeper, supervisor};

/// A child that ignores SIGTERM, and has a child of its own that does as well; both say when they
/// are ready, in files of the folder.
fn stubborn(folder: &TempDir) -> Program {
    shell("trap '' TERM; sleep 1000 & echo $! > helper; exec sleep 1000").current_dir(folder.path())
}

#[test]
fn children_that_heed_sigterm_are_not_killed() {
    let watched = Watched::start(supervisor(sleeper()).children(3));
    let pids = watched.started(3);
    watched.supervised.stop(PATIENCE);
    assert_eq!(watched.next(), Seen::Stopping);
    for _ in 0..3 {
        let (pid, end, restart) = watched.ended();
        assert!(pids.contains(&pid));
        assert_eq!((end, restart), (End::Signal(15), None));
    }
    let handle = watched.supervised.handle();
    assert_eq!(watched.wait(), [Seen::Stopped]);
    // Nobody is there any more.
    handle.reload();
    handle.stop(Duration::ZERO);
}

#[test]
fn children_that_do_not_are_killed_with_their_group() {
    let folder = tempfile::tempdir().unwrap();
    let watched = Watched::start(supervisor(stubborn(&folder)));
    let pid = watched.started(1)[0];
    let helper: u32 = line_of(&folder.path().join("helper")).parse().unwrap();
    assert!(runs(helper));
    watched.supervised.stop(Duration::from_millis(100));
    assert_eq!(watched.next(), Seen::Stopping);
    assert_eq!(watched.next(), Seen::Killed(pid));
    assert_eq!(watched.ended(), (pid, End::Signal(9), None));
    assert_eq!(watched.wait(), [Seen::Stopped]);
    crate::kit::wait_until("the end of the helper", || !runs(helper));
}

#[test]
fn the_time_to_end_can_be_shortened_and_not_lengthened() {
    let folder = tempfile::tempdir().unwrap();
    let watched = Watched::start(supervisor(stubborn(&folder)));
    let pid = watched.started(1)[0];
    line_of(&folder.path().join("helper"));
    watched.supervised.stop(Duration::MAX);
    watched.supervised.stop(Duration::ZERO);
    watched.supervised.stop(Duration::MAX);
    let wanted = [Seen::Stopping, Seen::Killed(pid)];
    assert_eq!([watched.next(), watched.next()], wanted);
    assert_eq!(watched.ended().1, End::Signal(9));
    assert_eq!(watched.wait(), [Seen::Stopped]);
}

#[test]
fn nothing_is_started_while_stopping() {
    let watched = Watched::start(supervisor(shell("exit 1")).backoff(PATIENCE, PATIENCE));
    watched.started(1);
    assert_eq!(watched.ended().2, Some(PATIENCE));
    // A place without a child is no reason to wait.
    watched.supervised.stop(Duration::MAX);
    watched.supervised.reload();
    assert_eq!(watched.wait(), [Seen::Stopping, Seen::Stopped]);
}

#[test]
fn a_drop_stops_the_children() {
    let Watched { supervised, events } = Watched::start(supervisor(sleeper()).children(2));
    drop(supervised);
    let seen = events.rest();
    assert_eq!(seen.len(), 6, "{seen:?}");
    assert_eq!((&seen[2], &seen[5]), (&Seen::Stopping, &Seen::Stopped));
}

#[test]
fn a_panic_of_the_callback_kills_the_children() {
    let (sender, started) = mpsc::channel();
    let supervised = supervisor(sleeper())
        .on_event(move |event| match event {
            Event::Started { pid, .. } => sender.send(*pid).unwrap(),
            _ => panic!("on purpose"),
        })
        .start()
        .unwrap();
    let pid = started.recv().unwrap();
    supervised.stop(PATIENCE);
    let panic = panic::catch_unwind(AssertUnwindSafe(|| supervised.wait())).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"on purpose"));
    assert!(!runs(pid));
}

#[test]
fn the_path_of_the_socket_goes_away_with_the_supervisor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = Listener::bind(&Address::Unix(path.clone()), &Options::new()).unwrap();
    let supervisor = Supervisor::new(listener, shell("sleep 0.05"))
        .allow_root(true)
        .backoff(Duration::from_millis(1), PATIENCE);
    let watched = Watched::start(supervisor);
    // Ends of children that had the socket change nothing.
    for _ in 0..3 {
        watched.started(1);
        watched.ended();
    }
    assert!(path.exists());
    watched.supervised.stop(PATIENCE);
    watched.wait();
    let error = fs::symlink_metadata(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Nobody waits in the backlog for children that only finish what they have.
#[test]
fn the_path_goes_away_before_children_that_take_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let bind = || Listener::bind(&Address::Unix(path.clone()), &Options::new()).unwrap();
    let watched = Watched::start(Supervisor::new(bind(), stubborn(&folder)).allow_root(true));
    let pid = watched.started(1)[0];
    line_of(&folder.path().join("helper"));
    watched.supervised.stop(Duration::MAX);
    assert_eq!(watched.next(), Seen::Stopping);
    assert!(runs(pid));
    let next = bind();
    watched.supervised.stop(Duration::ZERO);
    watched.wait();
    assert!(path.exists(), "the next one's");
    drop(next);
    assert!(!path.exists());
}
