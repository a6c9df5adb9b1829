//! Receiving a form with files of any size in constant memory: each file is summed up as it comes.
//!
//! ```text
//! cargo build --release -p fcgi-examples --bin mio-form
//! cargo run --release -p fcgi-tools --bin fcgi -- serve -- target/release/mio-form
//! truncate --size 1G large.img
//! curl -F note=hello -F file=@large.img http://127.0.0.1:8080/     # the URL that it printed
//! sum large.img
//! ```
//!
//! The answer has a line for each part: the checksum, which `sum` prints of a file, the length in
//! bytes, the name of the field, and the name of the file. In a browser there is a form to fill in.
//! nginx stores an upload before it passes it on, and takes 1 MiB at most, unless it is told
//! `fastcgi_request_buffering off` and `client_max_body_size 0`.

use std::io;

use fcgi_mio::form::multipart::{Limits, PartHead};
use fcgi_mio::form::{Parts, Upload};
use fcgi_mio::{Plan, Request, Response, Server, Service, Task};

/// The names of so many parts are remembered, and nothing else of them.
const LIMITS: Limits = Limits {
    parts: 100,
    file: u64::MAX,
    total: u64::MAX,
    ..Limits::DEFAULT
};

const PAGE: &str = "<!doctype html><title>Upload</title>
<form method=post enctype=multipart/form-data>
<p><input name=note placeholder=Note> <input name=file type=file multiple> <button>Send</button>
</form>
";

/// What is known of each part.
#[derive(Default)]
struct Table {
    text: String,
    /// Of the part in hand.
    label: String,
    length: u64,
    sum: u16,
}

impl Parts for Table {
    fn begin(&mut self, head: PartHead<'_>) -> io::Result<()> {
        // Names are the client's: nothing in them may end the line.
        let file = head.file_name().map(|name| name.to_text().into_owned());
        let name = head.name().to_text();
        self.label = format!(
            "{} {}",
            name.escape_debug(),
            file.unwrap_or_default().escape_debug()
        );
        (self.length, self.sum) = (0, 0);
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        let add = |sum: u16, &byte| sum.rotate_right(1).wrapping_add(u16::from(byte));
        self.sum = bytes.iter().fold(self.sum, add);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let line = format!("{:05} {} {}", self.sum, self.length, self.label);
        self.text += line.trim_end();
        self.text.push('\n');
        Ok(())
    }
}

struct Receive {
    upload: Upload,
    table: Table,
}

impl Task for Receive {
    fn input(&mut self, bytes: &[u8], _: &mut Response<'_>) -> io::Result<()> {
        self.upload.input(bytes, &mut self.table)
    }

    fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        // A part that was cut off must not pass for a short one.
        self.upload.end()?;
        response.header("Content-Type", "text/plain; charset=utf-8")?;
        response.body(std::mem::take(&mut self.table.text).into_bytes())?;
        response.end();
        Ok(())
    }
}

struct Form;

impl Service for Form {
    type Task = Receive;

    fn begin(&mut self, request: &Request<'_>) -> Plan<Receive> {
        match request.param("REQUEST_METHOD") {
            Some(b"POST") => Plan::Stream(Receive {
                upload: Upload::of(request, LIMITS),
                table: Table::default(),
            }),
            _ => Plan::Whole,
        }
    }

    fn whole(&mut self, _: &Request<'_>, response: &mut Response<'_>) -> io::Result<()> {
        response.header("Content-Type", "text/html; charset=utf-8")?;
        response.write(PAGE)
    }
}

fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    Server::inherited_or_bind(&address)?.run(Form)
}
