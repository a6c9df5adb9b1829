//! The input streams of one request, record by record.

use std::io;
use std::os::fd::BorrowedFd;

use fcgi_core::params::{self, Chunks};
use fcgi_core::web_server::Connection;
use fcgi_core::{MAX_CONTENT, Record, RequestId, Role, SendError};
use rustix::io::Errno;

use super::outbox::Outbox;
use super::{Progress, Reason, Request, Source};

/// How much is read from a descriptor at once: what goes into one record.
const PIECE: usize = MAX_CONTENT;

/// What is still to be sent, in the order of the protocol (FastCGI §6.1).
pub(super) struct Feed<'a> {
    stage: Stage<'a>,
    stdin: Source<'a>,
    data: Source<'a>,
    role: Role,
    /// Storage for what descriptors give; allocated when the first of them is read.
    piece: Vec<u8>,
}

enum Stage<'a> {
    Params(Chunks<'a>),
    Stdin,
    Data,
    Done,
}

/// What one step gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Something was put into the outbox.
    Pushed,
    /// Nothing: a descriptor has to be waited for, or everything was sent.
    Nothing,
}

impl<'a> Feed<'a> {
    pub(super) fn new(request: &Request<'a>) -> Feed<'a> {
        Feed {
            stage: Stage::Params(params::chunks(request.params)),
            stdin: request.stdin,
            data: request.data,
            role: request.role,
            piece: Vec::new(),
        }
    }

    /// Nothing more is to be sent.
    pub(super) fn stop(&mut self) {
        self.stage = Stage::Done;
    }

    /// The descriptor without which nothing can be sent.
    pub(super) fn awaited(&self) -> Option<BorrowedFd<'a>> {
        let source = match self.stage {
            Stage::Stdin => self.stdin,
            Stage::Data => self.data,
            Stage::Params(_) | Stage::Done => return None,
        };
        match source {
            Source::Descriptor { fd, limit } if limit != Some(0) => Some(fd),
            _ => None,
        }
    }

    /// Puts the next record into the outbox. A descriptor is read only if it is `readable`.
    pub(super) fn step(
        &mut self,
        machine: &mut Connection<1>,
        id: RequestId,
        outbox: &mut Outbox,
        progress: &mut Progress,
        readable: bool,
    ) -> Result<Step, Reason> {
        if self.awaited().is_some() && !readable {
            return Ok(Step::Nothing);
        }
        match &mut self.stage {
            Stage::Params(chunks) => match chunks.next() {
                Some(mut chunk) => push_all(outbox, || machine.params(id, &mut chunk))?,
                None => {
                    outbox.push_record(&machine.params_end(id).map_err(Reason::Send)?);
                    self.stage = match self.role {
                        Role::Authorizer => Stage::Done,
                        Role::Responder | Role::Filter => Stage::Stdin,
                    };
                }
            },
            Stage::Stdin => {
                let bytes = self.stdin.read(&mut self.piece).map_err(Reason::Stdin)?;
                let Some(mut bytes) = bytes else {
                    return Ok(Step::Nothing);
                };
                progress.stdin += bytes.len() as u64;
                if bytes.is_empty() {
                    outbox.push_record(&machine.stdin_end(id).map_err(Reason::Send)?);
                    self.stage = match self.role {
                        Role::Filter => Stage::Data,
                        Role::Responder | Role::Authorizer => Stage::Done,
                    };
                }
                push_all(outbox, || machine.stdin(id, &mut bytes))?;
            }
            Stage::Data => {
                let bytes = self.data.read(&mut self.piece).map_err(Reason::Data)?;
                let Some(mut bytes) = bytes else {
                    return Ok(Step::Nothing);
                };
                progress.data += bytes.len() as u64;
                if bytes.is_empty() {
                    outbox.push_record(&machine.data_end(id).map_err(Reason::Send)?);
                    self.stage = Stage::Done;
                }
                push_all(outbox, || machine.data(id, &mut bytes))?;
            }
            Stage::Done => return Ok(Step::Nothing),
        }
        Ok(Step::Pushed)
    }
}

/// Puts the records that come into the outbox; no bytes make none.
fn push_all<'b>(
    outbox: &mut Outbox,
    mut next: impl FnMut() -> Result<Option<Record<'b>>, SendError>,
) -> Result<(), Reason> {
    while let Some(record) = next().map_err(Reason::Send)? {
        outbox.push_record(&record);
    }
    Ok(())
}

impl<'a> Source<'a> {
    /// The next bytes; none at the end, `None` if there is nothing to be had at the moment.
    fn read<'b>(&mut self, piece: &'b mut Vec<u8>) -> io::Result<Option<&'b [u8]>>
    where
        'a: 'b,
    {
        match self {
            Source::Empty => Ok(Some(&[])),
            Source::Bytes(bytes) => {
                let (now, later) = bytes.split_at(bytes.len().min(PIECE));
                *bytes = later;
                Ok(Some(now))
            }
            Source::Descriptor { fd, limit } => {
                let left = limit.map_or(PIECE, |left| usize::try_from(left).unwrap_or(PIECE));
                if left == 0 {
                    return Ok(Some(&[]));
                }
                piece.resize(PIECE, 0);
                let count = match rustix::io::read(*fd, &mut piece[..left.min(PIECE)]) {
                    Ok(count) => count,
                    Err(Errno::INTR | Errno::AGAIN) => return Ok(None),
                    Err(errno) => return Err(errno.into()),
                };
                if let Some(left) = limit {
                    *left -= count as u64;
                }
                Ok(Some(&piece[..count]))
            }
        }
    }
}
