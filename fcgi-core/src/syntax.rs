//! What header fields have in common, wherever they are: tokens, text, blanks (RFC 9110 §5).

/// A byte of a token (RFC 9110 §5.6.2, `tchar`): names of header fields, parameters and cookies.
pub(crate) const fn is_token(byte: u8) -> bool {
    matches!(byte,
        b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'z' // with ^ _ `
        | b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'|' | b'~')
}

/// A byte of a field's value or a reason phrase (RFC 9110 §5.5): visible, blank, TAB, above ASCII.
pub(crate) const fn is_text(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// `value` without the blanks and TABs around it.
pub(crate) fn trim_blanks(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', inner @ ..] | [inner @ .., b' ' | b'\t'] = value {
        value = inner;
    }
    value
}

#[cfg(test)]
mod tests {
    use super::{is_text, is_token, trim_blanks};

    #[test]
    fn classes() {
        let separators = b"()<>@,;:\\\"/[]?={} \t";
        for byte in 0..=u8::MAX {
            let visible = byte.is_ascii_graphic();
            assert_eq!(
                is_token(byte),
                visible && !separators.contains(&byte),
                "{byte:#x}"
            );
            assert_eq!(is_text(byte), byte == b'\t' || !byte.is_ascii_control());
        }
    }

    #[test]
    fn blanks() {
        for (value, trimmed) in [
            ("", ""),
            (" \t ", ""),
            ("a", "a"),
            ("\t a b\t ", "a b"),
            ("\r ", "\r"),
        ] {
            let found = trim_blanks(value.as_bytes());
            assert_eq!(found, trimmed.as_bytes(), "{value:?}");
        }
    }
}
