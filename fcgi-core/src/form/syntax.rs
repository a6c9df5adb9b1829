//! The grammar that cookies and the heads of parts share, beside the crate's: parameters.

use memchr::{memchr, memchr_iter};

pub(super) use crate::syntax::{is_text, is_token, trim_blanks};

/// What is before the first `separator`, and what is after it; nothing if there is none.
#[inline]
pub(super) fn cut(separator: u8, bytes: &[u8]) -> (&[u8], &[u8]) {
    let parts = memchr(separator, bytes).and_then(|at| bytes.split_at_checked(at));
    match parts {
        Some((before, [_, after @ ..])) => (before, after),
        _ => (bytes, &[]),
    }
}

/// One parameter of a field's value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Parameter<'a> {
    /// A token; to be compared without regard to case.
    pub(super) name: &'a [u8],
    /// Without the quotes.
    pub(super) value: &'a [u8],
}

/// The parameters of a field's value do not follow the grammar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Malformed;

/// Cuts `form-data; name="a"` into what is before the first `;`, and the parameters.
pub(super) fn with_parameters(value: &[u8]) -> (&[u8], Parameters<'_>) {
    let (first, rest) = cut(b';', value);
    (trim_blanks(first), Parameters { rest })
}

/// The parameters behind the first `;` of a value (RFC 9110 §5.6.6).
///
/// ```text
///   *( OWS ";" OWS [ token "=" ( quoted / unquoted ) ] )
/// ```
///
/// What is unquoted goes on to the next `;`, as some clients put more there than a token. What is
/// quoted ends at the first `"` that no `\` precedes; all other `\` are themselves, as in the
/// Windows paths that old browsers sent.
#[derive(Clone, Debug)]
pub(super) struct Parameters<'a> {
    rest: &'a [u8],
}

impl<'a> Parameters<'a> {
    fn parameter(&mut self) -> Result<Parameter<'a>, Malformed> {
        let length = self.rest.iter().take_while(|&&byte| is_token(byte)).count();
        let parts = self.rest.split_at_checked(length);
        let Some((name @ [_, ..], [b'=', value @ ..])) = parts else {
            return Err(Malformed);
        };
        let value = match value {
            [b'"', inner @ ..] => {
                let (quoted, after) = end_of_quoted(inner).ok_or(Malformed)?;
                let (between, rest) = cut(b';', after);
                if !trim_blanks(between).is_empty() {
                    return Err(Malformed);
                }
                self.rest = rest;
                quoted
            }
            unquoted => {
                let (value, rest) = cut(b';', unquoted);
                if memchr(b'"', value).is_some() {
                    return Err(Malformed);
                }
                self.rest = rest;
                trim_blanks(value)
            }
        };
        Ok(Parameter { name, value })
    }
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Result<Parameter<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while let [b';' | b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return None;
        }
        let parameter = self.parameter();
        if parameter.is_err() {
            self.rest = &[];
        }
        Some(parameter)
    }
}

/// Cuts at the closing quote: what is before it, and what is after it.
fn end_of_quoted(inner: &[u8]) -> Option<(&[u8], &[u8])> {
    memchr_iter(b'"', inner).find_map(|at| {
        let (before, from_quote) = inner.split_at_checked(at)?;
        let escaped = before.ends_with(b"\\");
        (!escaped).then_some((before, from_quote.strip_prefix(b"\"")?))
    })
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::{Malformed, with_parameters};

    #[test]
    fn parameters() {
        type Row = (&'static str, &'static [(&'static str, &'static str)], bool);
        let table: &[Row] = &[
            ("x", &[], true),
            ("x;", &[], true),
            ("x ; ;; a=1 ;", &[("a", "1")], true),
            (
                "x;a=1;b=\"2;3\" ; c=",
                &[("a", "1"), ("b", "2;3"), ("c", "")],
                true,
            ),
            (
                r#"x; a="b\"c"; d="e""#,
                &[("a", r#"b\"c"#), ("d", "e")],
                true,
            ),
            (r#"x; a="C:\dir\f""#, &[("a", r"C:\dir\f")], true),
            ("x; a=b c/d=e ;f=g", &[("a", "b c/d=e"), ("f", "g")], true),
            ("x; a*=UTF-8''b", &[("a*", "UTF-8''b")], true),
            ("x; a=\"\"", &[("a", "")], true),
            ("x; a", &[], false),
            ("x; =1", &[], false),
            ("x; a =1", &[], false),
            ("x; a= \"1\"", &[], false),
            ("x; a=1\"", &[], false),
            ("x; a=1; b=\"2", &[("a", "1")], false),
            ("x; a=\"1\"2; b=3", &[], false),
            (r#"x; a="1\""#, &[], false),
        ];
        for (value, expected, whole) in table {
            let (first, parameters) = with_parameters(value.as_bytes());
            assert_eq!(first, b"x");
            let mut found: Vec<_> = parameters.collect();
            assert_eq!(found.last() != Some(&Err(Malformed)), *whole, "{value}");
            found.retain(Result::is_ok);
            let found: Vec<_> = found
                .iter()
                .flatten()
                .map(|found| (found.name, found.value))
                .collect();
            let expected: Vec<_> = expected
                .iter()
                .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
                .collect();
            assert_eq!(found, expected, "{value}");
        }
    }
}
