//! Sessions: a cookie that nobody can guess, and what belongs to it, shared by all threads.
//!
//! ```text
//! cargo run -p fcgi-examples --bin session 127.0.0.1:9000
//! curl -c jar -d name=Ann http://localhost/   # through your web server
//! curl -b jar http://localhost/               # Hello, Ann! Visit 1.
//! ```
//!
//! In a browser: give a name, reload the page, log out. Sessions live in memory, an hour after
//! their last visit at most, and so many of them at a time: for a new one the oldest makes room.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fcgi_std::{Request, SameSite, SetCookie};

const LIFETIME: Duration = Duration::from_secs(3600);
const MOST: usize = 1000;

struct Session {
    name: String,
    visits: u64,
    last: Instant,
}

fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let sessions = Mutex::new(HashMap::new());
    fcgi_std::Server::inherited_or_bind(&address)?
        .workers(4, 4)
        .serve(move |request| answer(request, &sessions))
}

fn answer(request: &mut Request, sessions: &Mutex<HashMap<u128, Session>>) -> io::Result<()> {
    let (cookies, form) = (request.cookies()?, request.post()?);
    let id = cookies.first("id").map(|id| id.to_text().into_owned());
    let id = id.and_then(|id| u128::from_str_radix(&id, 16).ok());
    let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.retain(|_, session| session.last.elapsed() < LIFETIME);

    if request.params.get("REQUEST_METHOD") == Some(b"POST") {
        // Whoever comes or goes: the old id is worth nothing any more.
        id.map(|old| sessions.remove(&old));
        let name = form.first("name").map(|name| name.to_text());
        let text = match name.filter(|name| !name.is_empty()) {
            Some(name) => format!("{:032x}", begin(&mut sessions, &name)?),
            None => String::new(),
        };
        let mut cookie = match &*text {
            "" => SetCookie::removal("id").path("/"),
            id => SetCookie::new("id", id)
                .path("/")
                .max_age(LIFETIME.as_secs()),
        };
        if request.params.text("HTTPS").eq_ignore_ascii_case("on") {
            cookie = cookie.secure();
        }
        request.set_cookie(&cookie.http_only().same_site(SameSite::Lax))?;
        return request.redirect(303, "?");
    }

    let greeting = match id.and_then(|id| sessions.get_mut(&id)) {
        Some(session) => {
            (session.visits, session.last) = (session.visits + 1, Instant::now());
            format!(
                "Hello, {}! Visit {}.",
                escape(&session.name),
                session.visits
            )
        }
        None => "Who are you?".to_owned(),
    };
    // A slow client must not hold the others up.
    drop(sessions);
    request.content_type("text/html; charset=utf-8")?;
    request.header("Cache-Control", "no-store")?;
    write!(
        request.stdout,
        "<!doctype html><title>Session</title><p>{greeting}\n\
        <form method=post><input name=name placeholder=Name> <button>Log in</button></form>\n\
        <form method=post><button>Log out</button></form>"
    )
}

fn begin(sessions: &mut HashMap<u128, Session>, name: &str) -> io::Result<u128> {
    if sessions.len() >= MOST {
        let oldest = sessions.iter().min_by_key(|(_, session)| session.last);
        oldest.map(|(id, _)| *id).map(|id| sessions.remove(&id));
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    let session = Session {
        name: name.chars().take(50).collect(),
        visits: 0,
        last: Instant::now(),
    };
    sessions.insert(u128::from_be_bytes(id), session);
    Ok(u128::from_be_bytes(id))
}

/// Everything on the page that a client chose goes through here.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
