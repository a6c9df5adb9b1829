//! PHP-FPM, which wants every variable whole in one record, and ends its requests without the end
//! of STDOUT.

use std::io::Write;
use std::process::{Command, Stdio};

use fcgi_tests::pattern;

use crate::fpm::Fpm;
use crate::kit::{Ran, cgi_fcgi, run_with};

/// The digest of the body; of all variables; or a head with large fields.
const PAGE: &str = r#"<?php
switch ($_SERVER['QUERY_STRING']) {
case 'body':
    echo hash_file('sha256', 'php://input');
    break;
case 'variables':
    for ($n = 0; isset($_SERVER["HTTP_X_$n"]); $n++)
        echo strlen($_SERVER["HTTP_X_$n"]), ' ', hash('sha256', $_SERVER["HTTP_X_$n"]), "\n";
    break;
case 'head':
    for ($n = 0; $n < 40; $n++)
        header("X-Large-$n: " . str_repeat(chr(65 + $n % 26), 6000));
    error_log('told');
    echo 'page';
    break;
}
"#;

/// Leaves the body to the script.
const SETTINGS: &str = "php_admin_value[enable_post_data_reading] = 0";

fn start() -> Fpm {
    Fpm::start(&[("page.php", PAGE)], SETTINGS)
}

fn request(fpm: &Fpm, query: &str, variables: &[(String, String)], body: &[u8]) -> Ran {
    let mut command = cgi_fcgi(&["-bind", "-connect", &fpm.address()]);
    command
        .env("SCRIPT_FILENAME", format!("{}/page.php", fpm.site()))
        .env("REQUEST_METHOD", "POST")
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", "application/octet-stream")
        .env("CONTENT_LENGTH", body.len().to_string())
        .envs(variables.iter().map(|(name, value)| (name, value)));
    run_with(&mut command, body)
}

fn sha256(bytes: &[u8]) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

#[test]
fn a_body_of_10_mib() {
    let fpm = start();
    let body = pattern::bytes(10 << 20);
    let page = request(&fpm, "body", &[], &body);
    assert_eq!((page.status, page.text()), (0, &sha256(&body)[..]));
}

/// Some 900 kB of variables in all, one of them nearly as long as a record. PHP-FPM closes the
/// connection when a record ends inside a variable, as those of the kit's program do every 8 kB.
#[test]
fn large_variables() {
    let fpm = start();
    let lengths = [65_000, 1, 8191, 8192, 8193, 60_000];
    let lengths: Vec<usize> = lengths.into_iter().chain([6000; 120]).collect();
    let letters: Vec<String> = ('a'..='z').map(String::from).collect();
    let value = |n: usize, length: usize| letters[n % 26].repeat(length);
    let variables: Vec<(String, String)> = lengths
        .iter()
        .enumerate()
        .map(|(n, &length)| (format!("HTTP_X_{n}"), value(n, length)))
        .collect();
    let page = request(&fpm, "variables", &variables, b"");
    assert_eq!(page.status, 0, "{}", page.stderr);
    let lines: Vec<&str> = page.text().lines().collect();
    assert_eq!(lines.len(), lengths.len());
    for (line, (_, value)) in lines.into_iter().zip(&variables).take(10) {
        assert_eq!(
            line,
            format!("{} {}", value.len(), sha256(value.as_bytes()))
        );
    }
}

#[test]
fn a_large_head() {
    let fpm = start();
    let page = request(&fpm, "head", &[], b"");
    assert_eq!((page.status, page.text()), (0, "page"));
    assert!(page.stdout.len() > 40 * 6000);
    assert!(page.stderr.contains("told"), "{}", page.stderr);
}

#[test]
fn a_missing_script() {
    let fpm = start();
    let script = ("SCRIPT_FILENAME".to_owned(), "/no/such.php".to_owned());
    let page = request(&fpm, "", &[script], b"");
    assert!(
        page.stdout.starts_with(b"Status: 404 Not Found\r\n"),
        "{page:?}"
    );
    assert!(
        page.stderr.contains("Primary script unknown"),
        "{}",
        page.stderr
    );
}
