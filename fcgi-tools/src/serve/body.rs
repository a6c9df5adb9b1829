//! The body of a request on its way to the application.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncSeekExt, AsyncWriteExt, ReadBuf};

/// As many bytes of a body are kept in memory, so that a request that was refused can be sent
/// again, and that short bodies need no file.
const KEPT: usize = 64 * 1024;

/// The kind of error that means that the client did not send the whole body.
pub(super) const LEFT: io::ErrorKind = io::ErrorKind::ConnectionAborted;

/// The body of a request: streamed as it comes from the client, or collected before.
#[derive(Debug)]
pub(super) struct RequestBody {
    /// The beginning of the body, as long as it is all that was taken so far.
    kept: Option<Vec<Bytes>>,
    kept_bytes: usize,
    /// Which piece of `kept` comes next.
    next: usize,
    rest: Rest,
}

#[derive(Debug)]
enum Rest {
    Nothing,
    Client(Incoming),
    File(File),
}

/// Why a body of unknown length could not be collected.
#[derive(Debug)]
pub(super) enum SpoolError {
    /// Longer than the limit.
    TooLong,
    /// The client went away, or sent what is no chunk.
    Client,
    /// The client sent nothing for too long.
    Timeout,
    /// No room on the disk.
    File(io::Error),
}

impl RequestBody {
    /// No body.
    pub(super) fn empty() -> RequestBody {
        RequestBody::new(Rest::Nothing)
    }

    /// A body that is passed on while it comes.
    pub(super) fn streamed(incoming: Incoming) -> RequestBody {
        RequestBody::new(Rest::Client(incoming))
    }

    fn new(rest: Rest) -> RequestBody {
        RequestBody {
            kept: Some(Vec::new()),
            kept_bytes: 0,
            next: 0,
            rest,
        }
    }

    /// Collects a body whose length is not known before its end: CONTENT_LENGTH has to be right
    /// before the application sees anything. Above 64 KiB it goes to a temporary file without a
    /// name. For each piece it waits so long.
    pub(super) async fn collected(
        mut incoming: Incoming,
        limit: u64,
        patience: Duration,
    ) -> Result<(RequestBody, u64), SpoolError> {
        let mut body = RequestBody::empty();
        let mut length = 0;
        let mut file = None;
        loop {
            let next = tokio::time::timeout(patience, incoming.frame()).await;
            let Some(frame) = next.map_err(|_| SpoolError::Timeout)? else {
                break;
            };
            let frame = frame.map_err(|_| SpoolError::Client)?;
            // Trailers have no place in CGI.
            let Ok(bytes) = frame.into_data() else {
                continue;
            };
            length += bytes.len() as u64;
            if length > limit {
                return Err(SpoolError::TooLong);
            }
            let file = match &mut file {
                Some(file) => file,
                None if body.keep(&bytes) => continue,
                None => file.insert(body.spill().await.map_err(SpoolError::File)?),
            };
            file.write_all(&bytes).await.map_err(SpoolError::File)?;
        }
        if let Some(mut file) = file {
            // Writes go on in the background; only this tells whether the last one went well.
            file.flush().await.map_err(SpoolError::File)?;
            file.rewind().await.map_err(SpoolError::File)?;
            body = RequestBody::new(Rest::File(file));
        }
        Ok((body, length))
    }

    /// A new file with what was kept so far.
    async fn spill(&self) -> io::Result<File> {
        let mut file = File::from_std(tempfile::tempfile()?);
        for piece in self.kept.iter().flatten() {
            file.write_all(piece).await?;
        }
        Ok(file)
    }

    /// Whether there was room for the piece.
    fn keep(&mut self, piece: &Bytes) -> bool {
        let Some(kept) = &mut self.kept else {
            return false;
        };
        let bytes = self.kept_bytes + piece.len();
        if bytes > KEPT {
            return false;
        }
        kept.push(piece.clone());
        self.kept_bytes = bytes;
        true
    }

    /// The next piece, never empty; `None` at the end. An error of the kind [`LEFT`] is the
    /// client's, any other one that of reading the file.
    pub(super) fn poll_piece(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(piece) = self.kept.as_ref().and_then(|kept| kept.get(self.next)) {
            self.next += 1;
            return Poll::Ready(Some(Ok(piece.clone())));
        }
        match &mut self.rest {
            Rest::Nothing => Poll::Ready(None),
            Rest::File(file) => poll_file(file, context),
            Rest::Client(incoming) => {
                let piece = ready!(poll_client(incoming, context));
                if let Some(Ok(piece)) = &piece {
                    if self.keep(piece) {
                        self.next += 1;
                    } else {
                        self.kept = None;
                    }
                }
                Poll::Ready(piece)
            }
        }
    }

    /// Goes back to the first byte, if that can be done.
    pub(super) async fn rewind(&mut self) -> bool {
        self.next = 0;
        match &mut self.rest {
            Rest::File(file) => file.rewind().await.is_ok(),
            Rest::Nothing | Rest::Client(_) => self.kept.is_some(),
        }
    }
}

fn poll_client(
    incoming: &mut Incoming,
    context: &mut Context<'_>,
) -> Poll<Option<io::Result<Bytes>>> {
    loop {
        match ready!(Pin::new(&mut *incoming).poll_frame(context)) {
            None => return Poll::Ready(None),
            Some(Err(error)) => return Poll::Ready(Some(Err(io::Error::new(LEFT, error)))),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    if !bytes.is_empty() {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                }
            }
        }
    }
}

fn poll_file(file: &mut File, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
    let mut buffer = vec![0; KEPT];
    let mut read = ReadBuf::new(&mut buffer);
    if let Err(error) = ready!(Pin::new(file).poll_read(context, &mut read)) {
        return Poll::Ready(Some(Err(error)));
    }
    let length = read.filled().len();
    buffer.truncate(length);
    Poll::Ready((length > 0).then(|| Ok(buffer.into())))
}
