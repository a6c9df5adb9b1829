//! What counts, and what the observer sees.

use std::io::{self, Write};
use std::mem;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fcgi_tests::hand::{REQUEST_COMPLETE, STDIN, STDOUT, end_request, read_record, stream};
use fcgi_tools::load::{self, Extent, MAX_DEPTH, Observer, Plan, Report};

use crate::peer::Peer;
use crate::plan;

/// A peer that counts what it answers.
fn counting() -> (Peer, Arc<AtomicU64>) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let peer = Peer::answering(move |id| {
        counted.fetch_add(1, Ordering::SeqCst);
        answer(id)
    });
    (peer, count)
}

fn answer(id: u16) -> Vec<u8> {
    let stdout = stream(STDOUT, id, b"Content-Type: text/plain\n\n");
    [stdout, end_request(id, 0, REQUEST_COMPLETE)].concat()
}

#[derive(Default)]
struct Notes {
    seen: Vec<&'static str>,
    answered_before: u64,
    count: Arc<AtomicU64>,
    breaks: bool,
}

impl Observer for Notes {
    fn measuring(&mut self) {
        self.seen.push("measuring");
        self.answered_before = self.count.load(Ordering::SeqCst);
    }

    fn measured(&mut self) {
        self.seen.push("measured");
    }

    fn progress(&mut self, so_far: &Report) -> ControlFlow<()> {
        assert!(so_far.elapsed > Duration::ZERO);
        if self.breaks && so_far.answers > 0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

#[test]
fn a_warm_up_does_not_count() {
    let (peer, count) = counting();
    let mut notes = Notes {
        count: Arc::clone(&count),
        ..Notes::default()
    };
    let plan = Plan {
        warm_up: Some(Extent::Requests(100)),
        ..plan(&peer.address(), 50)
    };
    let report = load::run(&plan, &mut notes).unwrap();
    assert_eq!(report.answers, 50);
    assert_eq!(count.load(Ordering::SeqCst), 150);
    assert_eq!(notes.seen, ["measuring", "measured"]);
    assert!(notes.answered_before >= 100, "{}", notes.answered_before);
}

/// More requests are answered at once than the warm-up needed: as many more are sent.
#[test]
fn a_warm_up_that_is_exceeded_takes_nothing_away() {
    let peer = Peer::start(|_, mut connection| {
        let mut held = 0;
        let mut answers = Vec::new();
        while let Ok(Some(record)) = read_record(&mut connection) {
            if record.kind != STDIN || !record.content.is_empty() {
                continue;
            }
            answers.extend(answer(record.id));
            held += 1;
            if held != 1 {
                connection.write_all(&mem::take(&mut answers)).unwrap();
            }
        }
    });
    let plan = Plan {
        warm_up: Some(Extent::Requests(1)),
        depth: 2,
        ..plan(&peer.address(), 1)
    };
    let report = load::run(&plan, &mut ()).unwrap();
    assert_eq!((report.answers, report.gave_up), (1, false));
}

#[test]
fn connections_that_were_not_needed_do_not_starve() {
    let (peer, _) = counting();
    let plan = Plan {
        connections: 8,
        ..plan(&peer.address(), 2)
    };
    let report = load::run(&plan, &mut ()).unwrap();
    assert_eq!((report.answers, report.never_served), (2, 0));
}

#[test]
fn a_run_by_the_clock_ends_by_it() {
    let (peer, count) = counting();
    let mut notes = Notes::default();
    let time = Duration::from_millis(50);
    let plan = Plan {
        warm_up: Some(Extent::Time(time)),
        extent: Extent::Time(time),
        ..plan(&peer.address(), 0)
    };
    let report = load::run(&plan, &mut notes).unwrap();
    assert!(report.elapsed >= time);
    assert!(report.answers <= count.load(Ordering::SeqCst));
    assert_eq!(report.failures.total(), 0);
    assert_eq!(notes.seen, ["measuring", "measured"]);
}

#[test]
fn the_observer_can_end_a_run() {
    let (peer, _) = counting();
    let mut notes = Notes {
        breaks: true,
        ..Notes::default()
    };
    let plan = Plan {
        extent: Extent::Time(Duration::from_secs(3600)),
        ..plan(&peer.address(), 0)
    };
    let report = load::run(&plan, &mut notes).unwrap();
    assert!(report.answers > 0 && !report.gave_up);
    assert_eq!(notes.seen, ["measuring", "measured"]);
}

#[test]
fn a_warm_up_that_gets_stuck_leaves_nothing_to_report() {
    let peer = Peer::start(|_, stream| std::mem::forget(stream));
    let mut notes = Notes::default();
    let plan = Plan {
        warm_up: Some(Extent::Requests(1)),
        patience: Duration::from_millis(50),
        ..plan(&peer.address(), 1)
    };
    let report = load::run(&plan, &mut notes).unwrap();
    assert!(report.gave_up);
    assert_eq!((report.ended(), report.never_served), (0, 1));
    assert!(notes.seen.is_empty());
}

#[test]
fn plans_that_cannot_be_run() {
    let good = plan("127.0.0.1:1", 1);
    let plans = [
        Plan {
            connections: 0,
            ..good.clone()
        },
        Plan {
            depth: 0,
            ..good.clone()
        },
        Plan {
            depth: MAX_DEPTH + 1,
            ..good.clone()
        },
        Plan {
            patience: Duration::ZERO,
            ..good
        },
    ];
    for plan in plans {
        let error = load::run(&plan, &mut ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{plan:?}");
    }
}
