//! Values of options.

use std::time::Duration;

/// `10`, `1.5s`, `500ms`, `2m`: seconds unless there is a unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text {
        _ if text.ends_with("ms") => (&text[..text.len() - 2], 1e-3),
        _ if text.ends_with('s') => (&text[..text.len() - 1], 1.0),
        _ if text.ends_with('m') => (&text[..text.len() - 1], 60.0),
        _ => (text, 1.0),
    };
    let seconds = number
        .parse::<f64>()
        .ok()
        .filter(|_| !number.starts_with(['+', 'i', 'n']));
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds * unit).ok());
    let duration = duration.filter(|duration| !duration.is_zero() && *duration <= LONGEST);
    duration.ok_or_else(|| "write a time such as 10, 1.5s, 500ms or 2m".to_owned())
}

/// Clocks go that far.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A status that has to be, or `any`.
pub(super) fn status(text: &str) -> Result<Option<u16>, String> {
    match (text, text.parse()) {
        ("any", _) => Ok(None),
        (_, Ok(status @ 200..=999)) => Ok(Some(status)),
        _ => Err("write a status such as 200, or `any`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in [
            ("10", 10_000),
            ("0.25", 250),
            ("1.5s", 1500),
            ("500ms", 500),
            ("2m", 120_000),
        ] {
            assert_eq!(
                duration(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in [
            "", "s", "0", "-1", "+1", "inf", "nan", "1h", "1 s", "1e300", "1e9",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn statuses() {
        assert_eq!(status("404"), Ok(Some(404)));
        assert_eq!(status("any"), Ok(None));
        for text in ["", "99", "100", "1000", "OK"] {
            assert!(status(text).is_err(), "{text}");
        }
    }
}
