//! Forms and cookies: what a browser sends in a query, a body or a header, read where it lies.
//!
//! ```text
//!   QUERY_STRING, body   a=1&b%5B%5D=2    urlencoded::pairs ─► Pair { name, value: Encoded }
//!   HTTP_COOKIE          a=1; b=2         cookie::cookies ───► Cookie { name, value }
//!   body in pieces       --X … --X--      multipart::Parser ─► Part, Body, PartEnd, End
//!                                                 │ decoded names and values
//!                                                 ▼
//!                                        brackets::Path   b[] = b, append
//!                                                 │
//!                                                 ▼
//!                                        tree::Tree       values, lists, maps (`alloc`)
//! ```
//!
//! - [`Kind`]: which of them a body is, if it is one.
//! - [`urlencoded`]: pairs of names and values; an [`Encoded`] decodes itself when it is asked to.
//! - [`cookie`]: cookies of a request, and [`SetCookie`](cookie::SetCookie) for the response.
//! - [`multipart`]: bodies with files, of any size, as they arrive.
//! - [`brackets`]: what `user[phone][]` means.
//! - `tree`, with the feature `alloc`: the comfortable view on all of them.
//!
//! Names and values are bytes. Every limit is a parameter with a default, work is linear in the
//! input (in a tree times the logarithm of its size), and a [`FormError`] knows the status of its
//! answer.
//!
//! ```
//! use fcgi_core::form::urlencoded::pairs;
//!
//! let mut room = [0; 64];
//! for pair in pairs(b"q=fast+cgi&page=2") {
//!     let value = pair.value.decode_to(&mut room).unwrap();
//!     assert!(pair.name.is("page") || value == b"fast cgi");
//! }
//! ```

pub mod brackets;
pub mod cookie;
mod encoded;
mod error;
mod kind;
pub mod multipart;
mod syntax;
#[cfg(any(feature = "alloc", test))]
pub mod tree;
pub mod urlencoded;

pub use encoded::{Bytes, Encoded, decode_in_place};
pub use error::FormError;
pub use kind::{Kind, is_get};
