//! Any bytes and any calls at a web server's connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_tests::fuzzing::web_server_receive(input));
