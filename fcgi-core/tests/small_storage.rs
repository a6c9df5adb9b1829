//! Heads in storage that is smaller than their limit: the cuts of the input do not decide which of
//! the two is said to be exceeded.

use fcgi_core::cgi::{HeadLimits, HeadParser, ParseError};
use fcgi_core::form::FormError;
use fcgi_core::form::multipart::{Boundary, Limits, Parser};

/// Room for 24 bytes.
type Small = heapless::Vec<u8, 24>;

/// A line that no storage here has room for, and no limit allows.
const LINE: &[u8] = b"X-Long: 0123456789abcdefghijklmnopqrstuvwxyz\r\n";

fn cgi_head<'i>(limit: usize, pieces: impl Iterator<Item = &'i [u8]>) -> ParseError {
    let limits = HeadLimits {
        bytes: limit,
        ..HeadLimits::DEFAULT
    };
    let mut parser = HeadParser::new(Small::new(), limits);
    pieces
        .map(|mut piece| parser.push(&mut piece))
        .find_map(Result::err)
        .expect("the line is too long")
}

fn part_head<'i>(limit: usize, pieces: impl Iterator<Item = &'i [u8]>) -> FormError {
    let limits = Limits {
        head: limit,
        ..Limits::DEFAULT
    };
    let boundary = Boundary::new("b").unwrap();
    let mut parser = Parser::new(&boundary, Small::new(), limits);
    assert!(parser.receive(&mut &b"--b\r\n"[..]).unwrap().is_none());
    for mut piece in pieces {
        while !piece.is_empty() {
            if let Err(error) = parser.receive(&mut piece) {
                return error;
            }
        }
    }
    panic!("the line is too long");
}

#[test]
fn the_smaller_of_storage_and_limit_is_named_at_every_cut() {
    let part = 1;
    for limit in [23, 24, 25, LINE.len() - 1] {
        let is_limit = limit <= 24;
        let of_response = match is_limit {
            true => ParseError::TooManyBytes { limit },
            false => ParseError::StorageFull,
        };
        let of_part = match is_limit {
            true => FormError::HeadTooLong { part, limit },
            false => FormError::StorageFull { part },
        };
        for cut in 0..LINE.len() {
            let pieces = [&LINE[..cut], &LINE[cut..]];
            assert_eq!(cgi_head(limit, pieces.into_iter()), of_response, "{cut}");
            assert_eq!(part_head(limit, pieces.into_iter()), of_part, "{cut}");
        }
        assert_eq!(cgi_head(limit, LINE.chunks(1)), of_response);
        assert_eq!(part_head(limit, LINE.chunks(1)), of_part);
    }
}
