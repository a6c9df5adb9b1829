//! Cutting the input anywhere changes nothing but the pieces, and every event comes with the last
//! byte that it needs, at both machines (§3.3).

mod application;
mod long;
mod web_server;
