//! Any bytes as a query.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_tests::fuzzing::form_urlencoded(input));
