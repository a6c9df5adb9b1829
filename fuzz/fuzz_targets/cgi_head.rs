//! Any bytes as the head of a CGI response, in pieces and within limits.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_tests::fuzzing::cgi_head(input));
