use std::path::Path;

use http::Request;
use http_body_util::Full;
use spaceport_core::space::Sdk;

use super::harness::*;

const KEEP: (&str, &str) = ("cdn-cache-control", "max-age=31536000");

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n % 251) as u8).collect()
}

/// A static Space that lets the host send `/kept/<file>` and `/fresh/<file>`.
fn site(front: &Front, app: &Path) -> Space {
    let space = front.space_in(app, "files", |request| async move {
        let path = request.uri().path();
        let (kind, file) = path[1..].split_once('/').unwrap();
        let headers = [("x-sendfile", file), ("content-type", "application/zip"), ("etag", "\"f1\""), KEEP];
        says(if kind == "kept" { &headers } else { &headers[..3] }, "")
    });
    space.change(|entry| entry.sdk = Sdk::Static);
    space
}

fn app() -> tempfile::TempDir {
    let app = tempfile::tempdir().unwrap();
    for (name, length) in [("small", 5_000), ("middle", 300_000), ("large", 3_000_000)] {
        std::fs::write(app.path().join(name), content(length)).unwrap();
    }
    app
}

#[tokio::test]
async fn files_are_sent_whole_in_part_and_as_a_head() {
    let (front, app) = (Front::start().await, app());
    let space = site(&front, app.path());
    for (name, length) in [("small", 5_000), ("middle", 300_000), ("large", 3_000_000)] {
        for kind in ["kept", "fresh"] {
            let path = format!("/{kind}/{name}");
            let all = content(length);
            let whole = front.get(&space.host, &path).await;
            assert!(whole.status == 200 && whole.body == all, "{path}");
            assert_eq!(whole.header("accept-ranges"), "bytes");
            assert_eq!(whole.header("content-length"), length.to_string());
            assert!(!whole.headers.contains_key("x-sendfile"));
            let part = front.get_with(&space.host, &path, &[("range", "bytes=1000-1999")]).await;
            assert!(part.status == 206 && part.body == all[1000..2000], "{path}");
            assert_eq!(part.header("content-range"), format!("bytes 1000-1999/{length}"));
            assert_eq!(part.header("content-length"), "1000");
            let none = front.get_with(&space.host, &path, &[("range", "bytes=9999999-")]).await;
            assert_eq!(
                (none.status.as_u16(), none.header("content-range")),
                (416, format!("bytes */{length}").as_str())
            );
            let head = Request::head(&path).header("host", &space.host).body(Full::default()).unwrap();
            let head = front.send(head).await;
            assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
            assert_eq!(head.header("content-length"), length.to_string());
        }
    }
}

#[tokio::test]
async fn several_parts_come_in_one_answer() {
    let (front, app) = (Front::start().await, app());
    let space = site(&front, app.path());
    for path in ["/kept/small", "/fresh/large"] {
        let reply = front.get_with(&space.host, path, &[("range", "bytes=0-2,10-12,-3")]).await;
        let all = content(if path == "/kept/small" { 5_000 } else { 3_000_000 });
        assert_eq!(reply.status, 206);
        assert_eq!(reply.header("content-length"), reply.body.len().to_string());
        let boundary = reply.header("content-type").strip_prefix("multipart/byteranges; boundary=").unwrap();
        let length = all.len();
        let mut expected = Vec::new();
        for (first, last) in [(0, 2), (10, 12), (length - 3, length - 1)] {
            let head = format!(
                "\r\n--{boundary}\r\ncontent-type: application/zip\r\ncontent-range: bytes {first}-{last}/{length}\r\n\r\n"
            );
            expected.extend_from_slice(head.as_bytes());
            expected.extend_from_slice(&all[first..=last]);
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert!(reply.body == expected, "{path}");
    }
}

#[tokio::test]
async fn conditions_hold_for_files() {
    let (front, app) = (Front::start().await, app());
    let space = site(&front, app.path());
    for path in ["/kept/middle", "/fresh/large"] {
        for (sent, status) in [
            (vec![("if-none-match", "W/\"f1\"")], 304),
            (vec![("if-none-match", "\"f2\"")], 200),
            (vec![("if-match", "\"f2\"")], 412),
            (vec![("if-match", "\"f1\""), ("range", "bytes=0-0")], 206),
            (vec![("if-range", "\"f1\""), ("range", "bytes=0-0")], 206),
            (vec![("if-range", "\"f2\""), ("range", "bytes=0-0")], 200),
            (vec![("if-none-match", "\"f1\""), ("range", "bytes=0-0")], 304),
        ] {
            assert_eq!(front.get_with(&space.host, path, &sent).await.status.as_u16(), status, "{path} {sent:?}");
        }
    }
}

#[tokio::test]
async fn a_hot_file_is_not_read_again() {
    let (front, app) = (Front::start().await, app());
    let space = site(&front, app.path());
    front.get(&space.host, "/kept/middle").await;
    std::fs::remove_file(app.path().join("middle")).unwrap();
    let again = front.get_with(&space.host, "/kept/middle", &[("range", "bytes=5-6")]).await;
    assert!(again.body == content(7)[5..]);
    assert_eq!(space.calls(), 1);
}

#[tokio::test]
async fn a_hot_file_too_large_for_memory_costs_no_call() {
    let (front, app) = (Front::start().await, app());
    let space = site(&front, app.path());
    let all = content(3_000_000);
    assert!(front.get(&space.host, "/kept/large").await.body == all);
    let again = front.get(&space.host, "/kept/large").await;
    assert!(again.body == all && again.headers.contains_key("age"));
    let part = front.get_with(&space.host, "/kept/large", &[("range", "bytes=5-6")]).await;
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &all[5..7]));
    assert_eq!(front.get_with(&space.host, "/kept/large", &[("if-none-match", "\"f1\"")]).await.status, 304);
    assert_eq!(space.calls(), 1);
    std::fs::remove_file(app.path().join("large")).unwrap();
    assert_eq!(front.get(&space.host, "/kept/large").await.error(), "guest_bad_response");
    assert_eq!(space.calls(), 2);
}

#[tokio::test]
async fn a_guest_cannot_send_what_is_not_in_its_revision() {
    let (front, root) = (Front::start().await, tempfile::tempdir().unwrap());
    std::fs::create_dir(root.path().join("app")).unwrap();
    std::fs::write(root.path().join("secret"), "secret").unwrap();
    std::os::unix::fs::symlink("../secret", root.path().join("app/link")).unwrap();
    let space = front.space_in(&root.path().join("app"), "evil", |request| async move {
        let path = request.headers()["x-path"].to_str().unwrap().to_owned();
        says(&[("x-sendfile", &path)], "")
    });
    for path in ["../secret", "link", "/etc/passwd", "/proc/self/environ", "sub/../../secret", "."] {
        let reply = front.get_with(&space.host, "/", &[("x-path", path)]).await;
        assert_eq!(reply.error(), "guest_bad_response", "{path}");
    }
}

#[tokio::test]
async fn a_file_without_a_tag_gets_one() {
    let (front, app) = (Front::start().await, app());
    let space = front.space_in(app.path(), "plain", |_| async { says(&[("x-sendfile", "small")], "") });
    let tag = front.get(&space.host, "/").await.header("etag").to_owned();
    let again = front.get_with(&space.host, "/", &[("if-none-match", &tag)]).await;
    assert_eq!(again.status, 304);
}
