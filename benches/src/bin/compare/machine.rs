//! When and where it was measured.

use std::env;
use std::fs;
use std::process::Command;

use crate::process::Cores;

/// The heading of the results: date, machine, and the command by which to repeat them.
pub(crate) fn heading(cores: Option<Cores>) -> String {
    let date = said_by("date", &["-u", "+%Y-%m-%d"]);
    let kernel = said_by("uname", &["-srm"]);
    let rustc = said_by("rustc", &["--version"]);
    let cores = match cores {
        Some(Cores { server, generator }) => {
            format!("servers on core {server}, the generator on core {generator}")
        }
        None => "nothing pinned: there is one core alone".to_owned(),
    };
    format!(
        "# End to end, {date}\n\n\
         {}; {kernel}; {rustc}; {cores}.\n\n\
         ```sh\ncargo xtask compare{}\n```\n",
        processor(),
        env::args()
            .skip(1)
            .fold(String::new(), |all, one| all + " " + &one),
    )
}

fn processor() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let mut lines = info.lines().filter(|line| line.starts_with("model name"));
    let name = lines.next().and_then(|line| line.split_once(':'));
    name.map_or("an unknown processor", |(_, name)| name.trim())
        .to_owned()
}

/// The first line that a program writes.
fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = output
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned));
    line.unwrap_or_else(|| format!("no {program}"))
}
