//! GET_VALUES (§4.1): how many requests the application takes on one connection.

use std::io;
use std::time::Duration;

use fcgi_core::web_server::{Connection, Event, Values};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::pool::MOST_REQUESTS;
use super::socket::Socket;

/// How long to wait for the answer. Applications on libfcgi answer when the connection is closed;
/// those that serve one connection after the other, when they are done with another one.
const PATIENCE: Duration = Duration::from_millis(200);

/// Asks on a connection, and closes it. An application that does not answer in time takes one
/// request at a time.
pub(super) async fn ask(socket: Socket) -> usize {
    match tokio::time::timeout(PATIENCE, values(socket)).await {
        Ok(Ok(Some(values))) => limit(values),
        Ok(Ok(None) | Err(_)) | Err(_) => 1,
    }
}

fn limit(values: Values) -> usize {
    if values.mpxs_conns != Some(true) {
        return 1;
    }
    // An application that multiplexes and gives no number takes what comes (Go's does).
    let most = values.max_reqs.map_or(MOST_REQUESTS, |most| {
        usize::try_from(most).unwrap_or(MOST_REQUESTS)
    });
    most.clamp(1, MOST_REQUESTS)
}

/// `None` when the application says that it answers no questions, or breaks the protocol.
async fn values(mut socket: Socket) -> io::Result<Option<Values>> {
    let mut machine = Connection::<1>::new();
    socket.write_all(&machine.get_values()).await?;
    let mut buffer = vec![0; 1024];
    loop {
        let count = socket.read(&mut buffer).await?;
        if count == 0 {
            return Ok(None);
        }
        let mut input = &buffer[..count];
        while let Ok(Some(event)) = machine.receive(&mut input) {
            match event {
                Event::Values(values) => return Ok(Some(values)),
                Event::UnknownType { .. } => return Ok(None),
                // No request is active, so nothing else comes.
                _ => {}
            }
        }
        if !input.is_empty() {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_values_allow() {
        for (mpxs_conns, max_reqs, expected) in [
            (None, None, 1),
            (None, Some(10), 1),
            (Some(false), Some(10), 1),
            (Some(true), None, 64),
            (Some(true), Some(0), 1),
            (Some(true), Some(1), 1),
            (Some(true), Some(10), 10),
            (Some(true), Some(u32::MAX), 64),
        ] {
            let values = Values {
                max_conns: None,
                max_reqs,
                mpxs_conns,
            };
            assert_eq!(limit(values), expected, "{values:?}");
        }
    }
}
