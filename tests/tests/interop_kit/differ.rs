//! What makes a FastCGI application of a CGI program.

use std::fs;

/// The lines of an example without comments and indentation.
fn statements(name: &str) -> Vec<String> {
    let path = format!(
        "{}/../examples/src/bin/{name}.rs",
        env!("CARGO_MANIFEST_DIR")
    );
    let source = fs::read_to_string(path).unwrap();
    let lines = source.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn tiny_cgi_and_tiny_fcgi_by_the_loop_alone() {
    let (cgi, mut fcgi) = (statements("tiny-cgi"), statements("tiny-fcgi"));
    assert!(cgi.len() > 10, "{cgi:?}");
    let mut take = |at: usize, line: &str| assert_eq!(fcgi.remove(at), line);
    // From below, so that the numbers above stay.
    let end = cgi.iter().position(|line| line == "}").unwrap();
    take(end + 2, "Ok(())");
    take(end + 1, "}");
    take(3, "while accept()? {");
    assert_eq!(cgi[0], "use fcgi_std::stdio::{println, var};");
    assert_eq!(fcgi[0], "use fcgi_std::stdio::{accept, println, var};");
    assert_eq!(cgi[1], "fn main() {");
    assert_eq!(fcgi[1], "fn main() -> std::io::Result<()> {");
    assert_eq!(cgi[2..], fcgi[2..]);
}
