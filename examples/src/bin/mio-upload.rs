//! Streaming in: uploads of any size in constant memory, each piece taken as it comes.
//!
//! ```text
//! cargo run --release -p fcgi-examples --bin mio-upload 127.0.0.1:9000
//! curl --data-binary @large.iso http://localhost/             # through your web server
//! cksum < large.iso
//! ```
//!
//! Both commands print the same: the checksum of POSIX cksum, and the length in bytes. nginx stores
//! an upload before it passes it on, unless it is told `fastcgi_request_buffering off`.

use std::io;

use fcgi_mio::{Plan, Request, Response, Server, Service, Task};

/// What each value of a byte does to the checksum.
const TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte: u32 = 0;
    while byte < 256 {
        let mut sum = byte << 24;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum << 1) ^ if sum >> 31 == 1 { 0x04c1_1db7 } else { 0 };
            bit += 1;
        }
        table[byte as usize] = sum;
        byte += 1;
    }
    table
}

fn add(sum: u32, byte: u8) -> u32 {
    let [first, ..] = sum.to_be_bytes();
    (sum << 8) ^ TABLE[usize::from(first ^ byte)]
}

/// All that is remembered of an upload.
struct Upload {
    announced: Option<u64>,
    length: u64,
    sum: u32,
}

impl Task for Upload {
    fn input(&mut self, bytes: &[u8], _: &mut Response<'_>) -> io::Result<()> {
        self.length += bytes.len() as u64;
        for &byte in bytes {
            self.sum = add(self.sum, byte);
        }
        Ok(())
    }

    fn input_end(&mut self, response: &mut Response<'_>) -> io::Result<()> {
        if self.announced.is_some_and(|length| length != self.length) {
            return Err(io::Error::other("the upload was cut off"));
        }
        // The length goes into the sum as well, in as few bytes as it needs.
        let bytes = 8 - self.length.leading_zeros() / 8;
        let length = self.length.to_le_bytes().into_iter().take(bytes as usize);
        let sum = length.fold(self.sum, add);
        response.header("Content-Type", "text/plain")?;
        response.write(format!("{} {}\n", !sum, self.length))?;
        response.end();
        Ok(())
    }
}

struct Uploads;

impl Service for Uploads {
    type Task = Upload;

    fn begin(&mut self, request: &Request<'_>) -> Plan<Upload> {
        Plan::Stream(Upload {
            announced: request.params().content_length(),
            length: 0,
            sum: 0,
        })
    }

    fn whole(&mut self, _: &Request<'_>, _: &mut Response<'_>) -> io::Result<()> {
        Err(io::Error::other("every request streams"))
    }
}

fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    Server::inherited_or_bind(&address)?.run(Uploads)
}
