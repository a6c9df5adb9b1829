//! The page.

use std::fmt::Write as _;
use std::io::{self, Write};

use fcgi_std::Request;
use fcgi_std::form::File;
use fcgi_std::form::tree::{Tree, Value};

use crate::crc;

const TEMPLATE: &str = include_str!("page.html");

/// Shows the page, with the form that was sent to it; `count` is the number of this request.
pub(crate) fn show(request: &mut Request, count: u64) -> io::Result<()> {
    let (values, files) = (request.post()?, request.files()?);
    let html = TEMPLATE
        .replace("{{count}}", &count.to_string())
        .replace("{{process}}", &std::process::id().to_string())
        .replace("{{posted}}", &posted(&values))
        .replace("{{arrived}}", &arrived(&values, &files)?)
        .replace("{{params}}", &rows(request.params.iter()));
    request.header("Content-Type", "text/html; charset=utf-8")?;
    request.header("Cache-Control", "no-store")?;
    request.stdout.write_all(html.as_bytes())
}

/// What came of the form with two fields.
fn posted(values: &Tree) -> String {
    let rows = rows(named(values, &["name", "message"]));
    if rows.is_empty() {
        return rows;
    }
    format!("<p>The application received:</p><table id=\"posted\">{rows}</table>")
}

/// What came of the form with files. They are gone when the request ends.
fn arrived(values: &Tree, files: &Tree<File>) -> io::Result<String> {
    let note = rows(named(values, &["note"]));
    if note.is_empty() && files.is_empty() {
        return Ok("<p>Nothing yet. What arrives is looked at, and not kept.</p>".to_owned());
    }
    let mut html = format!("<p>The application received:</p><table id=\"note\">{note}</table>");
    if files.is_empty() {
        return Ok(html);
    }
    let head = COLUMNS.map(|name| format!("<th>{name}</th>")).concat();
    html += &format!("<table id=\"files\"><thead><tr>{head}</tr></thead><tbody>");
    for (field, files) in files.as_map() {
        for file in files.all() {
            html += &file_row(field, file)?;
        }
    }
    html += "</tbody></table>";
    Ok(html)
}

const COLUMNS: [&str; 5] = ["Field", "File", "Type", "Bytes", "CRC-32"];

fn file_row(field: &[u8], file: &File) -> io::Result<String> {
    let kind = file.content_type().map(Value::as_bytes);
    let cells = [
        escape(field),
        escape(file.file_name()),
        escape(kind.unwrap_or_default()),
        file.len().to_string(),
        format!("{:08x}", crc::of(file.open()?)?),
    ];
    // A telephone shows the name of its column beside each cell.
    let cells = COLUMNS.iter().zip(cells);
    let cells = cells.map(|(name, cell)| format!("<td data-name=\"{name}\">{cell}</td>"));
    Ok(format!("<tr>{}</tr>\n", cells.collect::<String>()))
}

/// The values with these names, in this order.
fn named<'v>(
    values: &'v Tree,
    names: &'v [&str],
) -> impl Iterator<Item = (&'v [u8], &'v [u8])> + use<'v> {
    names.iter().flat_map(|name| {
        let values = values.all(name);
        values.map(|value| (name.as_bytes(), value.as_bytes()))
    })
}

fn rows<'v>(pairs: impl Iterator<Item = (&'v [u8], &'v [u8])>) -> String {
    pairs.fold(String::new(), |mut html, (name, value)| {
        let (name, value) = (escape(name), escape(value));
        // Writing to a String does not fail.
        let _ = writeln!(html, "<tr><th>{name}</th><td>{value}</td></tr>");
        html
    })
}

/// Everything on the page that a client chose goes through here. Braces too, so that it cannot name
/// a place of the template.
fn escape(bytes: impl AsRef<[u8]>) -> String {
    let mut html = String::new();
    for c in String::from_utf8_lossy(bytes.as_ref()).chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '{' => html.push_str("&#123;"),
            _ => html.push(c),
        }
    }
    html
}
