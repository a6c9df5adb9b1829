//! A program that is a FastCGI application or a CGI program, as it is started, in several ways:
//!
//! ```text
//! kit-app run|limited|retire|linger      a handler
//! kit-app loop                           a loop of its own over requests
//! kit-app pair                           a handler for two servers, one after the other
//! kit-app stdio|threads|stdio-linger     a loop with a current request
//! kit-app farewell                       prints while its thread ends
//! kit-app roles|authorizer               a handler for each role
//! ```
//!
//! What is to happen inside a request its query string says.

use std::env;
use std::fmt;
use std::io::{self, BufRead, Read, Write};
use std::num::NonZeroU64;
use std::process::{self, ExitCode};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, SystemTime};

use fcgi_std::roles::{Access, Authorizer, Filter, Roles};
use fcgi_std::{Request, Role, Server, stdio};

/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(3600);

fn main() -> io::Result<ExitCode> {
    let mode = env::args().nth(1).unwrap_or_default();
    let server = Server::inherited_or_cgi;
    match &*mode {
        "run" => fcgi_std::run(page),
        "limited" => server()?.max_body(4).drain(1_000_000, LONG).run(page),
        "retire" => {
            let most = NonZeroU64::new(3).expect("three is not zero");
            server()?.retire_after(most).run(page)
        }
        "linger" => {
            let code = server()?.workers(2, 2).stop_on_signals(LONG).run(page)?;
            linger(code)
        }
        "pair" => pair(server()?),
        "loop" => own_loop(server()?),
        "stdio" => stdio_loop(),
        "stdio-linger" => linger(stdio_loop()?),
        "threads" => threads(),
        "farewell" => farewell(),
        "roles" => Roles::new()
            .responder(page)
            .authorizer(decide)
            .filter(filter)
            .run(server()?),
        "authorizer" => Roles::new().authorizer(decide).run(server()?),
        _ => Err(io::Error::other(format!("no mode {mode:?}"))),
    }
}

/// The server has stopped, and the program goes on.
fn linger(code: ExitCode) -> io::Result<ExitCode> {
    eprintln!("over");
    thread::sleep(LONG);
    Ok(code)
}

/// The first server is stopped at once; the second one listens at the address in `SECOND`.
fn pair(first: Server) -> io::Result<ExitCode> {
    first.handle().stop(Duration::ZERO);
    first.stop_on_signals(LONG).run(page)?;
    let address = env::var("SECOND").map_err(io::Error::other)?;
    Server::bind(&address)?.stop_on_signals(LONG).run(page)
}

fn page(request: &mut Request) -> io::Result<()> {
    let query = request.params.text("QUERY_STRING").into_owned();
    let (what, of) = query.split_once('=').unwrap_or((&query, ""));
    match what {
        "error" => return Err(io::Error::other("as asked for")),
        "panic" => panic!("as asked for"),
        "status" => {
            for status in of.split(',') {
                request.set_exit_status(status.parse().map_err(io::Error::other)?);
            }
        }
        "stray" => println!("a stray line"),
        "logged" => writeln!(request.stderr, "a line for the log")?,
        _ => {}
    }
    request.content_type("text/plain")?;
    match what {
        "late-error" => {
            begin(request)?;
            return Err(io::Error::other("as asked for"));
        }
        "hold" => begin(request)?,
        "abort" => {
            begin(request)?;
            while !request.is_aborted() {
                thread::sleep(Duration::from_millis(1));
            }
            let written = request.stdout.write_all(&[b'x'; 1_000_000]);
            let kind = written.expect_err("nobody reads").kind();
            eprintln!("aborted, {kind:?}");
        }
        "variables" => {
            let mut lines: Vec<_> = request.params.iter().map(line).collect();
            lines.sort();
            return request.stdout.write_all(lines.concat().as_bytes());
        }
        "headers" => {
            let headers = request.params.view().headers();
            let names = headers.map(|header| format!("{} ", header.name.escape_ascii()));
            let names: String = names.collect();
            return write!(request.stdout, "{names}");
        }
        "form" => {
            let form = request.post()?;
            return write!(request.stdout, "{}", form.len());
        }
        "process" => return write!(request.stdout, "{}", process::id()),
        "sizes" => {
            let bytes: usize = request.params.iter().map(|(_, value)| value.len()).sum();
            return write!(request.stdout, "{bytes}");
        }
        _ => {}
    }
    write!(request.stdout, "[{query}] {:?} ", request.role())?;
    io::copy(&mut request.stdin, &mut request.stdout).map(drop)
}

/// Lets the other side know that the request is here.
fn begin(request: &mut Request) -> io::Result<()> {
    writeln!(request.stdout, "begun")?;
    request.stdout.flush()
}

fn line((name, value): (&[u8], &[u8])) -> String {
    format!("{}={}\n", name.escape_ascii(), value.escape_ascii())
}

fn own_loop(server: Server) -> io::Result<ExitCode> {
    let is_cgi = server.is_cgi();
    let requests = server.requests()?;
    let mut count = 0;
    while let Some(mut request) = requests.accept()? {
        count += 1;
        page(&mut request)?;
        let is_work_left = request.params.text("QUERY_STRING") == "after";
        request.finish()?;
        if is_work_left {
            // What follows the body is not the request's.
            let mut line = String::new();
            io::stdin().lock().read_line(&mut line)?;
            eprintln!("worked on {line:?}");
        }
    }
    assert_eq!(is_cgi, requests.is_cgi());
    eprintln!("{count} requests");
    Ok(requests.exit_code())
}

fn stdio_loop() -> io::Result<ExitCode> {
    stdio::eprintln!("before: {:?}", stdio::var("QUERY_STRING"));
    assert!(stdio::role().is_none() && stdio::with(|_| ()).is_none());
    let mut count = 0;
    while stdio::accept()? {
        count += 1;
        current(count)?;
    }
    eprintln!("{count} requests");
    Ok(stdio::exit_code())
}

/// Works on the current request.
fn current(count: usize) -> io::Result<()> {
    let query = stdio::var("QUERY_STRING").unwrap_or_default();
    let (what, of) = query.split_once('=').unwrap_or((&query, ""));
    if answered(what, of)? {
        return Ok(());
    }
    stdio::println!("Content-Type: text/plain\r\n\r");
    body(what, of, &query, count)
}

/// Does what comes before the usual head; whether that was all.
fn answered(what: &str, of: &str) -> io::Result<bool> {
    use fcgi_std::stdio::{eprintln, print, set_exit_status, stdout, var};

    match what {
        "silent" => {}
        "grant" if stdio::role() == Some(Role::Authorizer) => {
            let user = var("REMOTE_USER").unwrap_or_default();
            print!("Status: 200 OK\r\nVariable-USER: {user}\r\n\r\n");
        }
        "panic" => panic!("as asked for"),
        "blank" => {
            print!("");
            assert_eq!(stdout().write(b"")?, 0);
        }
        "field" => {
            stdio::with(|request| request.header("X-Field", "yes")).transpose()?;
            print!("a body");
        }
        "status" => {
            for status in of.split(',') {
                set_exit_status(status.parse().map_err(io::Error::other)?);
            }
            return Ok(false);
        }
        "logged" => {
            eprintln!("a line for the log");
            return Ok(false);
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What comes behind the head.
fn body(what: &str, of: &str, query: &str, count: usize) -> io::Result<()> {
    use fcgi_std::stdio::{print, println, stdin, stdout, var};

    match what {
        "exit" => {
            println!("out");
            process::exit(of.parse().map_err(io::Error::other)?);
        }
        "late-panic" => panic!("as asked for"),
        "stuck" => {
            stdout().flush()?;
            thread::sleep(LONG);
        }
        "nested" => println!("<{}>", Nested),
        "line" => {
            let mut line = String::new();
            let size = stdin().read_line(&mut line)?;
            print!("{size} {line:?}");
        }
        "half" => {
            stdin().read_exact(&mut [0; 4])?;
            print!("half");
        }
        "variables" => {
            for (name, value) in stdio::vars() {
                println!("{}={}", name.display(), value.display());
            }
        }
        "filter" => {
            let mut body = String::new();
            stdin().read_to_string(&mut body)?;
            stdio::start_filter_data()?;
            stdin().read_to_string(&mut body)?;
            print!("{body}");
        }
        "data" => {
            let error = stdio::start_filter_data().map_err(|error| error.kind());
            print!("{error:?}");
        }
        "finish" => {
            println!("request {count}");
            stdio::finish()?;
            println!(
                "after {count}: {:?} {:?}",
                var("QUERY_STRING"),
                stdio::role()
            );
            stdio::finish()?;
        }
        "gone" => {
            stdout().flush()?;
            for _ in 0..100 {
                print!("{}", "x".repeat(100_000));
            }
            let kind = stdio::finish().map_err(|error| error.kind());
            eprintln!("finished: {kind:?}");
        }
        _ => {
            print!("[{query}] ");
            io::copy(&mut stdin(), &mut stdout())?;
        }
    }
    Ok(())
}

/// Prints and looks at the request while it is formatted.
struct Nested;

impl fmt::Display for Nested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        stdio::print!("inner ");
        f.write_str(&stdio::var("REQUEST_METHOD").unwrap_or_default())
    }
}

/// Two loops; `meet` needs both of them inside a request.
fn threads() -> io::Result<ExitCode> {
    use fcgi_std::stdio::{println, var};

    let both = Barrier::new(2);
    let work = |name: &str| -> io::Result<()> {
        while stdio::accept()? {
            println!("Content-Type: text/plain\r\n\r");
            if var("QUERY_STRING").as_deref() == Some("meet") {
                both.wait();
            }
            println!("{name} {}", var("WHO").unwrap_or_default());
        }
        Ok(())
    };
    thread::scope(|scope| {
        let one = scope.spawn(|| work("one"));
        work("two").and(one.join().expect("a thread that does not panic"))
    })?;
    Ok(stdio::exit_code())
}

thread_local! {
    static FAREWELL: Farewell = const { Farewell };
}

/// Prints when its thread has no current request any more, and never will.
struct Farewell;

impl Drop for Farewell {
    fn drop(&mut self) {
        use fcgi_std::stdio::{finish, println, role, set_exit_status, var};

        set_exit_status(1);
        println!("farewell, {} {:?}", var("NAME").unwrap_or_default(), role());
        assert!(finish().is_ok());
    }
}

/// What is in a thread longest ends last.
fn farewell() -> io::Result<ExitCode> {
    let thread = thread::spawn(|| {
        FAREWELL.with(|_| ());
        stdio::println!("hello");
    });
    thread.join().expect("a thread that does not panic");
    Ok(ExitCode::SUCCESS)
}

fn decide(authorizer: &mut Authorizer<'_>) -> io::Result<Access> {
    let query = authorizer.params().text("QUERY_STRING").into_owned();
    let (what, of) = query.split_once('=').unwrap_or((&query, ""));
    match what {
        "grant" => {
            authorizer.variable("USER_NAME", "old")?;
            authorizer.variable("user_name", "doe")?;
            authorizer.variable("TEXT", "two words")?;
            return Ok(Access::Granted);
        }
        "deny" => {
            let denial = authorizer.deny(of.parse().map_err(io::Error::other)?)?;
            denial.header("X-Why", "as asked for")?;
            denial.content_type("text/plain")?;
            write!(denial.stdout, "no")?;
        }
        "grant-denied" => {
            authorizer.deny(403)?;
            return Ok(Access::Granted);
        }
        "deny-granted" => {
            authorizer.deny(403)?.status(200)?;
        }
        "deny-raw" => {
            let denial = authorizer.deny(403)?;
            denial.stdout.raw()?;
            write!(denial.stdout, "Content-Type: text/plain\r\n\r\nno")?;
        }
        "deny-flushed" => {
            let denial = authorizer.deny(403)?;
            denial.status(200)?;
            denial.stdout.flush()?;
        }
        "deny-field" => {
            let denial = authorizer.deny(403)?;
            denial.remove_header("Status")?;
            // Whether this says so or not, nothing may get out.
            let _ = write!(denial.stdout, "no");
        }
        "deny-variables" => authorizer.variable("TEXT", "kept back")?,
        "error" => return Err(io::Error::other("as asked for")),
        "panic" => panic!("as asked for"),
        "name" => {
            authorizer.variable(of, "x")?;
            return Ok(Access::Granted);
        }
        "value" => {
            authorizer.variable("TEXT", "a\r\nStatus: 200")?;
            return Ok(Access::Granted);
        }
        _ => {}
    }
    Ok(Access::Denied)
}

fn filter(filter: &mut Filter<'_>) -> io::Result<()> {
    assert_eq!(filter.role(), Role::Filter);
    let query = filter.params.text("QUERY_STRING").into_owned();
    let cached = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
    let text = if query == "cached" && filter.is_unchanged_since(cached) {
        b"from the cache".to_vec()
    } else {
        let mut text = Vec::new();
        if query == "both" {
            filter.stdin.read_to_end(&mut text)?;
        }
        text.extend(filter.read_data(10)?);
        text
    };
    let length = filter.data_length();
    filter.content_type("text/plain")?;
    write!(filter.stdout, "{length:?} ")?;
    filter.stdout.write_all(&text)
}
