//! Dates in HTTP's form.

use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// The first second of the year 10000, which four digits cannot say.
const END: u64 = 253_402_300_800;

/// `time` as an IMF-fixdate, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7); parts of a second
/// are left out.
///
/// # Errors
///
/// `InvalidInput` for a time before 1970 or after 9999.
pub fn date(time: SystemTime) -> io::Result<String> {
    let since = time.duration_since(UNIX_EPOCH).ok();
    match since.filter(|since| since.as_secs() < END) {
        Some(_) => Ok(httpdate::fmt_http_date(time)),
        None => Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "http has dates only from 1970 to 9999",
        )),
    }
}

/// As [`date`], for `Last-Modified`: a time that is yet to come is said to be now (RFC 9110
/// §8.8.2.1).
///
/// # Errors
///
/// As [`date`].
pub fn last_modified(time: SystemTime) -> io::Result<String> {
    date(time.min(SystemTime::now()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::{END, date, last_modified};

    #[test]
    fn dates_from_first_to_last() {
        for (seconds, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
            (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
            (END - 1, "Fri, 31 Dec 9999 23:59:59 GMT"),
        ] {
            let time = UNIX_EPOCH + Duration::from_millis(seconds * 1000 + 999);
            assert_eq!(date(time).unwrap(), expected);
        }
        for time in [
            UNIX_EPOCH - Duration::from_nanos(1),
            UNIX_EPOCH + Duration::from_secs(END),
        ] {
            let error = date(time).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        }
    }

    #[test]
    fn nothing_was_modified_in_the_future() {
        let before = SystemTime::now();
        let sent = last_modified(before + Duration::from_secs(1 << 30)).unwrap();
        let sent = httpdate::parse_http_date(&sent).unwrap();
        assert!(sent <= SystemTime::now());
        assert!(sent + Duration::from_secs(1) > before);
        let past = UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(last_modified(past).unwrap(), date(past).unwrap());
    }
}
