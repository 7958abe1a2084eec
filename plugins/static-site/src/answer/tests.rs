use spaceport_guest::{Body, BodyWriter, HeaderMap};
use tempfile::TempDir;

use super::*;

const PAGE: &str = "<!doctype html><head></head>hello";

/// A site of these files, each with its path as its id.
fn site(files: &'static [(&'static str, &'static str)]) -> (Site, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let site = Site {
        entry: "index.html".to_owned(),
        headers: Vec::new(),
        script: Script::new(&[("A".to_owned(), "1".to_owned())]),
        variables_tag: "tag".to_owned(),
        root: dir.path().to_owned(),
        lookup: Box::new(|path| {
            files.iter().any(|(file, _)| *file == path).then(|| Entry { oid: path.replace('/', "-") })
        }),
    };
    (site, dir)
}

fn ask(site: &Site, method: Method, path: &str, headers: &[(&'static str, &'static str)]) -> (Response, String) {
    let headers: HeaderMap =
        headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
    let mut response = answer(&Request::new(method, path, headers, io::empty()), site);
    let mut bytes = Vec::new();
    match std::mem::replace(&mut response.body, Body::Bytes(Vec::new())) {
        Body::Bytes(whole) => bytes = whole,
        Body::Stream(write) => write(&mut BodyWriter::new(&mut bytes)).unwrap(),
    }
    (response, String::from_utf8(bytes).unwrap())
}

fn visit(site: &Site, path: &str) -> (Response, String) {
    ask(site, Method::GET, path, &[])
}

#[track_caller]
fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers.get(name).map_or("", |value| std::str::from_utf8(value.as_bytes()).unwrap())
}

#[test]
fn a_page_carries_the_script_and_a_tag_of_file_and_variables() {
    let (site, _dir) = site(&[("index.html", PAGE)]);
    let (response, body) = visit(&site, "/");
    assert_eq!(response.status, 200);
    assert_eq!(body, "<!doctype html><head><script>window.huggingface={variables:{\"A\":\"1\"}};</script></head>hello");
    assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&response, "etag"), "\"index.html-tag\"");
    assert_eq!(header(&response, "access-control-allow-origin"), "*");
    assert_eq!(header(&response, "cdn-cache-control"), KEEP);
    assert_eq!(header(&response, "accept-ranges"), "");
}

#[test]
fn a_page_that_declares_another_encoding_is_believed() {
    let (site, _dir) = site(&[("index.html", "<head><meta charset=koi8-r></head>hello")]);
    assert_eq!(header(&visit(&site, "/").0, "content-type"), "text/html; charset=koi8-r");
}

#[test]
fn a_range_of_a_page_is_the_whole_page() {
    let (site, _dir) = site(&[("index.html", PAGE)]);
    let (response, body) = ask(&site, Method::GET, "/", &[("range", "bytes=0-3")]);
    assert_eq!((response.status.as_u16(), body), (200, visit(&site, "/").1));
}

#[test]
fn a_page_that_the_visitor_has_is_not_sent_again() {
    let (site, _dir) = site(&[("index.html", PAGE)]);
    for tags in ["\"index.html-tag\"", "W/\"index.html-tag\"", "\"x\", \"index.html-tag\"", "*"] {
        let (response, body) = ask(&site, Method::GET, "/", &[("if-none-match", tags)]);
        assert_eq!((response.status.as_u16(), body.as_str()), (304, ""), "{tags}");
        assert_eq!(header(&response, "etag"), "\"index.html-tag\"");
        assert_eq!(header(&response, "cdn-cache-control"), "");
    }
    assert_eq!(ask(&site, Method::GET, "/", &[("if-none-match", "\"index.html\"")]).0.status, 200);
}

#[test]
fn a_file_is_left_to_the_host() {
    let (site, _dir) = site(&[("sub/größe.css", "x")]);
    let (response, body) = visit(&site, "/sub/gr%C3%B6%C3%9Fe.css");
    assert_eq!((response.status.as_u16(), body.as_str()), (200, ""));
    assert_eq!(header(&response, "x-sendfile"), "sub/größe.css");
    assert_eq!(header(&response, "content-type"), "text/css; charset=utf-8");
    assert_eq!(response.headers["etag"].as_bytes(), b"\"sub-gr\xc3\xb6\xc3\x9fe.css\"");
}

#[test]
fn a_file_whose_name_fits_no_header_is_sent_all_the_same() {
    let (site, _dir) = site(&[("a\nb.txt", "line")]);
    let (response, body) = visit(&site, "/a%0ab.txt");
    assert_eq!((response.status.as_u16(), body.as_str()), (200, "line"));
    assert_eq!(header(&response, "x-sendfile"), "");
    assert_eq!(ask(&site, Method::HEAD, "/a%0ab.txt", &[]).1, "");
}

#[test]
fn what_is_not_there_is_404_and_other_methods_are_405() {
    let (mut site, _dir) = site(&[("index.html", PAGE)]);
    site.headers = vec![("cross-origin-opener-policy".into(), "same-origin".into())];
    let (response, body) = visit(&site, "/nothing");
    assert_eq!((response.status.as_u16(), body.as_str()), (404, "Entry not found"));
    assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(header(&response, "cross-origin-opener-policy"), "same-origin");
    let (response, _) = ask(&site, Method::POST, "/", &[]);
    assert_eq!((response.status.as_u16(), header(&response, "allow")), (405, "GET, HEAD"));
}

#[test]
fn what_cannot_be_read_is_not_kept_by_anybody() {
    let (site, _dir) = site(&[("index.html", PAGE), ("loop.html", "")]);
    std::fs::remove_file(site.root.join("index.html")).unwrap();
    std::fs::remove_file(site.root.join("loop.html")).unwrap();
    std::os::unix::fs::symlink("loop.html", site.root.join("loop.html")).unwrap();
    for (path, status) in [("/", 404), ("/loop.html", 500)] {
        let (response, _) = visit(&site, path);
        assert_eq!((response.status.as_u16(), header(&response, "cdn-cache-control")), (status, ""), "{path}");
    }
}

#[test]
fn head_says_the_same_without_a_body() {
    let (site, _dir) = site(&[("index.html", PAGE)]);
    let (response, body) = ask(&site, Method::HEAD, "/", &[]);
    assert_eq!((response.status.as_u16(), body.as_str()), (200, ""));
    assert_eq!(header(&response, "etag"), "\"index.html-tag\"");
    assert_eq!(header(&response, "cdn-cache-control"), "", "an empty page must not be kept");
}

#[test]
fn a_policy_of_the_space_lets_the_script_run() {
    let (mut site, _dir) = site(&[("index.html", PAGE), ("a.js", "1")]);
    site.headers = vec![(POLICY.into(), "script-src 'self'".into()), ("etag".into(), "forged".into())];
    let allowed = format!("script-src 'self' {}", site.script.hash);
    assert_eq!(header(&visit(&site, "/").0, POLICY), allowed);
    assert_eq!(header(&visit(&site, "/").0, "etag"), "\"index.html-tag\"");
    assert_eq!(header(&visit(&site, "/a.js").0, POLICY), "script-src 'self'");
}
