//! `cgi-fcgi` as a program: run as a web server runs a CGI program, with applications that it
//! starts itself and ones that are played by hand.

mod answers;
mod files;
mod kit;
mod manual;
mod peer;
mod starting;
mod streams;
