//! Everything at once, in an order that only the seed knows.

use fcgi_core::Role;
use fcgi_mio::web_server::{Call, Request, Settings};
use fcgi_mio::{Settings as ServerSettings, whole};
use fcgi_tests::pattern;

use crate::server::App;
use crate::world::*;

/// Numbers that look random (xorshift64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(0x9e37_79b9_7f4a_7c15 ^ seed)
    }

    pub(crate) fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

/// One request under way.
struct Sent {
    call: Option<Call>,
    log: Log,
    size: usize,
    /// How much of a body that is streamed is still to be written.
    written: Option<usize>,
}

fn start(dice: &mut Dice, application: &fcgi_mio::web_server::Application) -> Sent {
    let size = [0, 10, 5000, 70_000, 400_000][dice.below(5)];
    let mut request = Request::new(Role::Responder);
    request.param("CONTENT_LENGTH", size.to_string()).unwrap();
    request.keep_conn(dice.below(10) > 0);
    let is_streamed = dice.below(3) == 0;
    if is_streamed {
        request.stream();
    } else {
        request.body(pattern::bytes(size));
    }
    let log = Log::default();
    let log = if dice.below(4) == 0 {
        log.paused()
    } else {
        log
    };
    Sent {
        call: Some(application.send(request, log.receiver())),
        log,
        size,
        written: is_streamed.then_some(0),
    }
}

/// Goes on with a request: streams some of its body, resumes it, or drops it.
fn nudge(dice: &mut Dice, sent: &mut Sent) {
    let Some(call) = &sent.call else { return };
    call.resume();
    if let Some(at) = &mut sent.written {
        let count = call.room().min(sent.size - *at).min(dice.below(50_000));
        let mut piece = vec![0; count];
        pattern::fill(*at as u64, &mut piece);
        if count > 0 {
            call.write(piece).unwrap();
        }
        *at += count;
        if *at == sent.size {
            call.finish();
        }
    }
    if dice.below(300) == 0 && !sent.log.is_over() {
        sent.call = None;
    }
}

#[test]
fn what_is_not_dropped_is_answered_whole() {
    for seed in 1..=6 {
        let app = App::unix(ServerSettings::new().max_body(1 << 20), || {
            whole(|request, response| response.body(request.body().to_vec()))
        });
        let address = app.address.to_string().parse().unwrap();
        let mut dice = Dice::new(seed);
        let settings = Settings::new().max_connections(3);
        let mut world = World::new(settings.multiplex([1, 4, 16][dice.below(3)]));
        let application = world.application(&address);
        let mut all: Vec<Sent> = Vec::new();
        world.run_until("all ends", |_| {
            if all.len() < 150 {
                all.push(start(&mut dice, &application));
            }
            all.iter_mut().for_each(|sent| nudge(&mut dice, sent));
            let is_done = |sent: &Sent| sent.call.is_none() || sent.log.is_over();
            all.len() == 150 && all.iter().all(is_done)
        });
        let mut dropped = 0;
        for sent in &all {
            if sent.call.is_none() && !sent.log.is_over() {
                dropped += 1;
                continue;
            }
            assert_eq!(sent.log.app_status(), Some(0), "seed {seed}");
            let stdout = sent.log.stdout();
            assert!(stdout.ends_with(&pattern::bytes(sent.size)), "seed {seed}");
        }
        assert!(dropped < 150, "seed {seed}: {dropped}");
        world.run_until("rest", fcgi_mio::web_server::Outgoing::is_idle);
        let counters = world.outgoing.counters();
        assert_eq!(counters.timed_out, 0, "seed {seed}: {counters:?}");
        assert!(counters.aborted <= dropped, "seed {seed}: {counters:?}");
    }
}
