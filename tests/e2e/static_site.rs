//! Static Spaces as browsers and clients see them.

use std::time::Duration;

use serde_json::json;
use spaceport_tests::{Files, TestHost, TestSpace, wait};

const PAGE: &str = "<!doctype html>\n<html><head><title>t</title></head><body>body</body></html>";

fn site(host: &TestHost) -> TestSpace<'_> {
    let files = Files::site(&[
        ("index.html", PAGE),
        ("page.html", "<!doctype html><p>no head here"),
        ("sub/index.html", "<html><head lang=en></head>sub</html>"),
        ("style.css", "body { color: red }\n"),
        ("data.bin", ""),
    ])
    .with("data.bin", (0..=255u8).cycle().take(300_000).collect::<Vec<_>>())
    .with("big.txt", "0123456789".repeat(500_000));
    let space = host.push("site", files);
    space.reaches("RUNNING");
    space
}

#[test]
fn paths_resolve_as_documented() {
    let host = TestHost::start();
    let space = site(&host);
    for (path, part) in
        [("/", "body"), ("/index.html", "body"), ("/sub/", "sub"), ("/page", "no head"), ("/style.css", "red")]
    {
        let answer = space.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.text().contains(part), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
    }
    for path in [
        "/nothing",
        "/page/",
        "/.git/config",
        "/.git",
        "/../README.md",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/sub/..%2f..%2fx",
        "//etc/passwd",
    ] {
        let answer = space.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(answer.text().contains("Entry not found"), "{path}: {}", answer.text());
    }
    assert_eq!(space.send("POST", "/", &[], b"x").status, 405);
    let plain = space.authority.replace(".static.", ".");
    assert_eq!(host.visitor().get(&plain, "/").status, 404, "only at the static address");
}

#[test]
fn one_script_is_injected_and_nothing_else_changes() {
    let host = TestHost::start();
    let space = site(&host);
    let answer = space.get("/");
    let text = answer.text();
    assert_eq!(text.matches("window.huggingface").count(), 1, "{text}");
    let (start, end) = (text.find("<script>").unwrap(), text.find("</script>").unwrap() + "</script>".len());
    assert_eq!(format!("{}{}", &text[..start], &text[end..]), PAGE);
    assert!(text[..start].ends_with("<head>"), "{text}");
    assert_eq!(space.get("/style.css").text(), "body { color: red }\n");
    let headless = space.get("/page").text();
    assert!(headless.starts_with("<!doctype html><script>"), "{headless}");
    let binary = space.get("/data.bin");
    assert_eq!(binary.body, (0..=255u8).cycle().take(300_000).collect::<Vec<_>>());
}

#[test]
fn changed_variables_are_in_the_page_at_once_and_cannot_break_out() {
    let host = TestHost::start();
    let space = site(&host);
    let etag = space.get("/").header("etag").map(str::to_owned);
    let nasty = "</script><script>alert(1)</script><!--\u{2028}\"'\\";
    space.post("/variables", json!({"key": "NASTY", "value": nasty}));
    let seen = wait::until(Duration::from_secs(10), || space.get("/").text().contains("NASTY").then_some(()));
    assert!(seen.is_some(), "{}", space.get("/").text());
    let answer = space.get("/");
    let text = answer.text();
    assert_ne!(answer.header("etag").map(str::to_owned), etag, "the ETag follows the variables");
    let json = text.split_once("window.huggingface").unwrap().1.split_once("</script>").unwrap().0;
    assert!(!json.contains('<') && !json.contains('\u{2028}'), "{json}");
    let object = json.trim_start_matches([' ', '=']).trim_end_matches(';');
    let object = object.replacen("variables:", "\"variables\":", if object.contains("\"variables\"") { 0 } else { 1 });
    let parsed: serde_json::Value = serde_json::from_str(&object).unwrap_or_else(|e| panic!("{e}: {object}"));
    assert_eq!(parsed["variables"]["NASTY"], nasty);
    assert_eq!(parsed["variables"]["SPACE_CREATOR_USER_ID"].as_str().unwrap().len(), 24);
}

#[test]
fn validators_ranges_and_encodings_work() {
    let host = TestHost::start();
    let space = site(&host);
    let answer = space.get("/big.txt");
    assert_eq!(answer.body.len(), 5_000_000);
    let etag = answer.header("etag").unwrap().to_owned();
    assert_eq!(space.send("GET", "/big.txt", &[("if-none-match", &etag)], b"").status, 304);
    let part = space.send("GET", "/big.txt", &[("range", "bytes=10-19")], b"");
    assert_eq!((part.status, part.text().as_str()), (206, "0123456789"));
    assert_eq!(part.header("content-range"), Some("bytes 10-19/5000000"));
    let parts = space.send("GET", "/big.txt", &[("range", "bytes=0-1,-2")], b"");
    assert_eq!(parts.status, 206);
    assert!(parts.header("content-type").unwrap().starts_with("multipart/byteranges"), "{:?}", parts.headers);
    assert_eq!(space.send("GET", "/big.txt", &[("range", "bytes=5000000-")], b"").status, 416);
    let head = space.send("HEAD", "/big.txt", &[], b"");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("5000000"), 0));
    for encoding in ["gzip", "br", "zstd"] {
        let packed = space.send("GET", "/big.txt", &[("accept-encoding", encoding)], b"");
        assert_eq!((packed.status, packed.header("content-encoding")), (200, Some(encoding)));
        assert!(packed.header("vary").is_some_and(|vary| vary.to_lowercase().contains("accept-encoding")));
        assert!(packed.body.len() < 1_000_000, "{encoding}: {}", packed.body.len());
    }
    let css = space.get("/style.css");
    assert!(css.header("content-type").unwrap().starts_with("text/css"), "{:?}", css.headers);
    // Injected pages have no ranges.
    assert_eq!(space.send("GET", "/", &[("range", "bytes=0-3")], b"").status, 200);
}

#[test]
fn a_deploy_empties_the_cache() {
    let host = TestHost::start();
    let space = site(&host);
    for _ in 0..3 {
        assert!(space.get("/style.css").text().contains("red"));
    }
    let commit = space.push(Files::default().with("style.css", "body { color: blue }"));
    space.serves(&commit);
    assert!(space.get("/style.css").text().contains("blue"));
    assert!(host.domain().contains("localhost"));
}

#[test]
fn custom_headers_are_on_every_response() {
    let host = TestHost::start();
    let readme = "---\nsdk: static\ncustom_headers:\n  cross-origin-embedder-policy: require-corp\n  cross-origin-opener-policy: same-origin\n---\n";
    let space = host.push("isolated", Files::site(&[("index.html", PAGE), ("a.js", "1")]).with("README.md", readme));
    space.reaches("RUNNING");
    for path in ["/", "/a.js", "/missing"] {
        let answer = space.get(path);
        assert_eq!(answer.header("cross-origin-embedder-policy"), Some("require-corp"), "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
    }
}
