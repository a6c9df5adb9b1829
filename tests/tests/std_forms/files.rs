//! Files: in memory, spooled, kept, and removed.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex};

use fcgi_std::form::{Limits, MultipartLimits};
use fcgi_tests::blocking::{self, Gate, eventually};
use fcgi_tests::pattern;
use tempfile::TempDir;

use super::*;

const FILE: &str = "name=\"f\"; filename=\"C:\\dir\\a <b>.bin\"";

/// The names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[track_caller]
fn becomes_empty(directory: &Path) {
    eventually(
        || names(directory).is_empty(),
        || format!("left behind: {:?}", names(directory)),
    );
}

#[test]
fn small_files_stay_in_memory_and_larger_ones_are_spooled() {
    let spool = tempfile::tempdir().unwrap();
    let directory = spool.path().to_owned();
    let limits = Limits {
        file_in_memory: 1000,
        files_in_memory: 2500,
        ..Limits::DEFAULT
    };
    let app = blocking::unix(
        |server| server.form_limits(limits).spool_directory(spool.path()),
        move |request: &mut Request| {
            let files = request.files()?;
            assert!(Arc::ptr_eq(&files, &request.files()?));
            let mut shown = Vec::new();
            for file in files.all("f") {
                assert_eq!(file.file_name().as_bytes(), br"C:\dir\a <b>.bin");
                assert_eq!(file.base_name().as_deref(), Some("a <b>.bin"));
                let length = usize::try_from(file.len()).unwrap();
                let bytes = pattern::bytes(length);
                assert!(file.bytes()? == bytes);
                // Each time from the start, and with a place of its own.
                let (mut one, mut two) = (file.open()?, file.open()?);
                one.seek(SeekFrom::End(-1))?;
                let mut last = Vec::new();
                one.read_to_end(&mut last)?;
                assert_eq!(last, bytes[length - 1..]);
                let mut all = Vec::new();
                two.read_to_end(&mut all)?;
                assert!(all == bytes);
                if let Some(path) = file.spooled() {
                    assert_eq!(path.parent(), Some(&*directory));
                }
                let place = if file.spooled().is_some() {
                    "disk"
                } else {
                    "memory"
                };
                shown.push(format!("{length} {place}"));
            }
            assert_eq!(
                names(&directory).len(),
                shown.join("").matches("disk").count()
            );
            page(request, shown.join(", "))
        },
    );
    let mut peer = app.connect();
    for (lengths, expected) in [
        (&[1000][..], "1000 memory"),
        (&[1001], "1001 disk"),
        // All that may be in memory together: what is spooled does not count.
        (
            &[1000, 200_000, 1000, 500, 1],
            "1000 memory, 200000 disk, 1000 memory, 500 memory, 1 disk",
        ),
    ] {
        let files: Vec<_> = lengths
            .iter()
            .map(|&length| pattern::bytes(length))
            .collect();
        let parts: Vec<_> = files.iter().map(|file| (FILE, &file[..])).collect();
        let body = multipart(&parts);
        for piece in [100, 4096, 65_535] {
            let answer = peer.ask(1, request(&post(MULTIPART, body.len()), &body, piece));
            assert_eq!(text(&answer), expected, "{piece}");
            becomes_empty(spool.path());
        }
    }
    assert_eq!(app.incidents(), [""; 0]);
}

#[test]
fn names_types_and_fields_without_a_file() {
    let app = blocking::unix(
        |server| server,
        |request: &mut Request| {
            let (values, files) = (request.post()?, request.files()?);
            assert_eq!(shown(&values), "a={b=1}");
            let mut names = Vec::new();
            for file in files.all("photos") {
                let kind = file.content_type().map(|kind| kind.to_text().into_owned());
                names.push(format!("{:?} {kind:?} {}", file.base_name(), file.len()));
            }
            let deep = files.first("a[b]").expect("the names of files are apart");
            assert_eq!(
                (deep.is_empty(), deep.base_name().as_deref()),
                (true, Some("e"))
            );
            assert_eq!(files.len(), names.len() + 1);
            page(request, names.join("\n"))
        },
    );
    let body = multipart(&[
        ("name=\"a[b]\"", b"1"),
        (
            "name=\"photos[]\"; filename=\"../../etc/passwd\"\r\nContent-Type: a/b; c=d",
            b"x",
        ),
        ("name=\"photos[]\"; filename=\"..\"", b"xy"),
        // No file was chosen here.
        (
            "name=\"photos[]\"; filename=\"\"\r\nContent-Type: application/octet-stream",
            b"",
        ),
        ("name=\"photos[]\"; filename=\"\"", b"xyz"),
        ("name=\"a[b]\"; filename=\"e\"", b""),
    ]);
    let answer = app
        .connect()
        .ask(1, request(&post(MULTIPART, body.len()), &body, 11));
    assert_eq!(
        text(&answer),
        "Some(\"passwd\") Some(\"a/b; c=d\") 1\nNone None 2\nNone None 3",
    );
}

#[test]
fn files_are_kept_where_the_handler_says() {
    let (spool, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let directory = kept.path().to_owned();
    let app = blocking::unix(
        |server| server.spool_directory(spool.path()),
        move |request: &mut Request| {
            for (number, file) in request.files()?.all("f").enumerate() {
                let path = directory.join(number.to_string());
                file.persist(&path)?;
                let bytes = fs::read(&path)?;
                assert!(bytes == *file.bytes()?);
                // Never in place of another one.
                let again = file.persist(&path).unwrap_err();
                assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
                let nowhere = file.persist(directory.join("no/such/place")).unwrap_err();
                assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
            }
            page(request, "kept")
        },
    );
    let (small, large) = (pattern::bytes(10), pattern::bytes(300_000));
    let body = multipart(&[(FILE, &small), (FILE, &large)]);
    let answer = app
        .connect()
        .ask(1, request(&post(MULTIPART, body.len()), &body, 65_535));
    assert_eq!(text(&answer), "kept");
    becomes_empty(spool.path());
    let mut left = names(kept.path());
    left.sort();
    assert_eq!(left, ["0", "1"]);
    assert!(fs::read(kept.path().join("0")).unwrap() == small);
    assert!(fs::read(kept.path().join("1")).unwrap() == large);
    #[cfg(unix)]
    for name in left {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(kept.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// A file that is being spooled when its request fails: the spool is empty afterwards.
#[test]
fn nothing_is_left_of_a_form_that_fails() {
    let spool = tempfile::tempdir().unwrap();
    let limits = Limits {
        file_in_memory: 0,
        multipart: MultipartLimits {
            file: 100_000,
            ..MultipartLimits::DEFAULT
        },
        ..Limits::DEFAULT
    };
    let app = blocking::unix(
        |server| server.form_limits(limits).spool_directory(spool.path()),
        |request: &mut Request| {
            request.files()?;
            panic!("after the files");
        },
    );
    let large = vec![b'x'; 100_001];
    let fits = multipart(&[(FILE, &large[1..])]);
    let too_large = multipart(&[(FILE, &large[1..]), (FILE, &large)]);
    for (body, length, status) in [
        (&too_large[..], too_large.len(), "413"),
        (&fits[..fits.len() - 10], fits.len(), "400"),
        (&fits[..], fits.len(), "500"),
    ] {
        // The rest of a form that is refused is skipped with the request.
        let answer = app
            .connect()
            .ask(1, request(&post(MULTIPART, length), body, 30_000));
        is_page(&answer, status);
        becomes_empty(spool.path());
    }
    // The web server goes away in the middle.
    let mut peer = app.connect();
    let part = [
        begin(1, RESPONDER, KEEP),
        params(1, &post(MULTIPART, fits.len())),
        end_of(PARAMS, 1),
        stream(STDIN, 1, &fits[..50_000]),
    ];
    peer.send(part.concat());
    eventually(
        || names(spool.path()).len() == 1,
        || "nothing is spooled".to_owned(),
    );
    drop(peer);
    becomes_empty(spool.path());
}

#[test]
fn a_spool_that_does_not_work_is_a_500() {
    let directory = TempDir::new().unwrap();
    let app = blocking::unix(
        |server| server.spool_directory(directory.path().join("missing")),
        |request: &mut Request| {
            let files = request.files()?;
            page(request, files.len().to_string())
        },
    );
    let mut peer = app.connect();
    let small = multipart(&[(FILE, b"x")]);
    assert_eq!(
        text(&peer.ask(1, request(&post(MULTIPART, small.len()), &small, 99))),
        "1"
    );
    let large = multipart(&[(FILE, &[b'x'; 65_537])]);
    is_page(
        &peer.ask(1, request(&post(MULTIPART, large.len()), &large, 65_535)),
        "500",
    );
    app.wait_for_incident("a file of the form cannot be kept: ");
}

/// A tree of files that outlives its request.
#[test]
fn files_live_as_long_as_somebody_has_them() {
    let spool = tempfile::tempdir().unwrap();
    let kept = Arc::new(Mutex::new(None));
    let (keep, gate) = (Arc::clone(&kept), Gate::default());
    let passing = gate.clone();
    let app = blocking::unix(
        |server| server.spool_directory(spool.path()),
        move |request: &mut Request| {
            *keep.lock().unwrap() = Some(request.files()?);
            passing.pass();
            page(request, "kept")
        },
    );
    let bytes = pattern::bytes(70_000);
    let body = multipart(&[(FILE, &bytes)]);
    let mut peer = app.connect();
    peer.send(request(&post(MULTIPART, body.len()), &body, 65_535));
    gate.wait_for_one();
    gate.let_through(1);
    assert_eq!(text(&peer.answer(1)), "kept");
    // The request is over: another one is served on its connection.
    peer.sync();
    let files = kept.lock().unwrap().take().unwrap();
    assert!(files.first("f").unwrap().bytes().unwrap() == bytes);
    drop(files);
    becomes_empty(spool.path());
}
