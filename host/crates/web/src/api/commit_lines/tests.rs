use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::*;

/// Feeds a body in pieces of a size, since the network cuts it anywhere.
fn read(body: &str, piece: usize) -> ApiResult<NewCommit> {
    let mut lines = CommitLines::default();
    for bytes in body.as_bytes().chunks(piece) {
        lines.feed(bytes)?;
    }
    lines.finish()
}

fn message(result: ApiResult<NewCommit>) -> String {
    format!("{:?}", result.expect_err("the body is refused"))
}

fn header() -> String {
    json!({"key": "header", "value": {"summary": "a message", "description": "more"}}).to_string() + "\n"
}

fn file(path: &str, content: &[u8]) -> String {
    let content = BASE64_STANDARD.encode(content);
    json!({"key": "file", "value": {"content": content, "path": path, "encoding": "base64"}}).to_string() + "\n"
}

#[test]
fn content_of_any_length_arrives_whole_however_the_body_is_cut() {
    let short = b"print('hello')".to_vec();
    let long: Vec<u8> = (0..INLINE_CONTENT * 2 + 1).map(|n| (n * 31 % 251) as u8).collect();
    let body = header() + &file("app.py", &short) + &file("big.bin", &long) + &file("empty", b"");
    for piece in [1, 7, 4096, body.len()] {
        let commit = read(&body, piece).unwrap();
        assert_eq!((commit.summary.as_str(), commit.description.as_str()), ("a message", "more"));
        let contents: Vec<_> = commit
            .changes
            .iter()
            .map(|change| match change {
                FileChange::Put { path, content } => (path.as_str(), content.as_ref()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(contents, [("app.py", &short[..]), ("big.bin", &long[..]), ("empty", &b""[..])]);
    }
}

#[test]
fn content_may_come_with_escaped_slashes_and_without_padding() {
    let bytes = vec![0xffu8; INLINE_CONTENT + 1];
    let text = BASE64_STANDARD.encode(&bytes).trim_end_matches('=').replace('/', "\\/");
    let body = header() + &format!("{{\"value\":{{\"path\":\"x\", \"content\" : \"{text}\"}},\"key\":\"file\"}}");
    let commit = read(&body, 100).unwrap();
    assert!(matches!(&commit.changes[..], [FileChange::Put { content, .. }] if content[..] == bytes));
}

#[test]
fn deletions_and_the_expected_parent_are_read() {
    let parent = "0123456789abcdef0123456789abcdef01234567";
    let body = json!({"key": "header", "value": {"summary": "s", "parentCommit": parent}}).to_string()
        + "\n{\"key\":\"deletedFile\",\"value\":{\"path\":\"x\"}}\n\n{\"key\":\"deletedFolder\",\"value\":{\"path\":\"dir/\"}}\n";
    let commit = read(&body, 11).unwrap();
    assert_eq!(commit.parent, Some(parent.to_owned().try_into().unwrap()));
    assert_eq!(
        commit.changes,
        [FileChange::Delete { path: "x".into() }, FileChange::DeleteFolder { path: "dir/".into() }]
    );
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let long = "x".repeat(INLINE_CONTENT + 1);
    for (line, expected) in [
        ("{not json".to_owned(), "Line 2"),
        (json!({"key": "lfsFile", "value": {"path": "m.bin"}}).to_string(), "oid"),
        (
            json!({"key": "lfsFile", "value": {"path": "m.bin", "oid": "0".repeat(64), "algo": "md5"}}).to_string(),
            "sha256",
        ),
        (json!({"key": "rename", "value": {}}).to_string(), "rename"),
        (json!({"key": "file", "value": {"content": "!!!", "path": "x"}}).to_string(), "base64"),
        (json!({"key": "file", "value": {"content": "QQ==QQ==", "path": "x"}}).to_string(), "base64"),
        (json!({"key": "file", "value": {"content": "QQ=="}}).to_string(), "path"),
        (json!({"key": "file", "value": {"content": "", "path": long}}).to_string(), "only a file's content"),
        (json!({"key": "file", "value": {"content": long, "path": "x", "encoding": "utf-8"}}).to_string(), "base64"),
        (
            json!({"key": "file", "value": {"content": format!("QQ=={}", "A".repeat(INLINE_CONTENT)), "path": "x"}})
                .to_string(),
            "padding",
        ),
    ] {
        let text = message(read(&(header() + &line + "\n"), 50));
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(message(read("", 1)).contains("header"));
    let bracket = "[".repeat(MAX_LINE + 1);
    assert!(message(read(&bracket, 4096)).contains("longer"));
}
