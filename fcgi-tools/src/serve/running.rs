//! One request on a connection.

use std::io;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use fcgi_core::RequestId;
use tokio::time::Instant;

use super::body::RequestBody;
use super::pipe::{Cause, End, Failure, Writer};
use super::response::SURPLUS;
use super::stderr::Errors;

/// A request on its way to a connection.
pub(super) struct Begin {
    /// The PARAMS stream.
    pub(super) params: Vec<u8>,
    pub(super) body: RequestBody,
    pub(super) answer: Writer,
    pub(super) errors: Errors,
}

impl Begin {
    /// Gives the request back: nothing of it was sent.
    pub(super) fn give_back(self, cause: Cause) {
        self.answer.end(End::Failed(Failure {
            cause,
            was_sent: false,
            body: Some(self.body),
        }));
    }
}

/// A request that the application has not ended.
pub(super) struct Running {
    pub(super) id: RequestId,
    pub(super) answer: Writer,
    pub(super) errors: Errors,
    /// Where in the connection's output it begins.
    pub(super) begins_at: u64,
    /// Since when it is to be aborted.
    pub(super) aborted: Option<Instant>,
    body: Option<RequestBody>,
    stdin_ended: bool,
    /// A piece of the body, of which records are being made.
    piece: Bytes,
    complained: bool,
}

/// What is next for STDIN.
pub(super) enum Stdin<'a> {
    /// Bytes: the record takes from their front what it has room for.
    Bytes(&'a mut Bytes),
    /// Its end.
    End,
    /// The client broke off.
    Broken(io::Error),
}

impl Running {
    pub(super) fn new(id: RequestId, begin: Begin, begins_at: u64) -> Running {
        Running {
            id,
            answer: begin.answer,
            errors: begin.errors,
            begins_at,
            aborted: None,
            body: Some(begin.body),
            stdin_ended: false,
            piece: Bytes::new(),
            complained: false,
        }
    }

    /// What can be sent next of the body; pending when nothing can.
    pub(super) fn poll_stdin(&mut self, context: &mut Context<'_>) -> Poll<Stdin<'_>> {
        let Some(body) = self.body.as_mut().filter(|_| !self.stdin_ended) else {
            return Poll::Pending;
        };
        if !self.piece.has_remaining() {
            match body.poll_piece(context) {
                Poll::Pending => {
                    self.answer.await_client();
                    return Poll::Pending;
                }
                Poll::Ready(None) => {
                    self.stdin_ended = true;
                    return Poll::Ready(Stdin::End);
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Stdin::Broken(error)),
                Poll::Ready(Some(Ok(piece))) => self.piece = piece,
            }
        }
        self.answer.touch();
        Poll::Ready(Stdin::Bytes(&mut self.piece))
    }

    /// Takes a piece of STDOUT.
    pub(super) fn stdout(&mut self, bytes: &[u8]) {
        if !self.answer.push(bytes) && !self.complained {
            self.complained = true;
            self.errors.note(SURPLUS);
        }
    }

    /// Sends no more of the body, and drops it.
    pub(super) fn stop_body(&mut self) {
        self.body = None;
        self.piece = Bytes::new();
    }

    /// The body, to be sent again.
    pub(super) fn take_body(&mut self) -> Option<RequestBody> {
        self.body.take()
    }
}
