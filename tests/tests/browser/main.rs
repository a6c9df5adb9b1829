//! The demo in a headless Chromium, driven through chromedriver.
//!
//! `FCGI_SCREENSHOTS=directory` keeps the pictures of the page:
//!
//! ```text
//! FCGI_SCREENSHOTS=/tmp cargo test -p fcgi-tests --test browser looks
//! ```

mod browser;
mod looks;
mod site;
mod uploads;
mod wait;
mod wire;

use rustix::process::{Pid, Signal, kill_process};

use site::Site;
use wait::until;

/// Letters of two and four bytes, markup, and places of the page's template.
const HOSTILE: &str = "Žluťoučký kůň 🐎 <b>&\"'{{count}}{{params}}";

#[test]
fn the_counter_grows_and_the_process_stays() {
    let site = Site::open();
    let (count, process) = (site.count(), site.process());
    for reload in 1..=5 {
        site.browser.reload();
        assert_eq!((site.count(), site.process()), (count + reload, process));
    }
    site.browser.click("#again");
    let sixth = (count + 6).to_string();
    until("the sixth reload", || {
        (site.shown("#count")? == sixth).then_some(())
    });
    assert_eq!(site.process(), process);
    site.assert_clean();
}

#[test]
fn the_form_echoes_what_was_posted_as_text() {
    let site = Site::open();
    let browser = &site.browser;
    let lines = format!("</table><script>document.title = 'taken'</script>\n{HOSTILE}");
    browser.keys("#name", HOSTILE);
    browser.keys("#message", &lines);
    browser.click("#send");
    assert_eq!(browser.text("#posted tr:nth-child(1) td"), HOSTILE);
    assert_eq!(browser.text("#posted tr:nth-child(2) td"), lines);
    // Not by its looks either: the cells have no elements, and nothing has run.
    let cells = "document.querySelectorAll('#posted td')";
    let inside = browser.script(&format!(
        "return [...{cells}].map(cell => [cell.textContent, cell.childElementCount])"
    ));
    assert_eq!(inside, serde_json::json!([[HOSTILE, 0], [lines, 0]]));
    assert_eq!(browser.script("return document.title"), "FastCGI demo");
    site.assert_clean();
}

#[test]
fn the_parameters_of_the_request_are_shown() {
    let site = Site::open();
    let browser = &site.browser;
    browser.open(&format!("{}?<i>&name=kůň", site.url));
    assert_eq!(browser.text("#params"), "", "folded");
    browser.click("summary");
    let value = |name: &str| {
        let row = format!(
            "return [...document.querySelectorAll('#params tr')]
                .filter(row => row.cells[0].textContent == '{name}')
                .map(row => row.cells[1].textContent)"
        );
        browser.script(&row)
    };
    assert_eq!(value("REQUEST_METHOD"), serde_json::json!(["GET"]));
    let query = "%3Ci%3E&name=k%C5%AF%C5%88";
    assert_eq!(value("QUERY_STRING"), serde_json::json!([query]));
    assert!(browser.text("#params").contains(query), "unfolded");
    site.assert_clean();
}

#[test]
fn the_stream_arrives_in_pieces() {
    let site = Site::open();
    site.start_stream();
    let mut seen = Vec::new();
    let whole = until("the end of the stream", || {
        let now = site.stream();
        if seen.last() != Some(&now) {
            seen.push(now.clone());
        }
        (now.ended && now.pieces > 0).then_some(now)
    });
    let lines: String = (1..=10)
        .map(|line| format!("line {line} of 10, made just now\n"))
        .collect();
    assert_eq!(whole.text, lines);
    for (earlier, later) in seen.iter().zip(&seen[1..]) {
        assert!(earlier.pieces <= later.pieces, "{seen:#?}");
        assert!(later.text.starts_with(&earlier.text), "{seen:#?}");
    }
    // The page has counted them. How many of its states are seen here is up to the machine.
    assert!(whole.pieces > 1, "{seen:#?}");
    site.assert_clean();
}

#[test]
fn a_killed_application_is_started_again() {
    let site = Site::open();
    site.browser.reload();
    let (count, process) = (site.count(), site.process());
    assert_eq!(count, 2);
    let id = Pid::from_raw(process).expect("a process id is positive");
    kill_process(id, Signal::KILL).expect("the application runs");
    until("another process", || {
        site.browser.reload();
        // Until then there may be the gateway's page that says why there is none.
        (site.shown("#process")? != process.to_string()).then_some(())
    });
    assert_eq!(site.count(), 1);
    site.browser.reload();
    assert_eq!(site.count(), 2);
}
