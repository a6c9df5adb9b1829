//! Files, from the browser to the application and what it saw of them back to the page.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::site::Site;
use crate::wait::until;

/// Runs as soon as it is markup anywhere.
const HOSTILE_NAME: &str = "\"><img src=x onerror=document.title='taken'>{{count}}.txt";
const NOTE: &str = "</table><script>document.title = 'taken'</script> kůň";

/// Two files to be uploaded; they go with the value.
pub(crate) struct Files {
    paths: [PathBuf; 2],
    _directory: TempDir,
}

impl Files {
    /// A short text, whose name is `name`, and 1 MiB of bytes of all values: longer than what is
    /// held in memory.
    pub(crate) fn new(name: &str) -> Self {
        let directory = TempDir::with_prefix("fcgi-files-").expect("a temporary directory");
        let paths = [name, "noise.bin"].map(|name| directory.path().join(name));
        fs::write(&paths[0], "123456789").expect("a file in a new directory");
        fs::write(&paths[1], noise()).expect("a file in a new directory");
        Self {
            paths,
            _directory: directory,
        }
    }

    /// Puts them into the page's form.
    #[track_caller]
    pub(crate) fn choose(&self, site: &Site) {
        let [text, noise] = &self.paths;
        site.browser.choose("#file", &[text, noise]);
    }
}

/// No UTF-8, and every byte at many places.
fn noise() -> Vec<u8> {
    let bytes = (0_u32..1 << 20).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    bytes.collect()
}

#[test]
fn files_arrive_through_the_gateway() {
    upload(&Site::open());
}

#[test]
fn files_arrive_through_nginx() {
    upload(&Site::behind_nginx());
}

#[test]
fn files_arrive_without_scripts() {
    for site in [Site::open(), Site::behind_nginx()] {
        site.browser.reload_without_scripts();
        send(&site);
        assert_arrived(&site);
        assert_eq!(site.count(), 3, "a page of its own");
    }
}

/// The script sends them: the page stays, and tells how far it is.
#[track_caller]
fn upload(site: &Site) {
    site.browser.script("window.mark = 'the same page'");
    send(site);
    until("the end of the upload", || {
        (site.shown("#state")? == "All sent.").then_some(())
    });
    assert_arrived(site);
    assert_eq!(site.browser.script("return window.mark"), "the same page");
    assert_eq!(site.count(), 2);
    let progress = site.browser.script(
        "const { hidden, value, max } = document.getElementById('sent');
         return [hidden, value, max]",
    );
    assert_eq!(progress[0], false);
    assert_eq!(progress[1], progress[2], "to the end");
    assert!(progress[2].as_u64() > Some(1 << 20), "{progress}");
}

/// Fills the form and sends it; returns when the page shows what has arrived.
#[track_caller]
fn send(site: &Site) {
    // They must stay until they were read.
    let files = Files::new(HOSTILE_NAME);
    files.choose(site);
    site.browser.keys("#comment", NOTE);
    site.browser.click("#upload button");
    site.browser.find("#files");
}

#[track_caller]
fn assert_arrived(site: &Site) {
    let rows = "return [...document.querySelectorAll('#arrived tbody tr')]
        .map(row => [...row.cells].map(cell => cell.textContent))";
    // The checksums are Python's zlib.crc32 of the same bytes.
    let expected = json!([
        ["note", NOTE],
        ["file", HOSTILE_NAME, "text/plain", "9", "cbf43926"],
        [
            "file",
            "noise.bin",
            "application/octet-stream",
            "1048576",
            "158987c5"
        ],
    ]);
    assert_eq!(site.browser.script(rows), expected);
    // Not by its looks either: the cells have no elements, and nothing has run.
    let inside = "return document.querySelectorAll('#arrived td *, #arrived th *').length";
    assert_eq!(site.browser.script(inside), 0);
    let title = site.browser.script("return document.title");
    assert_eq!(title, Value::from("FastCGI demo"));
    site.assert_clean();
}
