//! The Debian packages that the checks use: installed when missing, and only then.

use std::env;
use std::io::{self, IsTerminal};

use crate::shell::{Result, command, output, run};

/// Something that some check runs or builds with, and the packages that bring it.
pub(crate) struct Requirement {
    /// The name of a program, or the path of a file.
    program: &'static str,
    /// The first is installed if none of them is there.
    packages: &'static [&'static str],
}

const BINUTILS: Requirement = Requirement {
    program: "objcopy",
    packages: &["binutils"],
};
pub(crate) const CC: Requirement = Requirement {
    program: "cc",
    packages: &["gcc", "clang"],
};
pub(crate) const STRACE: Requirement = Requirement {
    program: "strace",
    packages: &["strace"],
};
pub(crate) const VALGRIND: Requirement = Requirement {
    program: "valgrind",
    packages: &["valgrind"],
};
pub(crate) const NGINX: Requirement = Requirement {
    program: "nginx",
    packages: &["nginx-light", "nginx", "nginx-full"],
};
const HAPROXY: Requirement = Requirement {
    program: "haproxy",
    packages: &["haproxy"],
};
const LIGHTTPD: Requirement = Requirement {
    program: "lighttpd",
    packages: &["lighttpd"],
};
const APACHE: Requirement = Requirement {
    program: "apache2",
    packages: &["apache2-bin"],
};
const MOD_FCGID: Requirement = Requirement {
    program: "/usr/lib/apache2/modules/mod_fcgid.so",
    packages: &["libapache2-mod-fcgid"],
};
const MOD_XSENDFILE: Requirement = Requirement {
    program: "/usr/lib/apache2/modules/mod_xsendfile.so",
    packages: &["libapache2-mod-xsendfile"],
};
const CADDY: Requirement = Requirement {
    program: "caddy",
    packages: &["caddy"],
};
pub(crate) const FCGIWRAP: Requirement = Requirement {
    program: "fcgiwrap",
    packages: &["fcgiwrap"],
};
const CGI_FCGI: Requirement = Requirement {
    program: "cgi-fcgi",
    packages: &["libfcgi-bin"],
};
const CHROMIUM: Requirement = Requirement {
    program: "chromium",
    packages: &["chromium"],
};
const CHROMEDRIVER: Requirement = Requirement {
    program: "chromedriver",
    packages: &["chromium-driver"],
};
const PHP_FPM: Requirement = Requirement {
    program: "php-fpm",
    packages: &["php-fpm", "php8.2-fpm", "php8.4-fpm"],
};
pub(crate) const LIBFCGI: Requirement = Requirement {
    program: "/usr/include/fcgiapp.h",
    packages: &["libfcgi-dev"],
};

/// Servers, each with the variable that points the tests to one that no package brought.
const SERVERS: [(&str, Requirement); 9] = [
    ("FCGI_TESTS_NGINX", NGINX),
    ("FCGI_TESTS_HAPROXY", HAPROXY),
    ("FCGI_TESTS_LIGHTTPD", LIGHTTPD),
    ("FCGI_TESTS_APACHE", APACHE),
    ("FCGI_TESTS_APACHE_MODULES", MOD_FCGID),
    ("FCGI_TESTS_APACHE_MODULES", MOD_XSENDFILE),
    ("FCGI_TESTS_CADDY", CADDY),
    ("FCGI_TESTS_FCGIWRAP", FCGIWRAP),
    ("FCGI_TESTS_CGI_FCGI", CGI_FCGI),
];

/// Runs as root. Services stay as they are: Debian would start a server on port 80 at once, while
/// the tests start their own. `policy-rc.d` is how Debian is told so; one that is there is kept.
const INSTALL: &str = r#"
set -eu
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=300 update
apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"
"#;

/// Makes sure of everything that `cargo xtask ci` runs.
pub(crate) fn for_checks() -> Result {
    let mut requirements = vec![BINUTILS, CHROMIUM, CHROMEDRIVER, LIBFCGI, PHP_FPM];
    for (variable, server) in SERVERS {
        if env::var_os(variable).is_none() {
            requirements.push(server);
        }
    }
    ensure(&requirements)
}

/// Installs what is missing of `requirements`.
pub(crate) fn ensure(requirements: &[Requirement]) -> Result {
    let missing: Vec<&Requirement> = requirements
        .iter()
        .filter(|requirement| !requirement.is_met())
        .collect();
    if missing.is_empty() {
        println!("nothing to install");
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|missing| missing.packages[0]).collect();
    install(&packages)?;
    match missing.iter().find(|requirement| !requirement.is_met()) {
        None => Ok(()),
        Some(lost) => Err(format!("{} is not there after its installation", lost.program).into()),
    }
}

impl Requirement {
    fn is_met(&self) -> bool {
        if is_here("dpkg-query") {
            self.packages.iter().any(|package| is_installed(package))
        } else {
            is_here(self.program)
        }
    }
}

fn is_installed(package: &str) -> bool {
    let query = ["-W", "-f", "${db:Status-Status}", package];
    output(&mut command("dpkg-query", query)).is_ok_and(|status| status == "installed")
}

/// Whether `program` is on the search path, or where Debian keeps daemons.
fn is_here(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let daemons = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(Into::into);
    env::split_paths(&path)
        .chain(daemons)
        .any(|directory| directory.join(program).is_file())
}

fn install(packages: &[&str]) -> Result {
    let list = packages.join(" ");
    if !is_here("apt-get") {
        return Err(format!("please install {list}: this system has no apt-get").into());
    }
    let script = ["sh", "-c", INSTALL, "install"]
        .into_iter()
        .chain(packages.iter().copied());
    let mut words: Vec<&str> = script.collect();
    if !is_root() {
        if !is_here("sudo") {
            return Err(format!(
                "please run `apt-get install {list}` as root: there is no sudo for this user"
            )
            .into());
        }
        // Nobody can type a password where there is no terminal: fail, do not wait for it.
        let sudo: &[&str] = if io::stdin().is_terminal() {
            &["sudo"]
        } else {
            &["sudo", "-n"]
        };
        words.splice(..0, sudo.iter().copied());
    }
    println!("installing {list}");
    run(&mut command(words[0], &words[1..]))
        .map_err(|failure| format!("{list} could not be installed: {failure}").into())
}

fn is_root() -> bool {
    output(&mut command("id", ["-u"])).is_ok_and(|id| id.trim() == "0")
}
