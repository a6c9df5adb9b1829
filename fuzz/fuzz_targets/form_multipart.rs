//! Any bytes as a multipart form, in pieces and within limits.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_tests::fuzzing::form_multipart(input));
