//! What is aimed at. Ratios of processor time are reported, not enforced: they vary from machine to
//! machine.

use std::fmt::Write;

use crate::results::Results;
use crate::servers::FLOOR;

/// At most so much of another server's processor time.
struct Aim {
    scenario: &'static str,
    server: &'static str,
    other: &'static str,
    most: f64,
}

const fn aim(scenario: &'static str, server: &'static str, other: &'static str, most: f64) -> Aim {
    Aim {
        scenario,
        server,
        other,
        most,
    }
}

const AIMS: [Aim; 11] = [
    aim("kept-1", "fcgi-mio", FLOOR, 1.10),
    aim("kept-32", "fcgi-mio", FLOOR, 1.15),
    aim("kept-256", "fcgi-mio", FLOOR, 1.15),
    aim("new-32", "fcgi-mio", FLOOR, 1.15),
    aim("body-64k", "fcgi-mio", FLOOR, 1.20),
    aim("body-1m", "fcgi-mio", FLOOR, 1.30),
    aim("upload-1m", "fcgi-mio", FLOOR, 1.10),
    aim("mpx-8x32", "fcgi-mio", FLOOR, 1.30),
    aim("kept-32", "fcgi-mio", "libfcgi-n", 0.40),
    aim("kept-32", "fcgi-mio", "tokio-fastcgi", 0.16),
    aim("kept-1", "fcgi-std", FLOOR, 1.25),
];

/// Who is to be behind in every scenario.
const AHEAD: [(&str, &[&str]); 2] = [
    (
        "fcgi-mio",
        &["libfcgi-1", "libfcgi-n", "tokio-fastcgi", "go"],
    ),
    ("fcgi-std", &["libfcgi-1", "libfcgi-n"]),
];

/// The aims beside what is, as far as it was measured.
pub(crate) fn table(all: &[Results]) -> String {
    let mut text =
        "### Aims\n\n| aim, in processor time | at most | is |\n|---|--:|--:|\n".to_owned();
    for aim in &AIMS {
        let results = all
            .iter()
            .find(|results| results.scenario.name == aim.scenario);
        if let Some(is) = results.and_then(|results| results.ratio(aim.server, aim.other)) {
            let Aim {
                scenario,
                server,
                other,
                most,
            } = aim;
            let missed = if is > *most { " missed" } else { "" };
            let what = format!("{scenario}: {server} ÷ {other}");
            // Writing to a String does not fail.
            let _ = writeln!(text, "| {what} | {most:.2} | {is:.2}{missed} |");
        }
    }
    for (server, others) in AHEAD {
        let behind = ahead_of(all, server, others);
        if let Some((ratio, what)) = behind {
            let missed = if ratio > 1.0 { " missed" } else { "" };
            let _ = writeln!(
                text,
                "| {server} ahead of {}; closest: {what} | 1.00 | {ratio:.2}{missed} |",
                others.join(", ")
            );
        }
    }
    text
}

/// Where a server is least ahead of the others: in what share of their time, and of whom.
fn ahead_of(all: &[Results], server: &str, others: &[&str]) -> Option<(f64, String)> {
    let mut closest: Option<(f64, String)> = None;
    for results in all {
        for other in others {
            let Some(ratio) = results.ratio(server, other) else {
                continue;
            };
            if closest.as_ref().is_none_or(|(most, _)| ratio > *most) {
                closest = Some((ratio, format!("{other} in {}", results.scenario.name)));
            }
        }
    }
    closest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios;
    use crate::servers;

    #[test]
    fn aims_and_peers_are_about_things_that_exist() {
        let is_server = |name: &str| servers::ALL.iter().any(|server| server.name == name);
        for aim in &AIMS {
            assert!(
                scenarios::ALL
                    .iter()
                    .any(|scenario| scenario.name == aim.scenario)
            );
            assert!(is_server(aim.server) && is_server(aim.other));
        }
        for (server, others) in AHEAD {
            assert!(is_server(server) && others.iter().copied().all(is_server));
        }
    }
}
