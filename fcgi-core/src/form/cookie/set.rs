//! The value of a `Set-Cookie` field.

use super::super::syntax::is_token;
use super::CookieError;
use crate::decimal::{self, DIGITS};
use crate::storage::{Storage, StorageFull};

/// A cookie for the client to keep: the value of one `Set-Cookie` field (RFC 6265 §4.1).
///
/// [`write`](Self::write) checks everything first, so that no value can bring in an attribute or a
/// header line of its own, and no cookie goes out that a browser would drop in silence:
///
/// | rule | § |
/// |---|---|
/// | the name is a token | RFC 6265 §4.1.1 |
/// | the value is visible ASCII without `"`, `,`, `;`, `\`, perhaps all in quotes | RFC 6265 §4.1.1 |
/// | name and value are up to 4,096 bytes | RFC 6265bis §5.6 |
/// | the path begins with `/`, the domain is a host name | RFC 6265 §5.2 |
/// | `SameSite=None`, `Partitioned` and `__Secure-…` are `Secure` | RFC 6265bis §4.1.3, CHIPS |
/// | `__Host-…` is `Secure`, has `Path=/` and no domain | RFC 6265bis §4.1.3.2 |
///
/// Each cookie is a field of its own, never joined with others. Without `Max-Age` and `Expires` a
/// browser forgets it when it is closed.
///
/// ```
/// use fcgi_core::cgi::ResponseHead;
/// use fcgi_core::form::cookie::{CookieError, SameSite, SetCookie};
///
/// let mut value = heapless::Vec::<u8, 128>::new();
/// SetCookie::new("__Host-id", "8f14e45f")
///     .path("/")
///     .max_age(3600)
///     .secure()
///     .http_only()
///     .same_site(SameSite::Lax)
///     .write(&mut value)?;
/// assert_eq!(
///     value,
///     b"__Host-id=8f14e45f; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax"
/// );
/// let mut head = ResponseHead::new(heapless::Vec::<u8, 256>::new());
/// head.add("Set-Cookie", &value).unwrap();
///
/// let evil = SetCookie::new("lang", "en; Domain=example.org").write(&mut value);
/// assert_eq!(evil, Err(CookieError::Value { at: 2 }));
/// # Ok::<(), CookieError>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a cookie is sent when it is written into a Set-Cookie field"]
pub struct SetCookie<'a> {
    name: &'a str,
    value: &'a str,
    expires: Option<&'a str>,
    max_age: Option<u64>,
    domain: Option<&'a str>,
    path: Option<&'a str>,
    same_site: Option<SameSite>,
    secure: bool,
    http_only: bool,
    partitioned: bool,
}

/// Whether a browser sends a cookie along with requests that other sites caused (RFC 6265bis
/// §4.1.2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    /// Never.
    Strict,
    /// Only when the user follows a link here.
    Lax,
    /// Always; needs `Secure`.
    None,
}

/// The most bytes of a name and its value together that browsers keep (RFC 6265bis §5.6).
const LONGEST: usize = 4096;

impl<'a> SetCookie<'a> {
    /// A cookie without attributes.
    pub const fn new(name: &'a str, value: &'a str) -> Self {
        SetCookie {
            name,
            value,
            expires: None,
            max_age: None,
            domain: None,
            path: None,
            same_site: None,
            secure: false,
            http_only: false,
            partitioned: false,
        }
    }

    /// Makes the client forget a cookie (`Max-Age=0`). Give it the path and the domain with which
    /// the cookie was set: they are part of what it is.
    pub const fn removal(name: &'a str) -> Self {
        Self::new(name, "").max_age(0)
    }

    /// How many seconds the client keeps it; 0 forgets it now. Counts before
    /// [`expires`](Self::expires).
    pub const fn max_age(mut self, seconds: u64) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// Until when the client keeps it, as an IMF-fixdate: `Sun, 06 Nov 1994 08:49:37 GMT`. Its
    /// clock decides; [`max_age`](Self::max_age) is the better choice.
    pub const fn expires(mut self, date: &'a str) -> Self {
        self.expires = Some(date);
        self
    }

    /// Sends it to this host and to all below it, not only to the one that set it.
    pub const fn domain(mut self, domain: &'a str) -> Self {
        self.domain = Some(domain);
        self
    }

    /// Sends it only for this path and those below it. The default is the directory of the
    /// request's own path.
    pub const fn path(mut self, path: &'a str) -> Self {
        self.path = Some(path);
        self
    }

    /// Sends it only over TLS.
    pub const fn secure(mut self) -> Self {
        self.secure = true;
        self
    }

    /// Hides it from scripts.
    pub const fn http_only(mut self) -> Self {
        self.http_only = true;
        self
    }

    /// Says whether requests that other sites caused carry it; browsers take `Lax` if nothing is
    /// said.
    pub const fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = Some(same_site);
        self
    }

    /// Keeps one for each site that this one is embedded in (CHIPS); needs `Secure`.
    pub const fn partitioned(mut self) -> Self {
        self.partitioned = true;
        self
    }

    /// Checks the cookie and appends it to `out`: what stands behind `Set-Cookie: `.
    ///
    /// # Errors
    ///
    /// Every [`CookieError`]. Nothing was written, but for
    /// [`StorageFull`](CookieError::StorageFull): `out` may then hold the beginning.
    pub fn write<O: Storage + ?Sized>(&self, out: &mut O) -> Result<(), CookieError> {
        self.check()?;
        self.put(out).map_err(|_| CookieError::StorageFull)
    }

    /// Checks the cookie as [`write`](Self::write) does.
    ///
    /// # Errors
    ///
    /// Every [`CookieError`] but [`StorageFull`](CookieError::StorageFull).
    pub fn check(&self) -> Result<(), CookieError> {
        self.check_pair()?;
        if let Some(path) = self.path {
            if !path.starts_with('/') {
                return Err(CookieError::RelativePath);
            }
            if let Some(at) = first_not(path, |byte| matches!(byte, b' '..=b':' | b'<'..=b'~')) {
                return Err(CookieError::Path { at });
            }
        }
        if let Some(domain) = self.domain {
            if domain.is_empty() {
                return Err(CookieError::EmptyDomain);
            }
            let in_host =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
            if let Some(at) = first_not(domain, in_host) {
                return Err(CookieError::Domain { at });
            }
        }
        if self
            .expires
            .is_some_and(|date| !is_fixdate(date.as_bytes()))
        {
            return Err(CookieError::Expires);
        }
        self.check_together()
    }

    fn check_pair(&self) -> Result<(), CookieError> {
        if self.name.is_empty() {
            return Err(CookieError::EmptyName);
        }
        if let Some(at) = first_not(self.name, is_token) {
            return Err(CookieError::Name { at });
        }
        let inner = self.value.strip_prefix('"');
        let inner = inner.and_then(|inner| inner.strip_suffix('"'));
        let before = usize::from(inner.is_some());
        if let Some(at) = first_not(inner.unwrap_or(self.value), is_cookie_octet) {
            return Err(CookieError::Value {
                at: at.saturating_add(before),
            });
        }
        if self.name.len().saturating_add(self.value.len()) > LONGEST {
            return Err(CookieError::TooLong { limit: LONGEST });
        }
        Ok(())
    }

    /// What depends on more than one attribute.
    fn check_together(&self) -> Result<(), CookieError> {
        let host = has_prefix(self.name, "__Host-");
        let needs_secure = [
            (host, "the prefix __host-"),
            (has_prefix(self.name, "__Secure-"), "the prefix __secure-"),
            (self.same_site == Some(SameSite::None), "samesite=none"),
            (self.partitioned, "partitioned"),
        ];
        if !self.secure {
            if let Some(&(_, what)) = needs_secure.iter().find(|(needed, _)| *needed) {
                return Err(CookieError::NeedsSecure { what });
            }
        }
        if host && (self.path != Some("/") || self.domain.is_some()) {
            return Err(CookieError::HostPrefix);
        }
        Ok(())
    }

    fn put<O: Storage + ?Sized>(&self, out: &mut O) -> Result<(), StorageFull> {
        for part in [self.name, "=", self.value] {
            out.append(part.as_bytes())?;
        }
        if let Some(seconds) = self.max_age {
            out.append(b"; Max-Age=")?;
            out.append(decimal::digits(seconds, &mut [0; DIGITS]))?;
        }
        let same_site = self.same_site.map(|same_site| match same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        });
        for (attribute, value) in [
            ("; Expires=", self.expires),
            ("; Domain=", self.domain),
            ("; Path=", self.path),
            ("; Secure", self.secure.then_some("")),
            ("; HttpOnly", self.http_only.then_some("")),
            ("; SameSite=", same_site),
            ("; Partitioned", self.partitioned.then_some("")),
        ] {
            if let Some(value) = value {
                out.append(attribute.as_bytes())?;
                out.append(value.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// Browsers compare the prefixes of names without regard to case (RFC 6265bis §5.7).
fn has_prefix(name: &str, prefix: &str) -> bool {
    let start = name.as_bytes().get(..prefix.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// Where the first byte is that is not of this class.
fn first_not(text: &str, class: impl Fn(u8) -> bool) -> Option<usize> {
    text.bytes().position(|byte| !class(byte))
}

/// RFC 6265 §4.1.1, `cookie-octet`.
const fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'+' | b'-'..=b':' | b'<'..=b'[' | b']'..=b'~')
}

/// RFC 9110 §5.6.7; not whether the day of the week is right.
fn is_fixdate(date: &[u8]) -> bool {
    let [
        d1,
        d2,
        d3,
        b',',
        b' ',
        day1,
        day2,
        b' ',
        m1,
        m2,
        m3,
        b' ',
        y1,
        y2,
        y3,
        y4,
        b' ',
        h1,
        h2,
        b':',
        min1,
        min2,
        b':',
        s1,
        s2,
        b' ',
        b'G',
        b'M',
        b'T',
    ] = date
    else {
        return false;
    };
    let names: [&[[u8; 3]]; 2] = [
        &[
            *b"Mon", *b"Tue", *b"Wed", *b"Thu", *b"Fri", *b"Sat", *b"Sun",
        ],
        &[
            *b"Jan", *b"Feb", *b"Mar", *b"Apr", *b"May", *b"Jun", *b"Jul", *b"Aug", *b"Sep",
            *b"Oct", *b"Nov", *b"Dec",
        ],
    ];
    let [days, months] = names;
    let within = |digits: &[u8], low: u64, high: u64| {
        decimal::parse(digits).is_some_and(|number| (low..=high).contains(&number))
    };
    days.contains(&[*d1, *d2, *d3])
        && within(&[*day1, *day2], 1, 31)
        && months.contains(&[*m1, *m2, *m3])
        && within(&[*y1, *y2, *y3, *y4], 1601, 9999)
        && within(&[*h1, *h2], 0, 23)
        && within(&[*min1, *min2], 0, 59)
        && within(&[*s1, *s2], 0, 60)
}
