//! The kit's sample store: a basket for each customer, in memory, that a crash does not empty.
//!
//! ```text
//! cargo run --release -p fcgi-examples --bin sample-store /tmp/store.log 127.0.0.1:9000
//! ```
//!
//! Every change is appended to a log before it is answered, and the log is replayed at the start;
//! when it has grown, it is replaced by one that has only what counts. One process has the store;
//! its threads share it. Customers are known by a cookie that nobody can guess.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fcgi_std::{Request, SameSite, Server, SetCookie};

const GOODS: [&str; 4] = ["apples", "bread", "candles", "dates"];
/// So many lines beyond those that count, and the log is rewritten.
const SPARE_LINES: usize = 1000;
const MOST_CUSTOMERS: usize = 10_000;
/// How long requests may go on when a signal stops the program.
const PATIENCE: Duration = Duration::from_secs(30);

type Basket = BTreeMap<String, u32>;

struct Store {
    baskets: HashMap<u128, Basket>,
    log: File,
    path: PathBuf,
    lines: usize,
}

impl Store {
    fn open(path: PathBuf) -> io::Result<Store> {
        let named = |error| io::Error::other(format!("the log {}: {error}", path.display()));
        let log = private().create(true).append(true).read(true).open(&path);
        let log = log.map_err(named)?;
        let mut store = Store {
            baskets: HashMap::new(),
            log: log.try_clone()?,
            path,
            lines: 0,
        };
        for line in BufReader::new(log).lines() {
            // A crash may have cut the last line; it was not answered then.
            if let Some((customer, item, count)) = parse(&line?) {
                store
                    .baskets
                    .entry(customer)
                    .or_default()
                    .insert(item, count);
            }
            store.lines += 1;
        }
        Ok(store)
    }

    fn set(&mut self, customer: u128, item: &str, count: u32) -> io::Result<()> {
        if !self.baskets.contains_key(&customer) && self.baskets.len() == MOST_CUSTOMERS {
            return Err(io::Error::other("the store is full"));
        }
        // One write, so that lines are whole; the leading feed ends one that a crash has cut.
        self.log
            .write_all(format!("\n{}", line(customer, item, count)).as_bytes())?;
        self.log.sync_data()?;
        self.lines += 2;
        self.baskets
            .entry(customer)
            .or_default()
            .insert(item.to_owned(), count);
        let needed: usize = self.baskets.values().map(Basket::len).sum();
        if self.lines > 2 * needed + SPARE_LINES {
            self.rewrite()
        } else {
            Ok(())
        }
    }

    /// Puts a log of what counts in the place of the long one, in one step.
    fn rewrite(&mut self) -> io::Result<()> {
        let new = self.path.with_extension("new");
        let mut file = private()
            .create(true)
            .write(true)
            .truncate(true)
            .open(&new)?;
        let mut text = String::new();
        for (customer, basket) in &self.baskets {
            for (item, count) in basket {
                text += &line(*customer, item, *count);
            }
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        self.log = OpenOptions::new().append(true).open(&self.path)?;
        self.lines = text.lines().count();
        Ok(())
    }
}

/// Files that only this user can read, as the log has what the cookies say.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// The semicolon tells a whole line from one that was cut inside its number.
fn line(customer: u128, item: &str, count: u32) -> String {
    format!("{customer:032x} {item} {count};\n")
}

fn parse(line: &str) -> Option<(u128, String, u32)> {
    let mut words = line.strip_suffix(';')?.split(' ');
    let customer = u128::from_str_radix(words.next()?, 16).ok()?;
    let item = words.next().filter(|item| GOODS.contains(item))?;
    Some((customer, item.to_owned(), words.next()?.parse().ok()?))
}

fn main() -> io::Result<ExitCode> {
    // Not as a CGI program: then the client chooses the arguments (RFC 3875 §4.4).
    let is_cgi = env::var_os("GATEWAY_INTERFACE").is_some();
    let mut arguments = env::args().skip(if is_cgi { usize::MAX } else { 1 });
    let path = arguments
        .next()
        .unwrap_or_else(|| "/tmp/sample-store.log".to_owned());
    let store = Mutex::new(Store::open(path.into())?);
    let server = Server::detect(arguments.next().as_deref())?;
    server
        .workers(4, 4)
        .stop_on_signals(PATIENCE)
        .run(move |request| answer(request, &store))
}

fn answer(request: &mut Request, store: &Mutex<Store>) -> io::Result<()> {
    let (cookies, form) = (request.cookies()?, request.post()?);
    let known = cookies
        .first("customer")
        .map(|id| id.to_text().into_owned());
    let known = known.and_then(|id| u128::from_str_radix(&id, 16).ok());
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    let customer = known.filter(|id| store.baskets.contains_key(id));
    if request.params.get("REQUEST_METHOD") == Some(b"POST") {
        let item = form.first("item").map(|item| item.to_text().into_owned());
        let Some(item) = item.filter(|item| GOODS.contains(&&**item)) else {
            request.status(400)?;
            request.content_type("text/plain")?;
            return writeln!(request.stdout, "there is no such thing here");
        };
        let customer = match customer {
            Some(customer) => customer,
            None => u128::from(getrandom::u64()?) << 64 | u128::from(getrandom::u64()?),
        };
        let had = store
            .baskets
            .get(&customer)
            .and_then(|basket| basket.get(&item));
        let count = had.map_or(0, |&count| count).saturating_add(1);
        store.set(customer, &item, count)?;
        let id = format!("{customer:032x}");
        let cookie = SetCookie::new("customer", &id);
        request.set_cookie(&cookie.path("/").http_only().same_site(SameSite::Lax))?;
        // So that a reload does not buy again.
        return request.redirect(303, "?");
    }
    let basket = customer.and_then(|id| store.baskets.get(&id)).cloned();
    // A slow client must not hold the others up.
    drop(store);
    request.content_type("text/html; charset=utf-8")?;
    writeln!(
        request.stdout,
        "<!doctype html><title>Store</title><h1>Store</h1><form method=post>"
    )?;
    for item in GOODS {
        writeln!(
            request.stdout,
            "<button name=item value={item}>{item}</button>"
        )?;
    }
    writeln!(request.stdout, "</form><h2>Your basket</h2><ul>")?;
    for (item, count) in basket.unwrap_or_default() {
        writeln!(request.stdout, "<li>{count} {item}")?;
    }
    writeln!(request.stdout, "</ul>")
}
