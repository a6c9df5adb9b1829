//! Many web servers at the same time that do what they like, by a fixed seed: requests of all
//! shapes in pieces of any size, pipelined, aborted, refused, hung up on. Every answer is checked.

use super::*;

/// A small generator of numbers (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// Does what QUERY_STRING says before it answers.
fn moody(request: &mut Request) -> io::Result<()> {
    let query = request.params.text("QUERY_STRING").into_owned();
    match query.split(' ').next().unwrap_or_default() {
        "flush" => {
            answer(request)?;
            return request.stdout.flush();
        }
        "stderr" => request.stderr.write_all(b"oh")?,
        // True if the web server has gone away.
        "look" => _ = request.is_aborted(),
        "fails" => return Err(io::Error::other("as it was told")),
        _ => {}
    }
    answer(request)
}

/// One request, and what has to come of it.
struct Talk {
    id: u16,
    bytes: Vec<u8>,
    expected: Expected,
}

enum Expected {
    Page(Vec<u8>),
    Failure,
    /// Aborted: complete or not, but ended.
    End,
}

fn talk(dice: &mut Dice, number: usize) -> Talk {
    let id = u16::try_from(1 + dice.below(3)).unwrap();
    let kind = [
        "read", "unread", "flush", "stderr", "look", "fails", "abort",
    ][dice.below(7)];
    let query = format!("{kind} {number} {}", "q".repeat(dice.below(3) * 100));
    let length = match dice.below(8) {
        0 => dice.below(200_000),
        1..3 => dice.below(3000),
        3..5 => dice.below(10),
        _ => 0,
    };
    let body = fcgi_tests::pattern::bytes(length);
    let piece = 1 + dice.below(5000);
    let mut pairs = vec![("QUERY_STRING", query.clone())];
    if dice.one_in(2) {
        pairs.push(("CONTENT_LENGTH", length.to_string()));
    }
    let mut bytes = begin(id, RESPONDER, KEEP);
    bytes.extend(stream_of(
        PARAMS,
        id,
        &pair_bytes(&pairs),
        1 + dice.below(300),
    ));
    let aborted_early = kind == "abort" && dice.one_in(2);
    if !aborted_early {
        bytes.extend(end_of(PARAMS, id));
        bytes.extend(stream_of(STDIN, id, &body, piece));
    }
    bytes.extend(if kind == "abort" {
        abort(id)
    } else {
        end_of(STDIN, id)
    });
    if kind == "abort" && !aborted_early {
        // Otherwise what follows would be taken for the middle of this one.
        bytes.extend(end_of(STDIN, id));
    }
    let page = |body: &[u8]| [format!("[{query}]").as_bytes(), body].concat();
    let expected = match kind {
        "abort" => Expected::End,
        "fails" => Expected::Failure,
        "unread" => Expected::Page(page(b"")),
        _ => Expected::Page(page(&body)),
    };
    let padding = u8::try_from(dice.below(9)).unwrap();
    Talk {
        id,
        bytes: padded(padding, &bytes),
        expected,
    }
}

/// Sends in pieces of any size.
fn send_in_pieces(
    connection: &mut impl Write,
    mut bytes: &[u8],
    dice: &mut Dice,
) -> io::Result<()> {
    let most = [3, 100, 5000, 200_000][dice.below(4)].max(bytes.len() / 200);
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(bytes.len().min(1 + dice.below(most)));
        connection.write_all(piece)?;
        bytes = rest;
        if dice.one_in(20) {
            thread::yield_now();
        }
    }
    Ok(())
}

#[track_caller]
fn check(answer: &Answer, expected: &Expected) {
    let end = answer.end.expect("it was read to its end");
    match expected {
        Expected::Page(body) => {
            assert!(
                answer.body() == body,
                "{} bytes, not {}",
                answer.body().len(),
                body.len()
            );
            assert_eq!(end, (0, REQUEST_COMPLETE));
        }
        Expected::Failure => {
            assert!(answer.head().starts_with("Status: 500 "));
            assert_eq!(end, (1, REQUEST_COMPLETE));
        }
        Expected::End => assert_eq!(end.1, REQUEST_COMPLETE),
    }
}

/// One web server's life: connections with pipelined requests, some of which it leaves.
fn web_server(app: &App, seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for turn in 0..12 {
        let mut peer = app.connect();
        for round in 0..4 {
            let talks: Vec<Talk> = (0..=dice.below(4))
                .map(|number| talk(&mut dice, turn * 100 + round * 10 + number))
                .collect();
            let all: Vec<u8> = talks.iter().flat_map(|talk| talk.bytes.clone()).collect();
            let mut sender = peer.connection.try_clone().unwrap();
            if dice.one_in(8) {
                // It goes away in the middle.
                let cut = dice.below(all.len());
                let _ = send_in_pieces(&mut sender, &all[..cut.min(50_000)], &mut dice);
                break;
            }
            let mut other = Dice(dice.0 | 1);
            let sending = thread::spawn(move || send_in_pieces(&mut sender, &all, &mut other));
            for talk in talks {
                check(&peer.answer(talk.id), &talk.expected);
            }
            sending.join().unwrap().unwrap();
        }
    }
}

#[test]
fn everybody_is_answered() {
    for workers in [(1, 1), (2, 2), (1, 4)] {
        for buffered in [0, 1000] {
            for socket in [Socket::Unix, Socket::Tcp] {
                let app = blocking::prepare(socket)
                    .rules(|s| s.workers(workers.0, workers.1).buffer_body(buffered))
                    .serve(moody);
                thread::scope(|scope| {
                    for seed in 1..=6 {
                        let app = &app;
                        scope.spawn(move || web_server(app, seed));
                    }
                });
                lives(&mut app.connect());
                // Every connection and request was accounted for.
                app.handle().stop(Duration::from_secs(60));
                app.join().unwrap();
            }
        }
    }
}
