//! One program as a FastCGI application and as a CGI program, behind one kind of web server: what
//! it saves to keep the process.
//!
//! nginx passes requests for the page of the example `tiny-fcgi` to it over a unix socket, or to
//! fcgiwrap, which starts the same binary for each of them.
//!
//! The processor time of the application is what the whole machine used, less what nginx, the
//! clients, and the machine at rest used: nobody waits for the programs that fcgiwrap starts, so no
//! process can tell theirs. On a machine that is busy otherwise it means nothing.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use fcgi_tests::fcgiwrap::Fcgiwrap;
use fcgi_tests::http::{Client, Request};
use fcgi_tests::nginx::{Nginx, version};
use fcgi_tests::process::Running;

const PAGE: &str = "<h1>FastCGI Hello!</h1>";

/// The same page by FastCGI and by CGI, behind nginx.
#[derive(Parser)]
#[command(bin_name = "cargo xtask cgi")]
struct Arguments {
    /// How often both are measured
    #[arg(long, default_value_t = 5)]
    rounds: usize,

    /// How long each measurement takes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2000)]
    time: u64,

    /// How many clients ask at a time, each on a connection that it keeps
    #[arg(long, default_value_t = 8)]
    clients: usize,

    /// How many CGI programs may run at a time
    #[arg(long, default_value_t = 4)]
    programs: usize,
}

/// A way to serve the page.
struct Way {
    name: &'static str,
    nginx: Nginx,
}

/// What one measurement gave, for each request where that makes sense.
struct Cost {
    requests: u64,
    per_second: f64,
    /// Processor time in microseconds.
    application: f64,
    web_server: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let directory = tempfile::tempdir()?;
    let here = std::env::current_exe()?;
    let program = here.with_file_name("tiny-fcgi");
    fs::copy(&program, directory.path().join("tiny.fcgi"))?;

    let (_application, kept, unkept) = start_both(&program, directory.path())?;
    let fcgiwrap = Fcgiwrap::start(arguments.programs);
    let root = format!("root {};", directory.path().display());
    let cgi = Nginx::before(fcgiwrap.address().clone()).directive(&root);
    let ways = [
        Way {
            name: "FastCGI, connections kept",
            nginx: kept,
        },
        Way {
            name: "FastCGI",
            nginx: unkept,
        },
        Way {
            name: "CGI by fcgiwrap",
            nginx: cgi.start(),
        },
    ];
    let mut costs: Vec<Vec<Cost>> = ways.iter().map(|_| Vec::new()).collect();
    for _ in 0..arguments.rounds {
        let rest = machine_at_rest(&arguments)?;
        for (way, costs) in ways.iter().zip(&mut costs) {
            costs.push(way.measure(&arguments, rest)?);
        }
    }
    print(&arguments, &ways, &costs);
    Ok(())
}

/// The application, and an nginx before it that keeps connections, and one that does not.
fn start_both(program: &Path, directory: &Path) -> Result<(Running, Nginx, Nginx), Box<dyn Error>> {
    let path = directory.join("app.sock");
    let listener = OwnedFd::from(UnixListener::bind(&path)?);
    let application = Running::start(Command::new(program).stdin(listener));
    let kept = Nginx::before(path.clone()).keep_conn(16).start();
    Ok((application, kept, Nginx::before(path).start()))
}

impl Way {
    /// At rest the machine is busy for this part of the time.
    fn measure(&self, arguments: &Arguments, rest: f64) -> Result<Cost, Box<dyn Error>> {
        let address = self.nginx.address();
        let time = Duration::from_millis(arguments.time);
        // Not measured: connections, caches, frequencies.
        ask(address, arguments.clients, time / 4);
        let times = || -> Result<_, Box<dyn Error>> {
            let nginx = processor_time(&self.nginx.process().to_string())?;
            Ok((machine_time()?, nginx, processor_time("self")?))
        };
        let (before, started) = (times()?, Instant::now());
        let requests = ask(address, arguments.clients, time);
        let (seconds, after) = (started.elapsed().as_secs_f64(), times()?);
        let nginx = after.1 - before.1;
        let application = after.0 - before.0 - nginx - (after.2 - before.2) - rest * seconds;
        Ok(Cost {
            requests,
            per_second: requests as f64 / seconds,
            application: application * 1e6 / requests as f64,
            web_server: nginx * 1e6 / requests as f64,
        })
    }
}

/// For which part of the time the machine is busy without us; 2.0 is two cores all the time.
fn machine_at_rest(arguments: &Arguments) -> Result<f64, Box<dyn Error>> {
    let (before, started) = (machine_time()?, Instant::now());
    thread::sleep(Duration::from_millis(arguments.time));
    Ok((machine_time()? - before) / started.elapsed().as_secs_f64())
}

/// Asks for the page again and again; how many answers there were, all of them right.
fn ask(address: SocketAddr, clients: usize, time: Duration) -> u64 {
    let (answers, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..clients {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                let request = Request::get("/tiny.fcgi");
                while !is_over.load(Ordering::Relaxed) {
                    let response = client.call(&request);
                    assert_eq!(response.status, 200);
                    assert!(response.text().contains(PAGE), "{}", response.text());
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        thread::sleep(time);
        is_over.store(true, Ordering::Relaxed);
    });
    answers.into_inner()
}

/// What all processors were busy for since the machine started, in seconds.
fn machine_time() -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat.lines().next().ok_or("an empty /proc/stat")?;
    // user, nice, system, idle, iowait, irq, softirq.
    let fields: Vec<&str> = line.split_whitespace().skip(1).collect();
    let [user, nice, system, _, _, irq, softirq, ..] = fields[..] else {
        return Err("a strange /proc/stat".into());
    };
    seconds(&[user, nice, system, irq, softirq])
}

/// What a process has used, in seconds.
fn processor_time(process: &str) -> Result<f64, Box<dyn Error>> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").ok_or("a strange /proc/PID/stat")?;
    // From the state, which is field 3 of proc(5): utime and stime are fields 14 and 15.
    let fields: Vec<&str> = fields.split(' ').skip(11).take(2).collect();
    seconds(&fields)
}

fn seconds(ticks: &[&str]) -> Result<f64, Box<dyn Error>> {
    let ticks: u64 = ticks
        .iter()
        .map(|text| text.parse::<u64>())
        .sum::<Result<_, _>>()?;
    Ok(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

fn print(arguments: &Arguments, ways: &[Way], costs: &[Vec<Cost>]) {
    println!(
        "nginx {}, {} clients, {} rounds of {} ms, {} CGI programs at a time. Medians.\n",
        version(),
        arguments.clients,
        arguments.rounds,
        arguments.time,
        arguments.programs
    );
    println!("| | requests | per second | application, µs of processor time | nginx, µs |");
    println!("|---|--:|--:|--:|--:|");
    for (way, costs) in ways.iter().zip(costs) {
        println!(
            "| {} | {} | {:.0} | {:.1} | {:.1} |",
            way.name,
            costs.iter().map(|cost| cost.requests).sum::<u64>(),
            median(costs, |cost| cost.per_second),
            median(costs, |cost| cost.application),
            median(costs, |cost| cost.web_server),
        );
    }
    let [fast @ .., cgi] = costs else { return };
    println!();
    for (way, fast) in ways.iter().zip(fast) {
        println!(
            "{}: {:.1} times as many requests a second as by CGI; CGI takes {:.0} times the processor time in \
             the application.",
            way.name,
            ratio(fast, cgi, |cost| cost.per_second),
            ratio(cgi, fast, |cost| cost.application),
        );
    }
}

/// The median of the ratios of each round.
fn ratio(over: &[Cost], under: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    let ratios = over
        .iter()
        .zip(under)
        .map(|(over, under)| of(over) / of(under));
    middle(ratios.collect())
}

fn median(costs: &[Cost], of: impl Fn(&Cost) -> f64) -> f64 {
    middle(costs.iter().map(of).collect())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
