//! The gateway in front of applications that others made: PHP-FPM, and a C program on libfcgi.
//!
//! They need the Debian packages `php-fpm`, `libfcgi-dev` and a C compiler, and fail where those
//! are missing.

#[path = "../common/fpm.rs"]
mod fpm;
#[path = "../common/gateway.rs"]
mod gateway;

mod libfcgi;
mod php_fpm;
