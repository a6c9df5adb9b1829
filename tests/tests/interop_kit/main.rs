//! The Developer's Kit's examples as this workspace has them: one binary as FastCGI application and
//! as CGI program, supervised, beside programs on libfcgi, and behind the web servers that they are
//! made for.

mod access;
mod answers;
#[path = "../interop_authorizer/app.rs"]
#[expect(dead_code, reason = "the processes of these tests are examples")]
mod app;
mod bridge;
mod differ;
mod filter;
mod load;
mod pages;
mod shared;
mod signals;
mod site;
mod state;
mod store;
mod supervised;
