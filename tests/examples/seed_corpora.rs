//! Writes the seeds of the fuzz targets' corpora. Run it after a change of the seeds:
//!
//! ```sh
//! cargo run -p fcgi-tests --example seed_corpora
//! ```
//!
//! It prints how many files it wrote to `fuzz/corpus`, and leaves other files there alone.

use std::fs;
use std::io;

use fcgi_tests::fuzzing::seeds;

fn main() -> io::Result<()> {
    let seeds = seeds::all();
    for seed in &seeds {
        fs::create_dir_all(seeds::corpus(seed.target))?;
        fs::write(seed.path(), &seed.bytes)?;
    }
    println!("{} seeds", seeds.len());
    Ok(())
}
