//! Just enough of Rust's lexical structure to ask which names a source file uses, without being
//! fooled by comments and literals.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// A name or a piece of punctuation, with the line it stands on (from 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token<'source> {
    pub(crate) text: &'source str,
    pub(crate) line: usize,
}

/// All `.rs` files under `directory`, at any depth, in a stable order.
///
/// # Errors
///
/// When a directory cannot be read.
pub(crate) fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if entry.file_name() != "target" {
                found.extend(files(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    Ok(found)
}

/// The lines that use `name` as a segment of a path: beside a `::`, or anywhere in a `use` item.
pub(crate) fn lines_with_segment(source: &str, name: &str) -> Vec<usize> {
    let tokens = tokens(source);
    let mut lines = Vec::new();
    let mut in_use = false;
    for (index, token) in tokens.iter().enumerate() {
        let next = tokens.get(index + 1).map_or("", |token| token.text);
        let previous = index
            .checked_sub(1)
            .map_or("", |before| tokens[before].text);
        match token.text {
            // `use<'a>` is a bound, not an item.
            "use" => in_use = next != "<",
            ";" => in_use = false,
            text if text == name && (in_use || previous == "::" || next == "::") => {
                lines.push(token.line);
            }
            _ => {}
        }
    }
    lines
}

/// The lines on which the name or keyword `name` stands.
pub(crate) fn lines_with_name(source: &str, name: &str) -> Vec<usize> {
    let tokens = tokens(source);
    tokens
        .iter()
        .filter(|token| token.text == name)
        .map(|token| token.line)
        .collect()
}

/// Names, numbers and punctuation in order; comments, literals and white space are left out.
fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(first) = rest.chars().next() {
        let (kind, length) = measure(rest, first);
        let (text, after) = rest.split_at(length);
        if kind == Kind::Token {
            tokens.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    tokens
}

#[derive(PartialEq, Eq)]
enum Kind {
    Token,
    Skipped,
}

/// What stands at the front of `rest`, and how many bytes it takes: never 0.
fn measure(rest: &str, first: char) -> (Kind, usize) {
    if rest.starts_with("//") {
        return (Kind::Skipped, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Kind::Skipped, block_comment(rest));
    }
    if let Some(length) = raw_string(rest) {
        return (Kind::Skipped, length);
    }
    match first {
        '"' => (Kind::Skipped, quoted(rest, '"')),
        '\'' => (Kind::Skipped, character_or_lifetime(rest)),
        _ if is_name(first) => (Kind::Token, name_length(rest)),
        _ if first.is_whitespace() => (Kind::Skipped, first.len_utf8()),
        _ if rest.starts_with("::") => (Kind::Token, "::".len()),
        _ => (Kind::Token, first.len_utf8()),
    }
}

fn is_name(character: char) -> bool {
    character == '_' || character.is_alphanumeric()
}

fn name_length(rest: &str) -> usize {
    rest.find(|character| !is_name(character))
        .unwrap_or(rest.len())
}

/// The length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if here.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of `r"…"`, `r#"…"#`, `br"…"` and so on.
fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r"]
        .into_iter()
        .find(|prefix| rest.starts_with(prefix))?;
    let hashes = rest[prefix.len()..]
        .bytes()
        .take_while(|&byte| byte == b'#')
        .count();
    let open = prefix.len() + hashes;
    let body = rest[open..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(
        body.find(&close)
            .map_or(rest.len(), |end| open + 1 + end + close.len()),
    )
}

/// The length of a literal between two `quote`s, with escapes.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + character.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime.
fn character_or_lifetime(rest: &str) -> usize {
    let mut following = rest.chars().skip(1);
    match (following.next(), following.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(rest, '\''),
        _ => 1 + name_length(&rest[1..]),
    }
}

#[cfg(test)]
mod tests {
    use super::{lines_with_name, lines_with_segment};

    #[test]
    fn finds_a_module_however_it_is_imported() {
        let cases = [
            "use fcgi_core::wire;",
            "use fcgi_core::wire::Header;",
            "use fcgi_core::{Event, wire};",
            "use fcgi_core::{wire::{Header, Body}, Event};",
            "use fcgi_core::{wire as bytes};",
            "pub use fcgi_core :: wire :: *;",
            "fn f() { fcgi_core::wire::parse(x) }",
            "use fcgi_core::*; type H = wire::Header;",
            "use fcgi_core as core; type H = core::wire::Header;",
            "use fcgi_core::r#wire;",
            "fn f<'wire>() { m!(fcgi_core::wire) }",
            "fn f() { let c = '\"'; fcgi_core::wire::f(\"\\\"\") }",
        ];
        for source in cases {
            assert_eq!(lines_with_segment(source, "wire"), [1], "{source}");
        }
    }

    #[test]
    fn takes_nothing_else_for_an_import() {
        let cases = [
            "// use fcgi_core::wire;",
            "/* fcgi_core::wire /* nested */ fcgi_core::wire */",
            "let wire = 1; f(wire); wire.len()",
            "let text = \"fcgi_core::wire \\\" ::wire\";",
            "let text = r#\"fcgi_core::wire \" ::wire\"#;",
            "use fcgi_core::wired; use std::fmt;",
            "fn f<'a>() -> impl T + use<'a> { wire }",
        ];
        for source in cases {
            assert_eq!(lines_with_segment(source, "wire"), [0_usize; 0], "{source}");
        }
    }

    #[test]
    fn counts_lines_through_literals_and_comments() {
        let source = "/* a\nb */ \"x\ny\"\n'\\'' // c\n\nunsafe {}";
        assert_eq!(lines_with_name(source, "unsafe"), [6]);
        assert_eq!(
            lines_with_name("deny(unsafe_code) \"unsafe\"", "unsafe"),
            [0_usize; 0]
        );
    }
}
