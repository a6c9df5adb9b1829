//! Bodies in both directions.

use fcgi_tests::http::Request;
use fcgi_tests::pattern::Check;

use crate::site::{Site, everywhere};

const MIB: u64 = 1 << 20;

everywhere! { bodies_come_back, a_large_answer }

/// Around the edges of the servers' buffers and of records, and larger.
fn bodies_come_back(site: &Site) {
    let mut client = site.client();
    let edges = [8000, 8192, 16_384, 32_768, 65_528, 65_536];
    let near = edges
        .into_iter()
        .flat_map(|edge| [edge - 1, edge, edge + 1]);
    for length in [0, 1, 100].into_iter().chain(near).chain([MIB, 5 * MIB]) {
        let mut check = Check::new();
        let upload = Request::post_pattern(format!("/app.fcgi?{length}"), length);
        let page = client.exchange(&upload, &mut check).unwrap();
        assert_eq!((page.status, page.length), (200, length));
        assert_eq!(page.all("X-Query"), [length.to_string()]);
        check.assert(length);
    }
}

fn a_large_answer(site: &Site) {
    let mut client = site.client();
    for _ in 0..2 {
        let mut check = Check::new();
        let page = client
            .exchange(&Request::get("/app.fcgi?large"), &mut check)
            .unwrap();
        assert_eq!(page.status, 200);
        check.assert(8 * MIB);
    }
}
