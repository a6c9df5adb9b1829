//! The manual page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("man/cgi-fcgi.1")
}

/// As a reader sees it: without the escapes of dashes and fonts.
fn text() -> String {
    let source = fs::read_to_string(page()).unwrap();
    source.replace("\\-", "-")
}

#[test]
fn the_page_has_every_option() {
    let text = text();
    let mut command = fcgi_tools::bridge::command();
    command.build();
    let visible = command.get_arguments().filter(|one| !one.is_hide_set());
    let mut count = 0;
    for argument in visible {
        count += 1;
        let heads: Vec<String> = match (argument.get_long(), argument.get_short()) {
            (None, None) => vec![format!(".I {}", argument.get_id().as_str())],
            (long, short) => {
                let long = long.map(|long| format!("--{long}"));
                long.into_iter()
                    .chain(short.map(|short| format!("-{short}")))
                    .collect()
            }
        };
        for head in heads {
            // The paragraph that is about it begins with it.
            let found = text.split("\n.TP\n").skip(1).any(|paragraph| {
                let first = paragraph.lines().next().unwrap_or_default();
                let mut words = first.split([' ', ',', '"', '\\']);
                match head.strip_prefix(".I ") {
                    Some(name) => {
                        first == format!(".I {}", if name == "count" { "n" } else { name })
                    }
                    None => words.any(|word| word == head),
                }
            });
            assert!(found, "the page does not explain {head}");
        }
    }
    assert!(count > 12, "{count} arguments");
}

#[test]
fn the_page_has_every_exit_status() {
    let text = text();
    for status in ["2", "69", "70", "74", "76"] {
        assert!(text.contains(&format!("\n.TP\n.B {status}\n")), "{status}");
    }
}

/// With a program that lays manual pages out, where there is one: it finds nothing to complain of.
#[test]
fn the_page_can_be_laid_out() {
    let groff = Command::new("groff")
        .args(["-man", "-Tutf8", "-ww", "-z"])
        .arg(page())
        .stdin(Stdio::null())
        .output();
    let Ok(output) = groff else {
        eprintln!("no groff here: the page is not laid out");
        return;
    };
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
