//! Children that start, end and start again.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use fcgi_listen::{Address, Listener, Options};
use fcgi_process::{Event, Program, Supervisor};
use rustix::process::{Pid, Signal, WaitOptions, getpgid, kill_process, waitpid};

use crate::kit::{End, PATIENCE, Seen, Watched, runs, shell, sleeper, supervisor};

const LONG: Duration = Duration::from_secs(100);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn all_children_have_the_socket_as_descriptor_0_and_a_group_of_their_own() {
    let address: Address = "127.0.0.1:0".parse().unwrap();
    let listener = Listener::bind(&address, &Options::new()).unwrap();
    let socket = rustix::fs::fstat(listener.as_fd()).unwrap().st_ino;
    let watched = Watched::start(
        Supervisor::new(listener, sleeper())
            .children(3)
            .allow_root(true),
    );
    let pids = watched.started(3);
    assert_eq!(pids.iter().collect::<HashSet<_>>().len(), 3);
    for pid in pids {
        // There, and nowhere else.
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let numbers: Vec<_> = descriptors
            .map(|entry| entry.unwrap().path())
            .filter(|path| fs::metadata(path).is_ok_and(|file| file.ino() == socket))
            .filter_map(|path| path.file_name().map(ToOwned::to_owned))
            .collect();
        assert_eq!(numbers, ["0"]);
        let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
        assert_eq!(getpgid(Some(pid)).unwrap(), pid);
    }
}

#[test]
fn crashes_back_off_each_place_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    // The first to come lives.
    let script = "mkdir taken 2>/dev/null && exec sleep 1000; exit 3";
    let program = shell(script).current_dir(folder.path());
    let watched = Watched::start(supervisor(program).children(2).backoff(ms(10), LONG));
    let mut pids = watched.started(2);
    for pause in [10, 20, 40, 80, 160] {
        let (pid, end, restart) = watched.ended();
        assert_eq!((end, restart), (End::Status(3), Some(ms(pause))));
        pids.retain(|one| *one != pid);
        pids.extend(watched.started(1));
    }
    assert!(runs(pids[0]), "the other child is left alone");
}

#[test]
fn a_signal_is_a_crash() {
    let watched = Watched::start(supervisor(shell("kill -9 $$")).backoff(ms(10), LONG));
    let pids = watched.started(1);
    assert_eq!(watched.ended(), (pids[0], End::Signal(9), Some(ms(10))));
    watched.started(1);
    assert_eq!(watched.ended().2, Some(ms(20)));
}

#[test]
fn status_0_is_replaced_at_once() {
    let watched = Watched::start(supervisor(shell("sleep 0.05")).backoff(ms(20), LONG));
    for _ in 0..4 {
        let pids = watched.started(1);
        let end = watched.ended();
        assert_eq!(end, (pids[0], End::Status(0), Some(Duration::ZERO)));
    }
}

#[test]
fn status_0_right_after_the_start_backs_off() {
    let watched = Watched::start(supervisor(shell("exit 0")).backoff(LONG, LONG));
    watched.started(1);
    let (_, end, restart) = watched.ended();
    assert_eq!((end, restart), (End::Status(0), Some(LONG)));
}

#[test]
fn children_learn_how_many_requests_they_may_serve() {
    let script = r#"[ "$FCGI_MAX_REQUESTS" = 7 ] && exit 5; exit 6"#;
    let seven = NonZeroU64::new(7).unwrap();
    let watched = Watched::start(supervisor(shell(script)).max_requests(seven));
    watched.started(1);
    assert_eq!(watched.ended().1, End::Status(5));
}

#[test]
fn children_with_few_requests_are_only_kept_apart() {
    let one = NonZeroU64::new(1).unwrap();
    let supervisor = supervisor(shell("exit 0"))
        .max_requests(one)
        .backoff(ms(200), LONG);
    let watched = Watched::start(supervisor);
    for _ in 0..5 {
        watched.started(1);
        let (_, end, restart) = watched.ended();
        assert_eq!(end, End::Status(0));
        assert!(restart.unwrap() < ms(200), "{restart:?}");
    }
}

#[test]
fn a_program_that_cannot_be_started_is_an_error() {
    let missing = Program::new("/nonexistent/app");
    let error = supervisor(missing).children(3).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error
            .to_string()
            .starts_with("cannot run /nonexistent/app: ")
    );
    // It is not the program that is missing.
    let elsewhere = sleeper().current_dir("/nonexistent");
    let error = supervisor(elsewhere).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error
            .to_string()
            .starts_with("cannot run sleep in /nonexistent: ")
    );
    let error = supervisor(sleeper()).children(0).start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_program_that_goes_missing_later_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let (app, aside) = (folder.path().join("app"), folder.path().join("aside"));
    std::os::unix::fs::symlink("/bin/sh", &app).unwrap();
    let program = Program::new(&app).arg("-c").arg("sleep 0.3; exit 4");
    let watched = Watched::start(supervisor(program).backoff(ms(10), LONG));
    fs::rename(&app, &aside).unwrap();
    watched.started(1);
    assert_eq!(watched.ended().1, End::Status(4));
    for pause in [20, 40, 80] {
        let wanted = Seen::NotStarted(ErrorKind::NotFound, Some(ms(pause)));
        assert_eq!(watched.next(), wanted);
    }
    fs::rename(&aside, &app).unwrap();
    while let Seen::NotStarted(..) = watched.next() {}
    assert_eq!(watched.ended().1, End::Status(4));
}

#[test]
fn other_children_of_the_process_are_left_alone() {
    let watched = Watched::start(supervisor(shell("exit 3")).backoff(ms(1), ms(1)));
    let mut others: Vec<_> = (0..20)
        .map(|_| Command::new("sh").args(["-c", "exit 7"]).spawn().unwrap())
        .collect();
    for _ in 0..20 {
        watched.started(1);
        assert_eq!(watched.ended().1, End::Status(3));
    }
    for other in &mut others {
        assert_eq!(other.wait().unwrap().code(), Some(7));
    }
}

#[test]
fn an_end_that_somebody_else_waited_for_is_noticed() {
    let (events, seen) = mpsc::channel();
    let supervised = supervisor(sleeper())
        .backoff(ms(10), LONG)
        .on_event(move |event| {
            // Before the supervisor can look again.
            if let Event::Started { pid, .. } = event {
                let pid = Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
                kill_process(pid, Signal::KILL).unwrap();
                waitpid(Some(pid), WaitOptions::empty()).unwrap();
            }
            let _ = events.send(Seen::of(event));
        })
        .start()
        .unwrap();
    for pause in [10, 20, 40] {
        let next = || seen.recv_timeout(PATIENCE).unwrap();
        let Seen::Started(pid) = next() else {
            panic!("no start");
        };
        assert_eq!(next(), Seen::Ended(pid, End::Unknown, Some(ms(pause))));
    }
    supervised.stop(Duration::ZERO);
    supervised.wait().unwrap();
}
