//! Several processes of one program on one socket, supervised by the program itself.
//!
//! ```text
//! cargo run --release -p fcgi-examples --bin processes 127.0.0.1:9000 4
//! cargo run --release -p fcgi-examples --bin processes 127.0.0.1:9000 4 www-data    # as root
//! ```
//!
//! The first process opens the socket and starts the others, which find it as descriptor 0. Kill
//! one, and it is replaced; `kill -HUP` the first, and all are, without a request being lost: that
//! is how a new version of the program is put in place. Each retires after a thousand requests.

use std::io::{self, Write};
use std::num::NonZeroU64;
use std::process::ExitCode;

use fcgi_listen::{Listener, Options};
use fcgi_process::{Identity, Program, Supervisor};
use fcgi_std::Request;

fn main() -> io::Result<ExitCode> {
    if fcgi_process::is_supervised() {
        return fcgi_std::run(answer);
    }
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9000".into());
    let children = arguments.next().unwrap_or_else(|| "2".into());
    let children = children.parse().map_err(|error| {
        let error = format!("the number of processes {children:?}: {error}");
        io::Error::new(io::ErrorKind::InvalidInput, error)
    })?;
    let listener = Listener::bind(&address.parse()?, &Options::new())?;
    let mut supervisor = Supervisor::new(listener, Program::current()?).children(children);
    if let Some(user) = arguments.next() {
        supervisor = supervisor.identity(Identity::new(Some(&user), None)?);
    }
    if let Some(most) = NonZeroU64::new(1000) {
        supervisor = supervisor.max_requests(most);
    }
    supervisor.run()?;
    Ok(ExitCode::SUCCESS)
}

fn answer(request: &mut Request) -> io::Result<()> {
    request.content_type("text/plain; charset=utf-8")?;
    writeln!(request.stdout, "process {}", std::process::id())
}
