//! What sockets can do to a loop besides carrying bytes, and peers that send very little.

mod kit;

use std::io::{IoSlice, Read};
use std::os::fd::AsFd;
use std::sync::mpsc::channel;
use std::time::Duration;

use fcgi_mio::{Settings, whole};
use fcgi_tests::address::Connection;
use fcgi_tests::blocking::WebServer;
use fcgi_tests::hand::*;
use kit::*;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

/// Whatever a mark in the stream has left behind is read with what comes next.
#[track_caller]
fn goes_on_with_what_comes_next(peer: &mut WebServer) {
    peer.send(get_values(&["FCGI_MAX_REQS"]));
    let mut bytes = Vec::new();
    while management(&bytes).is_empty() || !answers(&bytes).contains_key(&1) {
        bytes.extend(peer.record().bytes());
    }
    assert_eq!(answers(&bytes)[&1].body(), b"[]");
}

#[test]
fn an_urgent_byte_stalls_nobody_else() {
    let app = App::tcp(Settings::new(), || whole(echo));
    let (mut other, mut peer) = (app.connect(), app.connect());
    let request = responder(1, KEEP, GET, b"");
    let (first, second) = request.split_at(20);
    peer.send(first);
    let Connection::Tcp(stream) = &peer.connection else {
        panic!("not what was asked for");
    };
    rustix::net::send(stream, b"!", SendFlags::OOB).unwrap();
    peer.send(second);
    lives(&mut other);
    lives(&mut app.connect());
    goes_on_with_what_comes_next(&mut peer);
}

/// Reading stops where a descriptor was passed, as if nothing were behind it.
#[test]
fn a_passed_descriptor_stalls_nobody_else() {
    let (hold, held) = channel::<()>();
    let app = App::unix(Settings::new(), || {
        whole(move |request, response| {
            if request.param("QUERY_STRING") == Some(b"hold") {
                let _ = held.recv_timeout(Duration::from_secs(20));
            }
            echo(request, response)
        })
    });
    let (mut other, mut peer) = (app.connect(), app.connect());
    peer.sync();
    // Everything is there before the loop looks.
    other.send(responder(1, KEEP, &[("QUERY_STRING", "hold")], b""));
    app.wait_until("it is held", |c| c.begun == 1);
    let request = responder(1, KEEP, GET, b"");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let (first, rest) = request.split_at(10);
    let (second, third) = rest.split_at(10);
    peer.send(first);
    let Connection::Unix(stream) = &peer.connection else {
        panic!("not what was asked for");
    };
    let passed = [writer.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    assert!(message.push(SendAncillaryMessage::ScmRights(&passed)));
    let content = [IoSlice::new(second)];
    let sent = rustix::net::sendmsg(stream, &content, &mut message, SendFlags::empty());
    assert_eq!(sent, Ok(second.len()));
    drop(writer);
    peer.send(third);
    hold.send(()).unwrap();
    assert_eq!(other.answer(1).body(), b"[hold]");
    lives(&mut other);
    lives(&mut app.connect());
    goes_on_with_what_comes_next(&mut peer);
    // Nobody has kept the descriptor.
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
}

#[test]
fn five_hundred_heads_that_trickle_in() {
    let settings = Settings::new().header_timeout(Duration::from_secs(600));
    let app = App::unix(settings, || whole(echo));
    let mut good = app.connect();
    lives(&mut good);
    let mut slow: Vec<_> = (0..500).map(|_| app.connect()).collect();
    let head = responder(1, KEEP, &[("QUERY_STRING", "slow")], b"!");
    for at in 0..head.len() {
        for peer in &mut slow {
            peer.send(&head[at..=at]);
        }
        lives(&mut good);
    }
    for peer in &mut slow {
        assert_eq!(peer.answer(1).body(), b"[slow]!");
    }
    assert_eq!((app.counters().accepted, app.counters().aborted), (501, 0));
}
