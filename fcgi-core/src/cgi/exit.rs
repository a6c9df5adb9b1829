//! Exit statuses of processes.

/// With what a process exits that stands for a request of this appStatus (FastCGI §5.5): exit(2)
/// passes on the low 8 bits; what was no success does not become one by that, but 255.
#[must_use]
pub const fn exit_status(app_status: u32) -> u8 {
    let [.., low] = app_status.to_be_bytes();
    if app_status != 0 && low == 0 {
        255
    } else {
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_statuses() {
        for (app_status, wanted) in [
            (0, 0),
            (1, 1),
            (255, 255),
            (256, 255),
            (257, 1),
            (0xFF00_0000, 255),
            (u32::MAX, 255),
        ] {
            assert_eq!(exit_status(app_status), wanted, "{app_status}");
        }
    }
}
