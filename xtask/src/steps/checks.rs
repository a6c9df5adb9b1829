//! What cargo, rustfmt, clippy and rustdoc say about the sources.

use crate::shell::{Result, cargo, root, run, target_dir};

/// Packages that are no members of the workspace, each with its reason in the root's Cargo.toml.
const OUTSIDE: [&str; 2] = ["tests/no_std/Cargo.toml", "fuzz/Cargo.toml"];

/// The sets of features of the core that differ in code.
pub(crate) const CORE_FEATURES: [&str; 3] = [
    "--no-default-features",
    "--features alloc",
    "--features std",
];

/// Checks the formatting of every crate, or corrects it.
pub(crate) fn format(fix: bool) -> Result {
    let check = if fix { "" } else { "--check" };
    run(&mut cargo(&format!("fmt --all {check}")))?;
    for manifest in OUTSIDE
        .into_iter()
        .filter(|manifest| root().join(manifest).exists())
    {
        run(&mut cargo(&format!(
            "fmt --manifest-path {manifest} {check}"
        )))?;
    }
    Ok(())
}

/// Clippy on everything that is built with the stable toolchain, with all features and without.
pub(crate) fn clippy() -> Result {
    run(&mut cargo(
        "clippy --workspace --all-targets --all-features -- -D warnings",
    ))?;
    run(&mut cargo(
        "clippy -p fcgi-http -p fcgi-mio -p fcgi-std -- -D warnings",
    ))?;
    for features in CORE_FEATURES {
        run(&mut cargo(&format!(
            "clippy -p fcgi-core {features} --all-targets -- -D warnings"
        )))?;
    }
    let target = [
        "--target-dir".into(),
        target_dir().join("no-std").into_os_string(),
    ];
    run(
        cargo("clippy --manifest-path tests/no_std/Cargo.toml --locked")
            .args(target)
            .args(["--", "-D", "warnings"]),
    )
}

/// The documentation, where a broken link is an error.
pub(crate) fn docs() -> Result {
    // Comments on private items may link to private items.
    let flags = "-D warnings -A rustdoc::private-intra-doc-links";
    run(cargo("doc --workspace --no-deps --all-features").env("RUSTDOCFLAGS", flags))
}

/// Every library, program and example.
pub(crate) fn build() -> Result {
    run(&mut cargo(
        "build --workspace --all-features --bins --lib --examples",
    ))
}
