//! Processes of FastCGI applications: a supervisor that starts, restarts, replaces and stops them
//! on one listening socket.
//!
//! ```no_run
//! use fcgi_listen::{Address, Listener, Options};
//! use fcgi_process::{Program, Supervisor};
//!
//! fn main() -> std::io::Result<()> {
//!     if fcgi_process::is_supervised() {
//!         let listeners = fcgi_listen::inherited()?;
//!         // Serve requests on them.
//!         # drop(listeners);
//!         return Ok(());
//!     }
//!     let address: Address = "/run/app.sock".parse().expect("the address is well-formed");
//!     let listener = Listener::bind(&address, &Options::new().unix_mode(0o660))?;
//!     Supervisor::new(listener, Program::current()?)
//!         .children(4)
//!         .identity("www-data".parse()?)
//!         .run()
//! }
//! ```
//!
//! - [`Supervisor`]: how many children, as whom, with what patience; [`run`](Supervisor::run) obeys
//!   signals, [`start`](Supervisor::start) gives a [`Supervised`] with a [`Handle`] instead.
//! - [`Program`]: what the children run, maybe [this program](Program::current) again.
//! - [`Identity`]: as whom they run.
//! - [`Event`]: what the operator may want to know.
//!
//! # How it works
//!
//! ```text
//!                web server
//!                     │ connects
//!            ┌────────▼────────┐
//!            │ listening socket│   descriptor 0 of every child (FastCGI §2.2);
//!            └─┬──────┬──────┬─┘   each accepts when it has nothing else to do
//!           ┌──▼──┐┌──▼──┐┌──▼──┐
//!           │  1  ││  2  ││  3  │  children
//!           └──▲──┘└──▲──┘└──▲──┘
//!   starts,    └──────┼──────┘
//!   watches,    ┌─────┴──────┐    SIGHUP           replace the children
//!   signals     │ supervisor │ ◄─ SIGTERM, SIGINT  stop them
//!               └────────────┘    SIGUSR1          stop them when their requests are done
//! ```
//!
//! The supervisor holds the socket open but never accepts: a connection that comes while no child
//! is ready waits in the socket's backlog, so ends, restarts and replacements lose none.
//!
//! ## What a child is told
//!
//! By its environment: `FCGI_SUPERVISOR_PID`, for [`is_supervised`]; `FCGI_LISTENER_NONBLOCKING=1`,
//! that all who share the socket run this program, so that it may make the socket non-blocking if
//! it copes with that; and `FCGI_MAX_REQUESTS` where there is a
//! [maximum](Supervisor::max_requests). Applications on `fcgi-std` heed the last two, and those
//! on `fcgi-mio` the last; they make it non-blocking in any case.
//!
//! ## When a child ends
//!
//! | status | lived | next start |
//! |---|---|---|
//! | 0 | at least the first pause | at once: it meant to, as after its maximum of requests |
//! | 0 | less | after a pause, so that nothing spins |
//! | other, or a signal | | after a pause |
//!
//! The pause is 100 ms at first, doubles each time up to 10 s, and is the first again when a child
//! has lived longer than the longest. Each of the places has its own; the others go on meanwhile.
//!
//! ## Replacement
//!
//! On SIGHUP as many new children are started beside the old ones. When all of them have lived for
//! the [settle time](Supervisor::settle), the old ones get SIGTERM, which a FastCGI application
//! takes as "finish what you have, then end". If one of the new children ends before, they are
//! stopped and the old ones stay. So a program that was replaced by a broken one stops nothing.
//!
//! ## Stopping
//!
//! Children get SIGTERM (or SIGUSR1), and those that have not ended when the
//! [patience](Supervisor::patience) is over get SIGKILL, with all of their process group. The path
//! of the socket goes away before: who connects meanwhile is refused at once, and another
//! supervisor can take the path.
//!
//! Under systemd say `KillMode=mixed`; with the default it sends SIGTERM to the children as well,
//! who then get it twice.
//!
//! # Limits
//!
//! - The children run on when the supervisor is killed by SIGKILL, or any signal that it does not
//!   handle, such as SIGQUIT; nothing can stop them then but signals to each.
//! - Ends are learned from SIGCHLD, for which a handler is installed (beside any that is there),
//!   and which the supervisor's thread does not block, whatever it was started with. Only the own
//!   children are waited for. A program that itself waits for *any* child, by waitpid(-1), steals
//!   their ends; they are noticed, but without a status.
//! - As the first process of a container it does not wait for what its children have left behind;
//!   that is for an init, such as that of `docker run --init`.
//!
//! # Platforms
//!
//! Linux is tested. Other unixes are provided for and untested. Windows is not supported.
#![forbid(unsafe_code)]

#[cfg(not(unix))]
compile_error!("fcgi-process needs the processes and signals of a unix");

mod backoff;
mod child;
mod engine;
mod event;
mod identity;
mod inbox;
mod plan;
mod program;
mod slot;
mod supervised;
mod supervisor;

pub use event::Event;
pub use identity::Identity;
pub use inbox::Handle;
pub use program::{Program, is_supervised};
pub use supervised::Supervised;
pub use supervisor::Supervisor;
