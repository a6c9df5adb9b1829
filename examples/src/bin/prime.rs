//! The kit's prime numbers: work that is done once and serves every request after it.
//!
//! ```text
//! target/release/cgi-fcgi -start -connect :9000 target/release/prime
//! target/release/prime                                # as a CGI program it starts anew each time
//! ```
//!
//! Each page shows the next fifty primes, `?from=N` those after N. The sieve is made before the
//! loop: a CGI program would make it for each request.

use fcgi_std::stdio::{self, println};

/// Primes up to here are known.
const LIMIT: usize = 1_000_000;
const A_PAGE: usize = 50;

fn main() -> std::io::Result<()> {
    let primes = sieve(LIMIT);
    let mut next = 0;
    while stdio::accept()? {
        let from = stdio::with(|request| request.get().ok()?.first("from")?.to_text().parse().ok());
        if let Some(Some(from)) = from {
            next = primes.partition_point(|&prime| prime <= from);
        }
        let page: Vec<String> = primes
            .iter()
            .skip(next)
            .take(A_PAGE)
            .map(usize::to_string)
            .collect();
        println!("Content-Type: text/plain\r\n\r");
        println!("{}", page.join(" "));
        next += A_PAGE;
        if next >= primes.len() {
            next = 0;
        }
    }
    Ok(())
}

/// Eratosthenes'.
fn sieve(limit: usize) -> Vec<usize> {
    let mut is_prime = vec![true; limit + 1];
    let mut primes = Vec::new();
    for number in 2..=limit {
        if is_prime[number] {
            primes.push(number);
            for multiple in (number * number..=limit).step_by(number) {
                is_prime[multiple] = false;
            }
        }
    }
    primes
}
