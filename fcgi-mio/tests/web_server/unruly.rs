//! An application that does anything at any time, by the dice: every request ends, with its own
//! answer or an error, and none is run twice that must not be.

use std::collections::HashMap;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use fcgi_listen::Address;
use fcgi_mio::web_server::{Call, Settings};
use fcgi_tests::hand::*;

use crate::medley::Dice;
use crate::peer::{page, unix_path};
use crate::world::*;

/// How often the application has read the parameters of each request, but for those that it
/// refused.
type Seen = Arc<Mutex<HashMap<String, u32>>>;

struct Unruly {
    address: Address,
    is_over: Arc<AtomicBool>,
    seen: Seen,
    thread: Option<thread::JoinHandle<()>>,
}

impl Unruly {
    fn new(seed: u64) -> Unruly {
        let path = unix_path();
        let listener = UnixListener::bind(&path).unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let seen = Seen::default();
        let (over, notes) = (Arc::clone(&is_over), Arc::clone(&seen));
        let thread = thread::spawn(move || {
            thread::scope(|scope| {
                for (n, stream) in (seed * 1000..).zip(listener.incoming()) {
                    if over.load(Ordering::SeqCst) {
                        break;
                    }
                    let line = Line {
                        stream: stream.unwrap(),
                        dice: Dice::new(n),
                        notes: Arc::clone(&notes),
                    };
                    scope.spawn(move || line.run());
                }
            });
        });
        Unruly {
            address: Address::Unix(path),
            is_over,
            seen,
            thread: Some(thread),
        }
    }
}

impl Drop for Unruly {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Address::Unix(path) = &self.address {
            drop(UnixStream::connect(path));
            let _ = std::fs::remove_file(path);
        }
        let ended = self.thread.take().map(thread::JoinHandle::join);
        if !thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// One connection of it.
struct Line {
    stream: UnixStream,
    dice: Dice,
    notes: Seen,
}

impl Line {
    fn run(mut self) {
        let mut names = HashMap::new();
        // Whatever goes wrong, the connection is over.
        while let Ok(Some(record)) = read_record(&mut self.stream) {
            if self.obey(&record, &mut names).is_none() {
                return;
            }
        }
    }

    fn send(&mut self, bytes: impl AsRef<[u8]>) -> Option<()> {
        use std::io::Write;
        self.stream.write_all(bytes.as_ref()).ok()
    }

    /// `None` when the connection is to be closed.
    fn obey(&mut self, record: &Record, names: &mut HashMap<u16, String>) -> Option<()> {
        let id = record.id;
        match (record.kind, record.content.is_empty()) {
            (GET_VALUES, _) => return self.send(get_values_result(&[("FCGI_MPXS_CONNS", "1")])),
            (PARAMS, false) => {
                let pairs = pairs(&record.content);
                let name = pairs.iter().find(|(name, _)| name == b"QUERY_STRING");
                let name = String::from_utf8(name.unwrap().1.clone()).unwrap();
                if self.dice.below(12) == 0 {
                    let refused = [CANT_MPX_CONN, OVERLOADED, UNKNOWN_ROLE][self.dice.below(3)];
                    return self.send(end_request(id, 0, refused));
                }
                *self.notes.lock().unwrap().entry(name.clone()).or_default() += 1;
                names.insert(id, name);
            }
            (ABORT_REQUEST, _) if self.dice.below(4) > 0 && names.remove(&id).is_some() => {
                self.send(end_request(id, 1, REQUEST_COMPLETE))?;
            }
            _ => {}
        }
        if self.dice.below(25) == 0 {
            self.misbehave(id, names)?;
        }
        let is_early = self.dice.below(15) == 0;
        let is_whole = record.kind == STDIN && record.content.is_empty();
        if is_early || (is_whole && self.dice.below(20) > 0) {
            if let Some(name) = names.remove(&id) {
                self.send(page(id, &name))?;
            }
        }
        Some(())
    }

    fn misbehave(&mut self, id: u16, names: &HashMap<u16, String>) -> Option<()> {
        let name = names.get(&id).map_or("nobody's", String::as_str);
        let answer = page(id, name);
        match self.dice.below(8) {
            0 => return None,
            1 => {
                let cut = self.dice.below(answer.len());
                self.send(&answer[..cut])?;
                return None;
            }
            2 => self.stream.shutdown(Shutdown::Read).ok()?,
            3 => self.stream.shutdown(Shutdown::Write).ok()?,
            4 => self.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")?,
            5 => {
                // Nothing of it is anybody's.
                let late = [page(99, "late"), stream(STDERR, 98, b"late")].concat();
                self.send(late)?;
            }
            6 => thread::sleep(Duration::from_millis(150)),
            _ => self.send(stream(STDERR, id, b"careful"))?,
        }
        Some(())
    }
}

struct Sent {
    name: String,
    call: Option<Call>,
    log: Log,
    left: usize,
    is_repeatable: bool,
    /// Whether it is dropped some time.
    is_fickle: bool,
}

fn start(dice: &mut Dice, n: usize, application: &fcgi_mio::web_server::Application) -> Sent {
    let name = format!("/{n}");
    let size = [0, 10, 70_000, 400_000][dice.below(4)];
    let is_streamed = dice.below(3) == 0;
    let mut request = if is_streamed {
        get(&name)
    } else {
        post(&name, vec![7; size])
    };
    if is_streamed {
        request.stream();
    }
    let is_repeatable = dice.below(2) == 0;
    request.repeatable(is_repeatable);
    request.keep_conn(dice.below(10) > 0);
    let log = Log::default();
    let log = if dice.below(6) == 0 {
        log.paused()
    } else {
        log
    };
    Sent {
        call: Some(application.send(request, log.receiver())),
        name,
        log,
        left: if is_streamed { size } else { 0 },
        is_repeatable,
        is_fickle: dice.below(8) == 0,
    }
}

fn nudge(dice: &mut Dice, sent: &mut Sent) {
    let Some(call) = &sent.call else { return };
    if dice.below(3) == 0 {
        call.resume();
    }
    let count = call.room().min(sent.left).min(dice.below(50_000));
    sent.left -= count;
    let _ = call.write(vec![7; count]);
    if sent.left == 0 {
        call.finish();
    }
    if sent.is_fickle && dice.below(50) == 0 && !sent.log.is_over() {
        sent.call = None;
    }
}

#[test]
fn every_request_has_its_own_end() {
    const COUNT: usize = 120;
    for seed in 1..=8 {
        let app = Unruly::new(seed);
        let mut dice = Dice::new(seed);
        let settings = Settings::new()
            .multiplex([1, 2, 16][dice.below(3)])
            .max_connections(1 + dice.below(4))
            .response_timeout(Duration::from_millis(200))
            .queue_timeout(Duration::from_secs(2))
            .abort_timeout(Duration::from_millis(50))
            .idle_timeout(Duration::from_millis(50));
        let mut world = World::new(settings);
        let application = world.application(&app.address);
        let mut all: Vec<Sent> = Vec::new();
        world.run_until(&format!("all ends, seed {seed}"), |_| {
            if all.len() < COUNT {
                all.push(start(&mut dice, all.len(), &application));
            }
            all.iter_mut().for_each(|sent| nudge(&mut dice, sent));
            let is_done = |sent: &Sent| sent.call.is_none() || sent.log.is_over();
            all.len() == COUNT && all.iter().all(is_done)
        });
        let seen = app.seen.lock().unwrap().clone();
        let mut ended_well = 0;
        for Sent {
            name,
            log,
            is_repeatable,
            ..
        } in &all
        {
            let times = seen.get(name).copied().unwrap_or(0);
            assert!(
                times <= if *is_repeatable { 2 } else { 1 },
                "seed {seed}: {name}: {times}"
            );
            if log.is_over() && !log.is_failed() {
                ended_well += 1;
                let stdout = String::from_utf8(log.stdout()).unwrap();
                assert_eq!(stdout, format!("Content-Type: text/plain\r\n\r\n{name}"));
            }
        }
        assert!(ended_well > 0, "seed {seed}");
        world.run_until("rest", |outgoing| {
            let counters = outgoing.counters();
            outgoing.is_idle() && counters.opened == counters.closed
        });
    }
}
