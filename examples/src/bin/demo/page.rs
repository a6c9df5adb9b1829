//! The page.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Read, Write};

use fcgi_std::Request;

const TEMPLATE: &str = include_str!("page.html");

/// Shows the page; `count` is the number of this request.
pub(crate) fn show(request: &mut Request, count: u64) -> io::Result<()> {
    let mut body = Vec::new();
    request.stdin.read_to_end(&mut body)?;
    let params: Vec<_> = request
        .params
        .iter()
        .map(|(name, value)| (text(name), text(value)))
        .collect();
    let posted = form_urlencoded::parse(&body).collect::<Vec<_>>();
    let html = TEMPLATE
        .replace("{{count}}", &count.to_string())
        .replace("{{process}}", &std::process::id().to_string())
        .replace("{{posted}}", &echo(&posted))
        .replace("{{params}}", &rows(&params));
    request.header("Content-Type", "text/html; charset=utf-8")?;
    request.header("Cache-Control", "no-store")?;
    request.stdout.write_all(html.as_bytes())
}

fn echo(posted: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    if posted.is_empty() {
        return String::new();
    }
    format!(
        "<p>The application received:</p><table id=\"posted\">{}</table>",
        rows(posted)
    )
}

fn rows(pairs: &[(Cow<'_, str>, Cow<'_, str>)]) -> String {
    pairs.iter().fold(String::new(), |mut html, (name, value)| {
        // Writing to a String does not fail.
        let _ = writeln!(
            html,
            "<tr><th>{}</th><td>{}</td></tr>",
            escape(name),
            escape(value)
        );
        html
    })
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

/// Everything on the page that a client chose goes through here. Braces too, so that it cannot name
/// a place of the template.
fn escape(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut html, c| {
            match c {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                '{' => html.push_str("&#123;"),
                _ => html.push(c),
            }
            html
        })
}
