//! Our servers and others under load, by the programs `compare` and `cgi` of the benches.

use crate::shell::{Result, cargo, command, run, target_dir};
use crate::steps::packages;

/// Builds what is compared and runs it; `arguments` are for `compare`.
pub(crate) fn run_with(arguments: &[String]) -> Result {
    packages::ensure(&[packages::CC, packages::LIBFCGI, packages::STRACE])?;
    if arguments
        .iter()
        .any(|argument| argument == "--instructions")
    {
        packages::ensure(&[packages::VALGRIND])?;
    }
    run(&mut cargo("build --release -p fcgi-benches --bins"))?;
    let program = target_dir().join("release/compare");
    run(&mut command(&program.to_string_lossy(), arguments))
}

/// Builds an example and has it serve as a FastCGI application and as a CGI program; `arguments`
/// are for the bench `cgi`.
pub(crate) fn with_cgi(arguments: &[String]) -> Result {
    packages::ensure(&[packages::NGINX, packages::FCGIWRAP])?;
    run(&mut cargo(
        "build --release -p fcgi-benches --bin cgi -p fcgi-examples --bin tiny-fcgi",
    ))?;
    let program = target_dir().join("release/cgi");
    run(&mut command(&program.to_string_lossy(), arguments))
}
