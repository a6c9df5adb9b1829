//! GET_VALUES (FastCGI §4.1).

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use fcgi_core::web_server::{Connection, Event, Values};
use fcgi_listen::{Address, Stream};

use crate::exchange::{Failure, Progress, Reason};

use super::RequestError;

/// How long to wait before the question is repeated: applications on libfcgi answer it only when
/// something comes behind it.
const FIRST: Duration = Duration::from_millis(500);

/// A clock goes that far.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A variable's name, and its value if the application told one.
pub type Value = (&'static str, Option<u32>);

/// Asks an application how many connections and requests it takes (FCGI_MAX_CONNS, FCGI_MAX_REQS)
/// and whether it multiplexes (FCGI_MPXS_CONNS, 0 or 1).
///
/// # Errors
///
/// [`RequestError::Connect`]; [`RequestError::Failed`] if there was no answer in time, or something
/// else than an answer. That the application does not know the question is an answer without
/// values.
pub fn values(address: &Address, timeout: Duration) -> Result<[Value; 3], RequestError> {
    let timeout = timeout.min(LONGEST);
    let deadline = Instant::now() + timeout;
    let stream = Stream::connect(address, Some(timeout))
        .map_err(|error| RequestError::Connect(address.clone(), error))?;
    let failed = |reason| {
        let progress = Progress::default();
        RequestError::Failed(Failure { reason, progress })
    };
    let values = ask(&stream, deadline).map_err(failed)?;
    Ok([
        ("FCGI_MAX_CONNS", values.max_conns),
        ("FCGI_MAX_REQS", values.max_reqs),
        ("FCGI_MPXS_CONNS", values.mpxs_conns.map(u32::from)),
    ])
}

fn ask(mut stream: &Stream, deadline: Instant) -> Result<Values, Reason> {
    let mut machine = Connection::<1>::new();
    let question = machine.get_values();
    stream.write_all(&question).map_err(Reason::Connection)?;
    let mut first = Some(deadline.min(Instant::now() + FIRST));
    let mut buffer = [0; 4096];
    loop {
        let until = first.unwrap_or(deadline);
        let left = until.saturating_duration_since(Instant::now());
        // Zero would mean to wait for ever.
        let left = left.max(Duration::from_millis(1));
        stream
            .set_read_timeout(Some(left))
            .map_err(Reason::Connection)?;
        let length = match stream.read(&mut buffer) {
            Ok(0) => return Err(Reason::ClosedEarly),
            // What comes all the time need not be an answer.
            Ok(_) if Instant::now() >= deadline => return Err(Reason::Timeout),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if first.take().is_none() || Instant::now() >= deadline {
                    return Err(Reason::Timeout);
                }
                stream.write_all(&question).map_err(Reason::Connection)?;
                continue;
            }
            Err(error) => return Err(Reason::Connection(error)),
        };
        let mut input = &buffer[..length];
        while let Some(event) = machine.receive(&mut input).map_err(Reason::Protocol)? {
            match event {
                Event::Values(values) => return Ok(values),
                Event::UnknownType { .. } => return Ok(Values::default()),
                // No request is active, so nothing else comes.
                _ => {}
            }
        }
    }
}
