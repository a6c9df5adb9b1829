//! A whole record as it lies in a buffer, and how the specification writes it (Appendix B).

use core::fmt;

use nom::IResult;

use super::{BeginRequest, EndRequest, HEADER_LEN, Header, RecordType, Role, UnknownType};

/// A whole record: its header and its content, borrowed.
///
/// `Display` writes it as Appendix B of the specification does: `{FCGI_STDIN, 1, "quantity=100"}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Record<'a> {
    /// The header as it was read.
    pub header: Header,
    /// `header.content_length` bytes.
    pub content: &'a [u8],
}

impl<'a> Record<'a> {
    /// Reads one record, its padding included, from the front of a slice that holds all of it.
    ///
    /// # Errors
    ///
    /// The slice ends inside the record, or its version is not 1.
    pub fn parse(input: &'a [u8]) -> IResult<&'a [u8], Record<'a>, ()> {
        let failed = || nom::Err::Error(());
        let (header, input) = input.split_first_chunk::<HEADER_LEN>().ok_or_else(failed)?;
        let header = Header::decode(header).map_err(|_| failed())?;
        let (content, input) = input
            .split_at_checked(header.content_length.into())
            .ok_or_else(failed)?;
        let (_padding, input) = input
            .split_at_checked(header.padding_length.into())
            .ok_or_else(failed)?;
        Ok((input, Record { header, content }))
    }
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{{}, {}, ",
            self.header.record_type, self.header.request_id
        )?;
        match (self.header.record_type, self.content.first_chunk()) {
            (RecordType::BEGIN_REQUEST, Some(body)) => {
                let BeginRequest { role, keep_conn } = BeginRequest::decode(body);
                match Role::from_number(role) {
                    Some(role) => write!(f, "{{{role}, ")?,
                    None => write!(f, "{{role {role}, ")?,
                }
                f.write_str(if keep_conn { "FCGI_KEEP_CONN}" } else { "0}" })?;
            }
            (RecordType::END_REQUEST, Some(body)) => {
                let EndRequest {
                    app_status,
                    protocol_status,
                } = EndRequest::decode(body);
                write!(f, "{{{app_status}, {protocol_status}}}")?;
            }
            (RecordType::UNKNOWN_TYPE, Some(body)) => {
                write!(f, "{{{}}}", UnknownType::decode(body).record_type)?;
            }
            _ => fmt::Display::fmt(&Text(self.content), f)?,
        }
        f.write_str("}")
    }
}

/// Bytes, displayed as a C string literal as the specification writes them:
/// `"\013\002SERVER_PORT80"`.
///
/// Every byte that is not printable ASCII is escaped, so the text is safe for a terminal and a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for &byte in self.0 {
            match byte {
                b'\n' => f.write_str("\\n")?,
                b'\r' => f.write_str("\\r")?,
                b'\t' => f.write_str("\\t")?,
                b'"' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                b' '..=b'~' => write!(f, "{}", char::from(byte))?,
                _ => write!(f, "\\{byte:03o}")?,
            }
        }
        f.write_str("\"")
    }
}
