//! Any bytes as cookies, those of a request and new ones.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_tests::fuzzing::form_cookie(input));
