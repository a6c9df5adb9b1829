//! Any bytes as a PARAMS stream, in pieces and within limits.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_tests::fuzzing::params(input));
