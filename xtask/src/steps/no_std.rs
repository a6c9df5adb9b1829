//! The proof that the core needs no std and no allocator, and that no peer can make it panic.
//!
//! `tests/no_std` calls the whole of the core on input that the optimizer knows nothing about. Here
//! it is linked on its own with all unreachable code thrown away; what is left is looked through.

use std::path::{Path, PathBuf};

use crate::shell::{Result, cargo, command, output, run as run_command, target_dir};

/// The static in the proof that holds its entry point.
const ROOT: &str = "KEPT_ROOT";

/// What the proof's panic handler calls: if it is linked, something can panic.
const PANIC_MARKER: &str = "panic_is_reachable";

/// Compiled code may call these four anywhere (and `bcmp` for a `memcmp` whose order does not
/// matter); each target brings them, bare ones in compiler_builtins.
const MEMORY_FUNCTIONS: [&str; 5] = ["bcmp", "memcmp", "memcpy", "memmove", "memset"];

/// Parts of mangled names that must not be in the artefact, and what they would mean. A crate's
/// name is preceded by its length, and by `N` in the older mangling or `_` in the newer one.
const FORBIDDEN: [(&str, &str); 12] = [
    (PANIC_MARKER, "a panic is reachable"),
    ("9panicking", "a panic is reachable"),
    ("N3std", "std is linked"),
    ("_3std", "std is linked"),
    ("N5alloc", "the alloc crate is linked"),
    ("_5alloc", "the alloc crate is linked"),
    ("__rust_", "an allocator is linked"),
    ("__rdl_", "an allocator is linked"),
    ("malloc", "an allocator is linked"),
    ("calloc", "an allocator is linked"),
    ("realloc", "an allocator is linked"),
    ("_Unwind_", "an unwinder is linked"),
];

/// Builds, links and checks the proof, after a check that the check can fail.
pub(crate) fn run() -> Result {
    let with_panic = link("control", "--features reachable-panic")?;
    if complaints(&with_panic.symbols)
        .iter()
        .all(|text| !text.contains("a panic is reachable"))
    {
        return Err("a panic put there on purpose was not found: the proof proves nothing".into());
    }
    let proof = link("proof", "")?;
    let complaints = complaints(&proof.symbols);
    if !complaints.is_empty() {
        println!(
            "to see what calls it: objdump -d --demangle {}",
            proof.file.display()
        );
        return Err(complaints.join("\n").into());
    }
    println!(
        "no std, no allocator, no reachable panic in {}",
        proof.file.display()
    );
    for section in [".text", ".rodata", ".data.rel.ro", ".data", ".bss"] {
        println!(
            "{section:<14} {:>7} bytes",
            section_size(&proof.sections, section)
        );
    }
    Ok(())
}

/// A linked proof.
struct Artefact {
    file: PathBuf,
    /// What `nm` says of it.
    symbols: String,
    /// What `size` says of it.
    sections: String,
}

fn link(name: &str, features: &str) -> Result<Artefact> {
    let directory = target_dir().join("no-std");
    let build = format!(
        "build --release --locked --manifest-path tests/no_std/Cargo.toml {features} --target-dir"
    );
    run_command(cargo(&build).arg(&directory))?;
    let archive = directory.join("release/libfcgi_no_std_proof.a");

    // Nothing in the archive has a global name, as `no_mangle` counts as unsafe code.
    let root = root_symbol(&archive)?;
    let global = directory.join(format!("{name}.a"));
    run_command(
        command("objcopy", [format!("--globalize-symbol={root}")])
            .arg(&archive)
            .arg(&global),
    )?;

    let file = directory.join(name);
    let options = [
        "--gc-sections",
        &format!("--entry={root}"),
        &format!("--undefined={root}"),
        "--unresolved-symbols=ignore-all",
        "-o",
    ];
    run_command(command("ld", options).arg(&file).arg(&global))?;
    let symbols = output(command("nm", ["--format=posix"]).arg(&file))?;
    let sections = output(command("size", ["--format=sysv"]).arg(&file))?;
    Ok(Artefact {
        file,
        symbols,
        sections,
    })
}

/// The mangled name of the static [`ROOT`].
fn root_symbol(archive: &Path) -> Result<String> {
    let symbols = output(command("nm", ["--format=posix", "--defined-only"]).arg(archive))?;
    let names = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    let mut roots = names.filter(|name| name.contains(ROOT));
    match (roots.next(), roots.next()) {
        (Some(root), None) => Ok(root.to_owned()),
        (root, _) => {
            let number = if root.is_some() {
                "more than one"
            } else {
                "no"
            };
            Err(format!("{number} symbol of {ROOT} in {}", archive.display()).into())
        }
    }
}

/// What is wrong with the symbols of an artefact, each line "name type value size" as nm gives it.
fn complaints(symbols: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for line in symbols.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(kind)) = (words.next(), words.next()) else {
            continue;
        };
        if let Some((_, meaning)) = FORBIDDEN.iter().find(|(part, _)| name.contains(part)) {
            complaints.push(format!("{meaning}: {name}"));
        } else if matches!(kind, "U" | "w" | "v") && !MEMORY_FUNCTIONS.contains(&name) {
            complaints.push(format!("something outside is needed: {name}"));
        }
    }
    complaints
}

/// The size of a section in bytes; 0 if there is none of that name.
fn section_size(sections: &str, name: &str) -> u64 {
    let words = sections
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let mut sizes = words.filter(|words| words.first() == Some(&name));
    sizes
        .next()
        .and_then(|words| words.get(1)?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{complaints, section_size};

    #[test]
    fn names_what_must_not_be_linked() {
        let cases = [
            "_RNvNtCsgEmfK2I1SDS_4core9panicking9panic_fmt t 401000 2",
            "_ZN4core9panicking5panic17h0123456789abcdefE t 401000 2",
            "_ZN5proof18panic_is_reachable17h0123456789abcdefE t 401000 2",
            "_RNvNtCs1_3std2io5stdio t 401000 2",
            "_ZN3std2io5stdio6_print17h0123456789abcdefE t 401000 2",
            "_ZN5alloc7raw_vec17h0123456789abcdefE t 401000 2",
            "_RNvCs1_7___rustc12___rust_alloc t 401000 2",
            "malloc U",
            "__rdl_alloc t 401000 2",
            "_Unwind_Resume U",
            "pthread_self U",
            "__cxa_finalize w",
        ];
        for symbol in cases {
            assert_eq!(complaints(symbol).len(), 1, "{symbol}");
        }
    }

    #[test]
    fn lets_the_core_and_the_memory_functions_be() {
        let symbols = "memcpy U\nbcmp U\n\
            _ZN5proof9KEPT_ROOT17h0123456789abcdefE D 403fd8 8\n\
            _ZN4core5alloc6layout6Layout17h0123456789abcdefE t 401000 2\n\
            _RNvNtNtCs1_4core3str10validations t 401000 2\n";
        assert_eq!(complaints(symbols), [""; 0]);
    }

    #[test]
    fn reads_sizes() {
        let sections = "proof  :\nsection   size      addr\n.text      912   4198400\nTotal 950\n";
        assert_eq!(section_size(sections, ".text"), 912);
        assert_eq!(section_size(sections, ".bss"), 0);
    }
}
