//! What a server takes and how long it waits.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use fcgi_core::Role;
use fcgi_core::params::Limits;

use crate::form;

/// The settings of a running server; [`Server`](crate::Server) documents each.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) params: Limits,
    pub(crate) max_body: Option<u64>,
    pub(crate) buffer_body: usize,
    pub(crate) max_connections: usize,
    pub(crate) max_requests: usize,
    pub(crate) roles: Vec<Role>,
    pub(crate) retire_after: Option<NonZeroU64>,
    pub(crate) readable_refusals: bool,
    pub(crate) header_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) read_ahead: usize,
    pub(crate) drain_bytes: usize,
    pub(crate) drain_timeout: Duration,
    pub(crate) forms: form::Limits,
    pub(crate) spool_directory: Option<PathBuf>,
}

/// A longer time cannot be told from eternity, and could not be added to a moment.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Default for Rules {
    fn default() -> Self {
        Rules {
            params: Limits::default(),
            max_body: None,
            buffer_body: 0,
            max_connections: 10_000,
            max_requests: 10_000,
            roles: vec![Role::Responder, Role::Authorizer, Role::Filter],
            retire_after: None,
            readable_refusals: true,
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(120),
            body_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(60),
            read_ahead: 1024 * 1024,
            drain_bytes: 1024 * 1024,
            drain_timeout: Duration::from_secs(2),
            forms: form::Limits::default(),
            spool_directory: None,
        }
    }
}

impl Rules {
    /// The shortest time that a connection may wait for anything.
    pub(crate) fn shortest_timeout(&self) -> Duration {
        self.header_timeout
            .min(self.idle_timeout)
            .min(self.body_timeout)
            .min(self.write_timeout)
            .min(self.drain_timeout)
    }
}
