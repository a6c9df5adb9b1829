//! The roles of an application (§6), each with the types that its rules make.
//!
//! One application may serve several roles. [`Roles`] has a handler for each of them, and refuses
//! the others:
//!
//! ```no_run
//! use std::io::Write;
//!
//! use fcgi_std::roles::{Access, Roles};
//! use fcgi_std::Server;
//!
//! fn main() -> std::io::Result<std::process::ExitCode> {
//!     Roles::new()
//!         .authorizer(|authorizer| {
//!             if authorizer.params().text("QUERY_STRING") == "sesame" {
//!                 authorizer.variable("ACCESS", "granted")?;
//!                 return Ok(Access::Granted);
//!             }
//!             let denial = authorizer.deny(403)?;
//!             denial.content_type("text/plain")?;
//!             writeln!(denial.stdout, "not without the word")?;
//!             Ok(Access::Denied)
//!         })
//!         .responder(|request| {
//!             request.content_type("text/plain")?;
//!             writeln!(request.stdout, "access {}", request.params.text("ACCESS"))
//!         })
//!         .run(Server::inherited_or_cgi()?)
//! }
//! ```
//!
//! A loop of one's own looks at [`Request::role`], and hands the request to [`authorize`] or makes
//! a [`Filter`] of it.

use std::io::{self, Read};
use std::ops::{Deref, DerefMut};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fcgi_core::Role;
use fcgi_core::cgi::Status;
use fcgi_core::form::tree::Tree;
use fcgi_http::invalid;

use crate::form;
use crate::params::Params;
use crate::request::Request;
use crate::server::Server;

/// A handler for each role.
#[derive(Default)]
#[must_use = "roles are served when they are run"]
pub struct Roles {
    responder: Option<Box<Handler>>,
    authorizer: Option<Box<Handler>>,
    filter: Option<Box<Handler>>,
}

type Handler = dyn Fn(&mut Request) -> io::Result<()> + Send + Sync;

impl Roles {
    /// No role yet.
    pub fn new() -> Roles {
        Roles::default()
    }

    /// Answers requests (§6.2). It is also the role of a CGI process.
    pub fn responder<F>(mut self, handler: F) -> Roles
    where
        F: Fn(&mut Request) -> io::Result<()> + Send + Sync + 'static,
    {
        self.responder = Some(Box::new(handler));
        self
    }

    /// Decides who may have what the web server would give (§6.3); see [`Authorizer`].
    pub fn authorizer<F>(mut self, handler: F) -> Roles
    where
        F: Fn(&mut Authorizer<'_>) -> io::Result<Access> + Send + Sync + 'static,
    {
        self.authorizer = Some(Box::new(move |request| authorize(request, &handler)));
        self
    }

    /// Answers requests with what it makes of a file (§6.4); see [`Filter`].
    pub fn filter<F>(mut self, handler: F) -> Roles
    where
        F: Fn(&mut Filter<'_>) -> io::Result<()> + Send + Sync + 'static,
    {
        self.filter = Some(Box::new(move |request| handler(&mut Filter::new(request)?)));
        self
    }

    /// Serves these roles, as [`Server::run`] does; requests for others are refused with
    /// FCGI_UNKNOWN_ROLE (§5.5).
    ///
    /// # Errors
    ///
    /// Those of [`Server::run`].
    pub fn run(self, server: Server) -> io::Result<ExitCode> {
        let served = [Role::Responder, Role::Authorizer, Role::Filter]
            .into_iter()
            .filter(|role| self.handler(*role).is_some());
        let server = server.roles(served);
        server.run(move |request| match self.handler(request.role()) {
            Some(handler) => handler(request),
            // The server refuses the others before, in a CGI process too.
            None => Err(io::Error::other("this role is not served")),
        })
    }

    fn handler(&self, role: Role) -> Option<&Handler> {
        match role {
            Role::Responder => self.responder.as_deref(),
            Role::Authorizer => self.authorizer.as_deref(),
            Role::Filter => self.filter.as_deref(),
        }
    }
}

/// What an Authorizer decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "access is denied unless it is returned"]
pub enum Access {
    /// The web server goes on with the request, and with its other checks.
    Granted,
    /// The client gets the response of [`Authorizer::deny`], or a bare 403 without one.
    Denied,
}

/// A request for a decision (§6.3).
///
/// It is answered as soon as the parameters are there: an Authorizer has no input. Whatever goes
/// wrong denies access: an error, a panic, a decision that contradicts the response.
pub struct Authorizer<'r> {
    request: &'r mut Request,
    variables: Vec<(Vec<u8>, Vec<u8>)>,
    is_denied: bool,
}

impl Authorizer<'_> {
    /// What is known of the request. CONTENT_LENGTH, PATH_INFO, PATH_TRANSLATED and SCRIPT_NAME are
    /// not among it.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.request.params
    }

    /// The cookies; see [`Request::cookies`].
    ///
    /// # Errors
    ///
    /// As [`Request::cookies`].
    pub fn cookies(&mut self) -> Result<Arc<Tree>, form::Error> {
        self.request.cookies()
    }

    /// The values in the query; see [`Request::get`].
    ///
    /// # Errors
    ///
    /// As [`Request::get`].
    pub fn get(&mut self) -> Result<Arc<Tree>, form::Error> {
        self.request.get()
    }

    /// With the access that is granted, passes a variable on to the CGI and FastCGI programs that
    /// the web server asks next, as `Variable-NAME`. The last call for a name wins.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when the name cannot be part of the name of a field, or the value not the
    /// value of one.
    pub fn variable(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> io::Result<()> {
        let field = [b"Variable-", name.as_ref()].concat();
        let value = value.as_ref().to_vec();
        if name.as_ref().is_empty() {
            return Err(invalid("a variable has a name"));
        }
        // Only tried: a response that denies must not carry it.
        let head = self.request.stdout.head()?;
        head.add(&field, &value).map_err(invalid)?;
        head.remove(&field);
        // Names of fields know no case.
        self.variables
            .retain(|(known, _)| !known.eq_ignore_ascii_case(&field));
        self.variables.push((field, value));
        Ok(())
    }

    /// The response with which access is denied: of this status, which is not 200. Its head is made
    /// of fields, and refuses to say 200. Return [`Access::Denied`] after it.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a status that is none, or that would grant access.
    pub fn deny(&mut self, status: u16) -> io::Result<&mut Request> {
        if status == GRANTED {
            return Err(invalid("status 200 grants access"));
        }
        self.request.status(status)?;
        self.request.stdout.deny();
        self.is_denied = true;
        Ok(self.request)
    }

    /// Makes the decision the response.
    fn answer(self, access: Access) -> io::Result<()> {
        match access {
            Access::Granted if self.is_denied => {
                Err(io::Error::other("access was denied before it was granted"))
            }
            Access::Granted => {
                // Nothing else: web servers pass what they find on to the client, or to the head of
                // the response that it gets in the end.
                let mut head = b"Status: 200 OK\r\n".to_vec();
                for (field, value) in &self.variables {
                    head.extend([&**field, b": ", value, b"\r\n"].concat());
                }
                head.extend(b"\r\n");
                self.request.stdout.replace(&head);
                Ok(())
            }
            Access::Denied if !self.is_denied => self.request.status(403),
            // The head refuses to be anything else.
            Access::Denied => Ok(()),
        }
    }
}

const GRANTED: u16 = 200;

/// Has an Authorizer's request decided, in a loop of one's own. After an error the request has
/// ended with a 500, which denies access as well.
///
/// # Errors
///
/// Those of `decide`; a response that contradicts its decision; `InvalidInput` for a request of
/// another role.
pub fn authorize(
    request: &mut Request,
    decide: impl FnOnce(&mut Authorizer<'_>) -> io::Result<Access>,
) -> io::Result<()> {
    let answered = if request.role() == Role::Authorizer {
        let mut authorizer = Authorizer {
            request,
            variables: Vec::new(),
            is_denied: false,
        };
        decide(&mut authorizer).and_then(|access| authorizer.answer(access))
    } else {
        Err(invalid("the request is not one to an Authorizer"))
    };
    if answered.is_err() {
        request.fail(Status::INTERNAL_SERVER_ERROR);
    }
    answered
}

/// A request to a Filter (§6.4): STDIN as a Responder has it, then a file as DATA.
///
/// Reading `data` to its end fails with `UnexpectedEof` when it is shorter than FCGI_DATA_LENGTH
/// says, so a file that was cut does not pass for a short one. The response may begin when STDIN
/// has ended; a Filter that answers from a cache need not read `data` at all.
pub struct Filter<'r>(&'r mut Request);

impl<'r> Filter<'r> {
    /// Looks at a request in a loop of one's own.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a request of another role.
    pub fn new(request: &'r mut Request) -> io::Result<Filter<'r>> {
        if request.role() == Role::Filter {
            Ok(Filter(request))
        } else {
            Err(invalid("the request is not one to a Filter"))
        }
    }

    /// The size of the file in bytes (FCGI_DATA_LENGTH).
    #[must_use]
    pub fn data_length(&self) -> Option<u64> {
        self.0.params.view().data_length()
    }

    /// When the file was changed last (FCGI_DATA_LAST_MOD), in whole seconds.
    #[must_use]
    pub fn last_modified(&self) -> Option<SystemTime> {
        let seconds = self.0.params.view().data_last_mod()?;
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
    }

    /// Whether what was made of a file that was changed at `cached` still holds: the file is known
    /// to be no newer.
    #[must_use]
    pub fn is_unchanged_since(&self, cached: SystemTime) -> bool {
        self.last_modified().is_some_and(|file| file <= cached)
    }

    /// Reads the whole file; what is unread of STDIN is given up.
    ///
    /// # Errors
    ///
    /// `FileTooLarge` for a file of more than `most` bytes, which is not read if FCGI_DATA_LENGTH
    /// says so; and those of [`InputReader`](crate::InputReader).
    pub fn read_data(&mut self, most: usize) -> io::Result<Vec<u8>> {
        let limit = u64::try_from(most).unwrap_or(u64::MAX);
        let mut data = Vec::new();
        if self.data_length().is_none_or(|length| length <= limit) {
            let mut input = (&mut self.0.data).take(limit.saturating_add(1));
            input.read_to_end(&mut data)?;
            if data.len() <= most {
                return Ok(data);
            }
        }
        let why = "the file is longer than this Filter takes";
        Err(io::Error::new(io::ErrorKind::FileTooLarge, why))
    }
}

impl Deref for Filter<'_> {
    type Target = Request;

    fn deref(&self) -> &Request {
        self.0
    }
}

impl DerefMut for Filter<'_> {
    fn deref_mut(&mut self) -> &mut Request {
        self.0
    }
}
