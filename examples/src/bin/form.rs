//! Forms: what came in the query, in the body and in cookies, with all that names can say.
//!
//! ```text
//! cargo run -p fcgi-examples --bin form 127.0.0.1:9000
//! curl -g 'http://localhost/?name=a&name=b' -d 'user[first]=a&user[last]=b' -b 'lang=en'
//! ```
//!
//! The page, through your web server, has a form with each kind of name, to be sent in three ways:
//! `name` once is a value, twice a list; `user[first]`, `user[last]` are a map; and `login[pw]`
//! twice is a list in a map. What came is shown below, nested as the names say.

use std::io::{self, Write};

use fcgi_std::form::tree::{Map, Node, Value};

const FIELDS: &str = "
<p>One value: <input name=name value=a>
<p>A list: <input name=list value=a> <input name=list value=b>
<p>A map: <input name=user[first] value=a> <input name=user[last] value=b>
<p>A list in a map: <input name=login[name] value=a> <input name=login[pw] value=b>
  <input name=login[pw] value=c>
<p><button>Send</button>
</form>";

const FORMS: [&str; 3] = [
    "<h2>In the query</h2><form>",
    "<h2>In the body</h2><form method=post>",
    "<h2>In parts</h2><form method=post enctype=multipart/form-data>",
];

fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    fcgi_std::Server::inherited_or_bind(&address)?.serve(|request| {
        let came = [
            ("query", request.get()?),
            ("body", request.post()?),
            ("cookies", request.cookies()?),
        ];
        let mut html = String::from("<!doctype html><title>Forms</title>");
        html.extend(FORMS.iter().flat_map(|form| [*form, FIELDS]));
        for (id, tree) in came {
            html += &format!(
                "<h2>Came in: {id}</h2><div id={id}>{}</div>",
                map(tree.as_map())
            );
        }
        request.content_type("text/html; charset=utf-8")?;
        request.stdout.write_all(html.as_bytes())
    })
}

fn map(map: &Map<Value>) -> String {
    let entries = map.iter().map(|(key, under)| {
        let key = String::from_utf8_lossy(key);
        format!("<dt>{}<dd>{}", escape(&key), node(under))
    });
    format!("<dl>{}</dl>", entries.collect::<String>())
}

fn node(under: &Node<Value>) -> String {
    match under {
        Node::Leaf(value) => escape(&value.to_text()),
        Node::List(list) => {
            let items = list.iter().map(|item| format!("<li>{}", node(item)));
            format!("<ol>{}</ol>", items.collect::<String>())
        }
        Node::Map(inner) => map(inner),
    }
}

/// Everything on the page that a client chose goes through here.
fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
