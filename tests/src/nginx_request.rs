//! One request of a browser as nginx hands it to an application: the parameters of Debian's
//! `fastcgi.conf`, the five variables of RFC 3875 §4.1 that this file leaves out, and the browser's
//! header fields. 25 standard parameters, 11 `HTTP_` ones, 1.3 KiB of name-value pairs.
//!
//! The bytes are nginx's own: `tests/nginx_harness.rs` sends the request through a real nginx and
//! compares.
//!
//! ```
//! use fcgi_tests::nginx_request::{self, Site};
//!
//! let bytes = nginx_request::bytes(&Site::default());
//! assert_eq!(bytes[..2], [1, 1]);
//! ```

use crate::hand;

/// The request's target.
pub const TARGET: &str = "/cart.fcgi/items/4711?view=list&sort=price&page=2";

/// The name of the site.
pub const SERVER_NAME: &str = "shop.example";

/// The site's directory; it need not exist.
pub const DOCUMENT_ROOT: &str = "/srv/www/shop";

/// The browser's header fields, in its order.
pub const FIELDS: [(&str, &str); 11] = [
    ("Host", SERVER_NAME),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    (
        "Accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    ("Accept-Language", "de,en-US;q=0.7,en;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    (
        "Referer",
        "http://shop.example/cart.fcgi/items?view=list&sort=price",
    ),
    ("Connection", "keep-alive"),
    (
        "Cookie",
        "session=5f2b8c1e9d7a4036b1c8e2f70a9d3b64; consent=necessary%2Cstatistics; theme=dark; \
         lastview=4711%2C4712%2C4690; currency=EUR; \
         csrf=0b7e1d94c2a85f3360d9e8b1f47a2c5d9e3b60f8a1c4d7725e98b3f60a1c2d4e",
    ),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Sec-Fetch-Mode", "navigate"),
];

/// nginx's `fastcgi_param` lines: a parameter's name and the rest of its line.
pub const FASTCGI_PARAMS: [(&str, &str); 26] = [
    ("SCRIPT_FILENAME", "$document_root$fastcgi_script_name"),
    ("QUERY_STRING", "$query_string"),
    ("REQUEST_METHOD", "$request_method"),
    ("CONTENT_TYPE", "$content_type"),
    ("CONTENT_LENGTH", "$content_length"),
    ("SCRIPT_NAME", "$fastcgi_script_name"),
    ("REQUEST_URI", "$request_uri"),
    ("DOCUMENT_URI", "$document_uri"),
    ("DOCUMENT_ROOT", "$document_root"),
    ("SERVER_PROTOCOL", "$server_protocol"),
    ("REQUEST_SCHEME", "$scheme"),
    ("HTTPS", "$https if_not_empty"),
    ("GATEWAY_INTERFACE", "CGI/1.1"),
    ("SERVER_SOFTWARE", "nginx/$nginx_version"),
    ("REMOTE_ADDR", "$remote_addr"),
    ("REMOTE_PORT", "$remote_port"),
    ("REMOTE_USER", "$remote_user"),
    ("SERVER_ADDR", "$server_addr"),
    ("SERVER_PORT", "$server_port"),
    ("SERVER_NAME", "$server_name"),
    ("REDIRECT_STATUS", "200"),
    ("AUTH_TYPE", "\"\""),
    ("PATH_INFO", "$fastcgi_path_info"),
    ("PATH_TRANSLATED", "$document_root$fastcgi_path_info"),
    ("REMOTE_HOST", "$remote_addr"),
    ("REMOTE_IDENT", "\"\""),
];

/// What differs from one run of nginx to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// nginx's version, as in `nginx/1.22.1`.
    pub nginx_version: String,
    /// The port nginx listens on.
    pub server_port: u16,
    /// The browser's port.
    pub remote_port: u16,
}

/// Debian 12's nginx on port 80.
impl Default for Site {
    fn default() -> Self {
        Self {
            nginx_version: "1.22.1".into(),
            server_port: 80,
            remote_port: 53_412,
        }
    }
}

/// The request's parameters, in nginx's order.
#[must_use]
pub fn pairs(site: &Site) -> Vec<(String, String)> {
    let standard: [(&str, &str); 25] = [
        ("SCRIPT_FILENAME", "/srv/www/shop/cart.fcgi"),
        ("QUERY_STRING", "view=list&sort=price&page=2"),
        ("REQUEST_METHOD", "GET"),
        ("CONTENT_TYPE", ""),
        ("CONTENT_LENGTH", ""),
        ("SCRIPT_NAME", "/cart.fcgi"),
        ("REQUEST_URI", TARGET),
        ("DOCUMENT_URI", "/cart.fcgi/items/4711"),
        ("DOCUMENT_ROOT", DOCUMENT_ROOT),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REQUEST_SCHEME", "http"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
        ("SERVER_SOFTWARE", &format!("nginx/{}", site.nginx_version)),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_PORT", &site.remote_port.to_string()),
        ("REMOTE_USER", ""),
        ("SERVER_ADDR", "127.0.0.1"),
        ("SERVER_PORT", &site.server_port.to_string()),
        ("SERVER_NAME", SERVER_NAME),
        ("REDIRECT_STATUS", "200"),
        ("AUTH_TYPE", ""),
        ("PATH_INFO", "/items/4711"),
        ("PATH_TRANSLATED", "/srv/www/shop/items/4711"),
        ("REMOTE_HOST", "127.0.0.1"),
        ("REMOTE_IDENT", ""),
    ];
    let standard = standard.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let http = FIELDS.map(|(name, value)| {
        (
            format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_")),
            value.to_owned(),
        )
    });
    standard.into_iter().chain(http).collect()
}

/// The content of the PARAMS stream.
#[must_use]
pub fn params(site: &Site) -> Vec<u8> {
    hand::pair_bytes(&pairs(site))
}

/// The whole request, id 1, the connection kept: BEGIN_REQUEST, one PARAMS record padded to a
/// multiple of eight bytes, the end of PARAMS, the end of STDIN.
#[must_use]
pub fn bytes(site: &Site) -> Vec<u8> {
    hand::aligned(&hand::responder(1, hand::KEEP, &pairs(site), b""))
}
