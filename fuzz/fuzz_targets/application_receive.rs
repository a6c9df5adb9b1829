//! Any bytes and any calls at an application's connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_tests::fuzzing::application_receive(input));
