//! The comparison works: one short run of what needs nothing but cargo. Its numbers are not looked
//! at.

use std::process::Command;

#[test]
fn our_servers_answer_in_every_scenario() {
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args([
            "--quick",
            "--no-calls",
            "--servers",
            "floor,fcgi-mio,fcgi-std",
        ])
        .output()
        .unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{report}");
    for server in ["floor", "fcgi-mio", "fcgi-std"] {
        let start = format!("| {server} | ");
        let lines: Vec<&str> = report
            .lines()
            .filter(|line| line.starts_with(&start))
            .collect();
        assert_eq!(lines.len(), 8, "{report}");
        for line in lines {
            // Something was answered, no connection starved, and nothing failed.
            assert!(!line.contains("none"), "{line}");
            assert!(line.ends_with(" | 0 |  |"), "{line}");
        }
    }
}

#[test]
fn names_that_do_not_exist() {
    for option in ["--servers", "--scenarios"] {
        let output = Command::new(env!("CARGO_BIN_EXE_compare"))
            .args([option, "nothing"])
            .output()
            .unwrap();
        assert!(!output.status.success());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("nothing is none of"), "{errors}");
    }
}
