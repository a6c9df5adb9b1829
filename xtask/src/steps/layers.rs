//! The promises about structure that no compiler checks: who depends on whom, who may look into
//! the wire format, and where unsafe code may be.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::rust_source::{files, lines_with_name, lines_with_segment};
use crate::shell::{Failure, Result, cargo, output, root};

/// All that the core is built from, whatever its features.
const CORE_DEPENDENCIES: [&str; 3] = ["heapless", "memchr", "nom"];

/// Features that no package under the core may have unless somebody asks.
const HEAVY_FEATURES: [&str; 2] = ["alloc", "std"];

/// Which members of the workspace a product crate may be built on: arrows point down only.
const ARROWS: [(&str, &[&str]); 8] = [
    ("fcgi-core", &[]),
    ("fcgi-http", &["fcgi-core"]),
    ("fcgi-listen", &["fcgi-core"]),
    ("fcgi-std", &["fcgi-core", "fcgi-http", "fcgi-listen"]),
    ("fcgi-mio", &["fcgi-core", "fcgi-http", "fcgi-listen"]),
    ("fcgi-process", &["fcgi-listen"]),
    (
        "fcgi-tools",
        &[
            "fcgi-core",
            "fcgi-listen",
            "fcgi-mio",
            "fcgi-process",
            "fcgi-std",
        ],
    ),
    (
        "fcgi-capi",
        &["fcgi-core", "fcgi-listen", "fcgi-mio", "fcgi-std"],
    ),
];

/// Crates that know no record type: that is the core's business.
const FRONTENDS: [&str; 6] = [
    "fcgi-http",
    "fcgi-listen",
    "fcgi-mio",
    "fcgi-process",
    "fcgi-std",
    "fcgi-tools",
];

/// It shows records, whatever they are; what they mean it leaves to the core as well.
const SHOWS_RECORDS: &str = "fcgi-tools/src/dump/";

/// The one crate that may have unsafe code: a C ABI cannot do without.
const UNSAFE_CRATE: &str = "fcgi-capi";

/// Checks all of it and reports everything that is wrong.
pub(crate) fn run() -> Result {
    let members = members()?;
    let mut complaints = Vec::new();
    core_dependencies(&mut complaints)?;
    core_features(&mut complaints)?;
    for member in &members {
        arrows(member, &members, &mut complaints)?;
        lints(member, &mut complaints)?;
    }
    sources(&members, &mut complaints)?;
    if complaints.is_empty() {
        println!(
            "{} crates: dependencies, imports and lints are as promised",
            members.len()
        );
        return Ok(());
    }
    complaints.sort();
    Err(complaints.join("\n").into())
}

/// A package of the workspace.
struct Member {
    name: String,
    directory: PathBuf,
}

fn members() -> Result<Vec<Member>> {
    let tree = output(&mut cargo(
        "tree --workspace --depth 0 --prefix none --format {p}",
    ))?;
    let members = tree.lines().filter_map(|line| {
        // "fcgi-core v0.1.0 (/path/to/fcgi-core)", and "(proc-macro)" before the path for some.
        let (name, rest) = line.split_once(' ')?;
        let directory = rest.rsplit_once('(')?.1.strip_suffix(')')?;
        Some(Member {
            name: name.to_owned(),
            directory: directory.into(),
        })
    });
    Ok(members.collect())
}

/// The names of the packages that `package` itself names as dependencies for its product code.
fn direct_dependencies(package: &str) -> Result<BTreeSet<String>> {
    let tree = format!("tree -p {package} --edges normal --depth 1 --prefix none --all-features");
    let tree = output(&mut cargo(&tree))?;
    let names = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    Ok(names
        .filter(|name| *name != package)
        .map(str::to_owned)
        .collect())
}

fn core_dependencies(complaints: &mut Vec<String>) -> Result {
    let found = direct_dependencies("fcgi-core")?;
    if !found.iter().map(String::as_str).eq(CORE_DEPENDENCIES) {
        complaints.push(format!(
            "fcgi-core depends on {found:?}, not on {CORE_DEPENDENCIES:?}"
        ));
    }
    Ok(())
}

fn core_features(complaints: &mut Vec<String>) -> Result {
    let tree = "tree -p fcgi-core --edges normal --prefix none --no-dedupe --format {p}:{f}";
    for line in output(&mut cargo(tree))?.lines() {
        let Some((package, features)) = line.rsplit_once(':') else {
            return Err(format!("cargo tree said {line:?}").into());
        };
        for feature in features
            .split(',')
            .filter(|feature| HEAVY_FEATURES.contains(feature))
        {
            complaints.push(format!(
                "fcgi-core by default turns on `{feature}` of {package}"
            ));
        }
    }
    Ok(())
}

fn arrows(member: &Member, members: &[Member], complaints: &mut Vec<String>) -> Result {
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == member.name) else {
        return Ok(());
    };
    for dependency in direct_dependencies(&member.name)? {
        let inside = members.iter().any(|member| member.name == dependency);
        if inside && !allowed.contains(&dependency.as_str()) {
            complaints.push(format!("{} may not depend on {dependency}", member.name));
        }
    }
    Ok(())
}

/// The workspace's lints forbid unsafe code, so a crate that takes them cannot have any.
fn lints(member: &Member, complaints: &mut Vec<String>) -> Result {
    let manifest = read(&member.directory.join("Cargo.toml"))?;
    let takes_lints = section(&manifest, "[lints]").any(|line| line == "workspace = true");
    if !takes_lints && member.name != UNSAFE_CRATE {
        complaints.push(format!(
            "{} does not take the lints of the workspace",
            member.name
        ));
    }
    Ok(())
}

fn sources(members: &[Member], complaints: &mut Vec<String>) -> Result {
    let root_manifest = read(&root().join("Cargo.toml"))?;
    let forbids = r#"unsafe_code = "forbid""#;
    if !section(&root_manifest, "[workspace.lints.rust]").any(|line| line == forbids) {
        complaints.push("the lints of the workspace do not forbid unsafe code".to_owned());
    }
    for member in members {
        let frontend = FRONTENDS.contains(&member.name.as_str());
        for (place, source) in read_all(&member.directory)? {
            if frontend && !place.starts_with(SHOWS_RECORDS) {
                for line in lines_with_segment(&source, "wire") {
                    complaints.push(format!(
                        "{place}:{line}: only fcgi-core knows the wire format"
                    ));
                }
            }
            // Beside the lint, as packages outside the workspace lie in the directories of members.
            if member.name != UNSAFE_CRATE {
                for line in lines_with_name(&source, "unsafe") {
                    complaints.push(format!("{place}:{line}: unsafe code"));
                }
            }
        }
    }
    Ok(())
}

/// The Rust sources under `directory`: each one's path, as seen from the root, and its text.
fn read_all(directory: &Path) -> Result<Vec<(String, String)>> {
    let files = files(directory)
        .map_err(|error| Failure::from(format!("{}: {error}", directory.display())))?;
    let sources = files.iter().map(|file| {
        let shown = file.strip_prefix(root()).unwrap_or(file);
        Ok((shown.display().to_string(), read(file)?))
    });
    sources.collect()
}

/// The lines of a manifest between the header `name` and the next one.
fn section<'a>(manifest: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let after_header = manifest
        .lines()
        .map(str::trim)
        .skip_while(move |line| *line != name);
    after_header
        .skip(1)
        .take_while(|line| !line.starts_with('['))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}
