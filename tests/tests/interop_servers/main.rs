//! Both frontends behind lighttpd and Apache, which connect to a process or start it themselves; and
//! the same binary as a CGI program behind them and behind fcgiwrap.
//!
//! What the program answers is said in `src/bin/responder-app.rs`.

#[path = "../interop_authorizer/app.rs"]
mod app;
mod bodies;
mod files;
mod pages;
mod processes;
mod site;
