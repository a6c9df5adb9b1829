//! A process without free descriptors, alone in its process since it takes them all.

mod kit;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fcgi_mio::{Incident, Server, Settings};
use fcgi_tests::address::Address;
use fcgi_tests::blocking::WebServer;
use kit::*;
use rustix::process::{Resource, Rlimit, setrlimit};

#[test]
fn without_descriptors_the_loop_serves_on_and_does_not_spin() {
    let limit = Rlimit {
        current: Some(200),
        maximum: Some(200),
    };
    setrlimit(Resource::Nofile, limit).expect("a lower limit");
    let failures = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&failures);
    let settings = Settings::new().on_incident(move |incident| {
        if let Incident::Accept(_) = incident {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let server = Server::bind("127.0.0.1:0").unwrap().settings(settings);
    let fcgi_listen::Address::Ip(ip) = server.addresses().unwrap()[0].clone() else {
        panic!("not what was bound");
    };
    let address = Address::Tcp(ip);
    let handle = server.handle();
    let thread = std::thread::spawn(move || server.serve(echo));
    let connect = || WebServer {
        connection: address.connect().expect("the kernel completes connections"),
    };
    let mut served = connect();
    lives(&mut served);
    let mut taken = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        taken.push(file);
    }
    // One is left for the web server's end; the application's has none.
    taken.pop();
    let mut waiting = connect();
    for _ in 0..50 {
        lives(&mut served);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(handle.counters().accepted, 1);
    let failures = failures.load(Ordering::Relaxed);
    assert!(
        (2..20).contains(&failures),
        "{failures} attempts in half a second"
    );
    taken.clear();
    lives(&mut waiting);
    assert_eq!(handle.counters().accepted, 2);
    handle.stop(Duration::ZERO);
    thread.join().unwrap().unwrap();
}
