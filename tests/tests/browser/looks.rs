//! The page on a desk and on a phone, in light and in dark.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use crate::browser::Screen;
use crate::site::Site;
use crate::uploads::Files;
use crate::wait::until;

/// Names the directory that the pictures go to.
const DIRECTORY: &str = "FCGI_SCREENSHOTS";

#[test]
fn the_page_fits_desk_and_phone_in_light_and_dark() {
    let site = Site::open();
    fill(&site);
    let mut pictures = Vec::new();
    for (device, screen) in [("desk", Screen::DESK), ("phone", Screen::PHONE)] {
        site.browser.screen(screen);
        for scheme in ["light", "dark"] {
            site.browser.prefer(scheme);
            assert_fits(&site, screen);
            let whole = whole(&site, screen);
            site.browser.screen(whole);
            let picture = site.browser.screenshot();
            assert_eq!(size(&picture), Some((whole.width, whole.height)));
            keep(&format!("{device}-{scheme}.png"), &picture);
            assert!(!pictures.contains(&picture), "{device} {scheme}");
            pictures.push(picture);
        }
    }
    // With the long values of the parameters too.
    site.browser.click("summary");
    assert_fits(&site, Screen::PHONE);
    site.browser.screen(Screen::DESK);
    assert_fits(&site, Screen::DESK);
    site.assert_clean();
}

/// Uses everything on the page, so that it shows something.
fn fill(site: &Site) {
    for _ in 0..39 {
        site.browser.reload();
    }
    site.browser.keys("#name", "Žluťoučký kůň");
    site.browser
        .keys("#message", "Hello from a browser.\nTwo lines of it.");
    site.browser.click("#send");
    site.browser.find("#posted");
    let files = Files::new("letter <b>.txt");
    files.choose(site);
    site.browser.keys("#comment", "A letter, and noise.");
    site.browser.click("#upload button");
    site.browser.find("#files");
    site.start_stream();
    until("seven pieces", || (site.stream().pieces >= 7).then_some(()));
}

/// A screen that is as high as the page.
fn whole(site: &Site, screen: Screen) -> Screen {
    let height = "return document.documentElement.scrollHeight";
    let height = site.browser.script(height).as_u64();
    Screen {
        height: height.and_then(|height| height.try_into().ok()).unwrap(),
        ..screen
    }
}

/// Nothing can be scrolled sideways.
#[track_caller]
fn assert_fits(site: &Site, screen: Screen) {
    let widths = site.browser.script(
        "const page = document.documentElement;
         return [innerWidth, page.clientWidth, page.scrollWidth]",
    );
    let width = screen.width;
    assert_eq!(widths, json!([width, width, width]), "{screen:?}");
}

/// Width and height in pixels, from the header of a PNG file.
fn size(png: &[u8]) -> Option<(u32, u32)> {
    let (signature, header) = png.split_first_chunk()?;
    let number = |at: usize| Some(u32::from_be_bytes(*header.get(at..)?.first_chunk()?));
    (signature == b"\x89PNG\r\n\x1a\n").then_some((number(8)?, number(12)?))
}

fn keep(name: &str, picture: &[u8]) {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        let file = PathBuf::from(directory).join(name);
        fs::write(&file, picture).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}
