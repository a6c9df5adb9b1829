//! What only a process of its own can show: descriptors that it was started with, the environment,
//! the limit on descriptors, the working directory. This program is its own child.

#[cfg(target_os = "linux")]
mod child;
#[cfg(target_os = "linux")]
mod parent;

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match std::env::var("FCGI_LISTEN_TEST_CHILD").as_deref() {
        Ok("report") => child::report(),
        Ok("exhausted") => child::exhausted(),
        Ok("moved") => child::moved(),
        Ok(other) => panic!("unknown part {other}"),
        Err(_) => parent::run(&arguments),
    }
}
