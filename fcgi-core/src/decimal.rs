//! Decimal numbers, without the machinery of `core::fmt` and `core::num`, which can panic.

/// Digits of the largest `u64`.
pub(crate) const DIGITS: usize = 20;

/// The number that digits and nothing else spell, if it fits: no sign, no blank.
pub(crate) fn parse(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, &byte| {
        let digit = char::from(byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// `number` in digits, at the end of `digits`.
pub(crate) fn digits(number: u64, digits: &mut [u8; DIGITS]) -> &[u8] {
    let mut left = number;
    let mut start = DIGITS;
    for digit in digits.iter_mut().rev() {
        // A remainder of 10 always fits.
        *digit = b'0' | u8::try_from(left % 10).unwrap_or(0);
        start = start.saturating_sub(1);
        left /= 10;
        if left == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::{DIGITS, digits, parse};

    #[test]
    fn writes_what_the_standard_library_writes() {
        for number in [
            0,
            9,
            10,
            99,
            100,
            404,
            65_535,
            1 << 32,
            u64::MAX - 1,
            u64::MAX,
        ] {
            let mut room = [b'x'; DIGITS];
            assert_eq!(digits(number, &mut room), number.to_string().as_bytes());
        }
    }

    #[test]
    fn parses_digits_only() {
        for (digits, number) in [
            ("0", Some(0)),
            ("00042", Some(42)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1 ", None),
            ("0x1", None),
            ("1,1", None),
            ("/", None),
            (":", None),
        ] {
            assert_eq!(parse(digits.as_bytes()), number, "{digits:?}");
        }
    }
}
