//! Processes of FastCGI applications.
#![forbid(unsafe_code)]
