//! Both machines talk, through any cuts and short writes.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| fcgi_tests::fuzzing::pair_talk(input));
