//! A request as a handler sees it.

use fcgi_core::params::Params;
use fcgi_core::{RequestId, Role};
use fcgi_listen::Peer;

/// One request: its parameters, and its input if that was collected.
///
/// Everything is borrowed from where it lies, the loop's read buffer if it came in one piece.
pub struct Request<'a> {
    pub(crate) params: Params<'a>,
    pub(crate) body: &'a [u8],
    pub(crate) data: &'a [u8],
    pub(crate) id: RequestId,
    pub(crate) role: Role,
    pub(crate) peer: Peer,
}

impl<'a> Request<'a> {
    /// The parameters (§5.2), checked whole.
    #[must_use]
    pub fn params(&self) -> Params<'a> {
        self.params
    }

    /// The value of the first parameter with this name.
    #[must_use]
    pub fn param(&self, name: impl AsRef<[u8]>) -> Option<&'a [u8]> {
        self.params.get(name)
    }

    /// The body: STDIN (§5.3), and no more of it than CONTENT_LENGTH says. Empty in
    /// [`Service::begin`](crate::Service::begin).
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The file that a Filter gets on DATA (§6.4), and no more of it than FCGI_DATA_LENGTH says.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        self.data
    }

    /// The role that the application is to play (§5.1).
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The request's id on its connection (§3.3).
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// Who sent it.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.peer
    }
}
