//! Bodies on their way: with a length, or in chunks (RFC 9112 §7.1).

use std::io::{self, BufRead, Read, Write};

use super::invalid;

/// Writes all of `source`; in chunks, the last one too, if `chunked`.
pub(super) fn send(
    source: &mut dyn Read,
    mut connection: impl Write,
    chunked: bool,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = source.read(&mut buffer)?;
        if chunked {
            connection.write_all(format!("{length:x}\r\n").as_bytes())?;
        }
        connection.write_all(&buffer[..length])?;
        if chunked {
            connection.write_all(b"\r\n")?;
        }
        if length == 0 {
            return Ok(());
        }
    }
}

/// Copies `length` bytes.
pub(super) fn exactly(
    length: u64,
    connection: &mut impl BufRead,
    sink: &mut dyn Write,
) -> io::Result<u64> {
    let copied = io::copy(&mut connection.take(length), sink)?;
    if copied < length {
        let why = format!("{copied} of {length} bytes of a body");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
    }
    Ok(copied)
}

/// Copies the content of all chunks and skips the trailer section.
pub(super) fn chunks(connection: &mut impl BufRead, sink: &mut dyn Write) -> io::Result<u64> {
    let mut total = 0;
    loop {
        let line = line(connection)?;
        let size = match httparse::parse_chunk_size(&line) {
            Ok(httparse::Status::Complete((_, size))) => size,
            _ => {
                return Err(invalid(format!(
                    "no chunk size: \"{}\"",
                    line.escape_ascii()
                )));
            }
        };
        if size == 0 {
            while self::line(connection)? != b"\r\n" {}
            return Ok(total);
        }
        total += exactly(size, connection, sink)?;
        if self::line(connection)? != b"\r\n" {
            return Err(invalid("a chunk is longer than its size"));
        }
    }
}

fn line(connection: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    connection.take(16 * 1024).read_until(b'\n', &mut line)?;
    if line.ends_with(b"\n") {
        Ok(line)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_read_as_they_were_sent() {
        let body = vec![b'x'; 200_000];
        let mut sent = Vec::new();
        send(&mut &*body, &mut sent, true).unwrap();
        sent.extend(b"next");
        let mut connection = &*sent;
        let mut read = Vec::new();
        assert_eq!(chunks(&mut connection, &mut read).unwrap(), 200_000);
        assert_eq!((read == body, connection), (true, &b"next"[..]));
    }

    #[test]
    fn what_is_cut_or_out_of_step_is_an_error() {
        let table: &[(&[u8], io::ErrorKind)] = &[
            (b"5\r\nhel", io::ErrorKind::UnexpectedEof),
            (b"5\r\nhello\r\n", io::ErrorKind::UnexpectedEof),
            (b"5\r\nhello\r\n0\r\n", io::ErrorKind::UnexpectedEof),
            (b"5\r\nhello!\r\n0\r\n\r\n", io::ErrorKind::InvalidData),
            (b"five\r\nhello\r\n0\r\n\r\n", io::ErrorKind::InvalidData),
        ];
        for &(mut bytes, kind) in table {
            let error = chunks(&mut bytes, &mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
        }
        let extended: &[u8] = b"5;name=value\r\nhello\r\n0\r\nTrailer: x\r\n\r\n";
        let mut read = Vec::new();
        chunks(&mut { extended }, &mut read).unwrap();
        assert_eq!(read, b"hello");
        assert!(exactly(3, &mut &b"ab"[..], &mut Vec::new()).is_err());
    }
}
