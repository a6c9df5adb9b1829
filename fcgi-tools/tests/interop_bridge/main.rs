//! `cgi-fcgi` beside the program that it takes the place of, on applications that others made.
//!
//! They need the Debian packages `libfcgi-bin`, `libfcgi-dev`, `php-fpm`, `fcgiwrap`, `apache2-bin`
//! and a C compiler, and fail where those are missing.

#[path = "../common/c_program.rs"]
mod c_program;

#[path = "../common/fpm.rs"]
mod fpm;

#[path = "../bridge/kit.rs"]
#[allow(
    dead_code,
    reason = "shared with the tests that need no other programs"
)]
mod kit;

mod alike;
mod apache;
mod fcgiwrap;
mod libfcgi;
mod php_fpm;
