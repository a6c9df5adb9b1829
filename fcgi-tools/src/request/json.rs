//! An answer for programs.

use serde_json::{Value, json};

use crate::serve::console::is_invisible;

use super::{RequestError, Response, Verdict, Whole};

/// What came of a request, as an object:
///
/// - `verdict`: the number of [`Verdict`]; `error`: what went wrong, or `null`.
/// - `status`, `app_status`, `seconds`: `null` without an answer.
/// - `headers`: in their order, each `{"name": …, "value": …}`.
/// - `body` and `stderr`: as text, with `body_encoding` and `stderr_encoding`: `"utf-8"` if they
///   are that, else `"latin-1"`: one character, U+0000 to U+00FF, for each byte. The values of
///   headers are read in the same way.
#[must_use]
pub fn json(
    outcome: &Result<Response, RequestError>,
    verdict: Verdict,
    answer: &Whole,
    stderr: &[u8],
) -> Value {
    let response = outcome.as_ref().ok();
    let headers = answer
        .fields
        .iter()
        .map(|(name, value)| json!({ "name": text(name).0, "value": text(value).0 }));
    let (body, body_encoding) = text(&answer.body);
    let (stderr, stderr_encoding) = text(stderr);
    json!({
        "verdict": verdict.code(),
        "error": outcome.as_ref().err().map(ToString::to_string),
        "status": response.map(|response| response.status.code()),
        "app_status": response.map(|response| response.app_status),
        "seconds": response.map(|response| response.elapsed.as_secs_f64()),
        "headers": headers.collect::<Vec<Value>>(),
        "body": body,
        "body_encoding": body_encoding,
        "stderr": stderr,
        "stderr_encoding": stderr_encoding,
    })
}

/// An object as text of several lines in which no character steers a terminal: what could is
/// written `\uXXXX`, as JSON allows.
#[must_use]
pub fn printable(object: &Value) -> String {
    let mut text = String::new();
    for char in format!("{object:#}").chars() {
        // Line feeds of the text itself; those in strings were escaped.
        if char == '\n' || !(char.is_control() || is_invisible(char)) {
            text.push(char);
        } else {
            // All of them have four digits.
            text.push_str(&format!("\\u{:04x}", u32::from(char)));
        }
    }
    text
}

/// Bytes as text that gives them back, and how.
fn text(bytes: &[u8]) -> (String, &'static str) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (text.to_owned(), "utf-8"),
        Err(_) => (bytes.iter().copied().map(char::from).collect(), "latin-1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_can_be_told() {
        assert_eq!(text("Grüße".as_bytes()), ("Grüße".to_owned(), "utf-8"));
        let bytes: Vec<u8> = (0..=255).collect();
        let (text, encoding) = text(&bytes);
        assert_eq!(encoding, "latin-1");
        let back: Vec<u8> = text
            .chars()
            .map(|char| u8::try_from(u32::from(char)).unwrap())
            .collect();
        assert_eq!(back, bytes);
    }

    #[test]
    fn nothing_steers_the_terminal() {
        let object = json!({ "body": "\u{9b}31m \u{202e}\u{7f}\n\u{1b}ü" });
        let text = printable(&object);
        assert!(
            !text.contains(|char: char| char != '\n' && char.is_control()),
            "{text:?}"
        );
        assert!(text.contains("\\u202e") && text.contains('ü'), "{text:?}");
        assert_eq!(text.parse::<Value>().unwrap(), object);
    }
}
