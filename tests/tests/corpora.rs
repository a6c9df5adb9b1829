//! The corpora of the fuzz targets, replayed by plain tests: what was ever found stays found.

use std::fs;

use fcgi_tests::fuzzing::{self, TARGETS, seeds};

fn replay(target: &str) {
    let run = fuzzing::target(target);
    for (path, input) in seeds::inputs(target) {
        // Shown only when the replay fails.
        println!("{}", path.display());
        run(&input);
    }
}

#[test]
fn application_receive() {
    replay("application_receive");
}

#[test]
fn web_server_receive() {
    replay("web_server_receive");
}

#[test]
fn params() {
    replay("params");
}

#[test]
fn cgi_head() {
    replay("cgi_head");
}

#[test]
fn pair_talk() {
    replay("pair_talk");
}

#[test]
fn form_urlencoded() {
    replay("form_urlencoded");
}

#[test]
fn form_multipart() {
    replay("form_multipart");
}

#[test]
fn form_cookie() {
    replay("form_cookie");
}

#[test]
fn every_target_has_its_program_and_every_seed_its_file() {
    for (target, _) in TARGETS {
        let corpus = seeds::corpus(target);
        let fuzz = corpus.ancestors().nth(2).expect("fuzz/corpus/<target>");
        let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("name = \"{target}\"")));
        let program = fs::read_to_string(fuzz.join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(program.contains(&format!("fuzzing::{target}(")));
    }
    for seed in seeds::all() {
        let written = fs::read(seed.path()).unwrap_or_default();
        assert!(
            written == seed.bytes,
            "{} is not up to date: `cargo run -p fcgi-tests --example seed_corpora`",
            seed.path().display(),
        );
    }
}
