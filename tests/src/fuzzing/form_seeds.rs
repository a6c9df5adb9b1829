//! Where the fuzzing of forms starts.

use super::form::BOUNDARIES;

type Seeds = Vec<(&'static str, Vec<u8>)>;

pub(super) fn form_urlencoded() -> Seeds {
    let limited = |limits: [u8; 2], query: &str| [&limits, query.as_bytes()].concat();
    let wide = [255, 64];
    [
        ("empty", wide, ""),
        ("pairs", wide, "name=a&name=b&c=%E2%82%AC+1&&=&flag"),
        ("escapes", wide, "%=%2&%2=%zz&%26=%3D&+=%2b&%00=%ff"),
        ("map", wide, "user[name]=x&user[pw]=b&user%5Bpw%5D=c"),
        ("list", wide, "a[]=1&a=2&a[][k]=3&a%5b%5d=4"),
        (
            "broken-brackets",
            wide,
            "a[=1&a]=2&[a]=3&a[k]x=4&a[[k]]=5&a[b=6",
        ),
        ("clash", wide, "a=1&a[k]=2&b[k]=1&b=2&c[]=1&c[k]=2"),
        ("deep", [255, 3], "a[b][c][d]=1&a[b][c][][]=2"),
        ("too-many", [3, 9], "a=1&b=2&c=3&d=4"),
    ]
    .map(|(name, limits, query)| (name, limited(limits, query)))
    .into()
}

pub(super) fn form_multipart() -> Seeds {
    let form = |plan: [u8; 3], body: &str| {
        let body = body.replace('\n', "\r\n").replace("\r\r\n", "\n");
        [&plan, body.as_bytes()].concat()
    };
    let field = "Content-Disposition: form-data; name=\"a\"\n";
    let file = "Content-Disposition: form-data; name=\"f\"; filename=\"a b.txt\"\n\
                Content-Type: text/plain\n";
    let both = format!("--X\n{field}\ntwo\nlines\n--X\n{file}\n\n-\n--\n--Y\n--X--\n");
    // In the text a CR before a line end takes it away.
    let bare = format!("--X\r\n{}\r\n1\r\n--X--", field.replace('\n', "\r\n"));
    let (strict, limited) = ([6, 0, 0], 2 | 3 << 5);
    let of = |number: u8| {
        let boundary = BOUNDARIES[usize::from(number)];
        form([9, number << 2, 0], &both.replace('X', boundary))
    };
    vec![
        ("boundary-of-dashes", of(1)),
        ("boundary-that-repeats", of(2)),
        ("boundary-with-a-blank", of(3)),
        ("zero-parts", form(strict, "--X--")),
        ("field-and-file", form(strict, &both)),
        ("with-limits", form([3, limited, 200], &both)),
        ("value-too-long", form([3, limited, 4], &both)),
        ("bare-line-feeds", form([2, 1, 0], &bare)),
        (
            "bare-line-feeds-refused",
            form([2, 0, 0], &format!("--X\n{bare}")),
        ),
        (
            "preamble",
            form(
                strict,
                &format!("pre\n--Y\n--X \t\n{field}\n--X--epi\nlogue"),
            ),
        ),
        (
            "almost",
            form(
                strict,
                &format!("--X\n{field}\n\n--\n--X-\n--X x\n--XX--\n\n--X--"),
            ),
        ),
        ("cut", form(strict, &both[..both.len() - 4])),
        (
            "no-disposition",
            form(strict, "--X\nContent-Type: a/b\n\nx\n--X--"),
        ),
        (
            "no-name",
            form(strict, "--X\nContent-Disposition: form-data\n\nx\n--X--"),
        ),
        (
            "folded",
            form(strict, &format!("--X\nA: b\n c\n{field}\nx\n--X--")),
        ),
        (
            "extended",
            form(
                strict,
                &format!("--X\n{}; filename*=UTF-8''%41\n\n\n--X--", field.trim_end()),
            ),
        ),
    ]
}

pub(super) fn form_cookie() -> Seeds {
    let planned = |flags: u8, strings: [&str; 5], header: &str| {
        let length = |text: &str| u8::try_from(text.len()).expect("a short text");
        let plan = [&[flags][..], &strings.map(length)].concat();
        [plan, strings.concat().into_bytes(), header.into()].concat()
    };
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    vec![
        ("plain", planned(0, ["a", "b", "", "", ""], "a=1; b=2")),
        (
            "all",
            planned(
                15,
                ["__Host-a", "\"b\"", "/", "example.org", date],
                "a=1;a=2;=;;x",
            ),
        ),
        (
            "injected",
            planned(
                7,
                ["a", "b; Secure", "/;x", "a\r\nb", "now"],
                " a = \"1\" ;\t",
            ),
        ),
        (
            "map",
            planned(
                0,
                ["", "", "", "", ""],
                "user[a]=1; user[b]=2; user=3; user[b]=4",
            ),
        ),
        (
            "joined",
            planned(8, ["a,b", "c", "x", "", ""], "a=1, b=2;c=%20"),
        ),
    ]
}
