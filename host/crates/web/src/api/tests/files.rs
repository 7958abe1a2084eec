use axum::body::Body;
use axum::http::{Method, Request};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::testing::{Answer, TestHub};

async fn fetch(hub: &TestHub, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("/spaces/ada/page{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    hub.send(request.body(Body::empty()).unwrap()).await
}

async fn page(files: &[(&str, &str)]) -> (TestHub, String) {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let head = hub.commit("page", files).await.expect(200).json()["commitOid"].as_str().unwrap().to_owned();
    (hub, head)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_told_with_all_that_a_cache_needs() {
    let (hub, head) = page(&[("a/b.txt", "hello\n")]).await;
    for (method, body) in [(Method::GET, "hello\n"), (Method::HEAD, "")] {
        for revision in ["main", "HEAD", head.as_str()] {
            let answer = fetch(&hub, method.clone(), &format!("/resolve/{revision}/a/b.txt"), &[]).await.expect(200);
            assert_eq!(answer.text(), body);
            assert_eq!(answer.header("x-repo-commit"), Some(head.as_str()));
            assert_eq!(answer.header("etag"), Some("\"ce013625030ba8dba906f756967f9e9ca394464a\""));
            assert_eq!(answer.header("content-length"), Some("6"));
        }
    }
    assert_eq!(fetch(&hub, Method::GET, "/raw/main/a/b.txt", &[]).await.expect(200).text(), "hello\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_known_files_are_answered_as_such() {
    let (hub, _) = page(&[("b.txt", "0123456789")]).await;
    let get = async |headers: &[(&str, &str)]| fetch(&hub, Method::GET, "/resolve/main/b.txt", headers).await;
    let part = get(&[("range", "bytes=2-4")]).await.expect(206);
    assert_eq!((part.text(), part.header("content-range")), ("234", Some("bytes 2-4/10")));
    let past = get(&[("range", "bytes=10-")]).await.expect(416);
    assert_eq!(past.header("content-range"), Some("bytes */10"));
    let etag = get(&[]).await.header("etag").unwrap().to_owned();
    get(&[("if-none-match", &etag)]).await.expect(304);
    get(&[("range", "bytes=2-4"), ("if-range", &etag)]).await.expect(206);
    get(&[("range", "bytes=2-4"), ("if-range", "\"other\"")]).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_and_its_parts_are_answered_byte_by_byte() {
    let content: String = (0..3 << 20).map(|n| char::from(b'a' + (n % 23) as u8)).collect();
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    // As base64, since a longer text must be.
    let line = json!({ "key": "file", "value": { "path": "big.txt", "content": BASE64_STANDARD.encode(&content) } });
    let request = Request::post("/api/spaces/ada/page/commit/main")
        .header("authorization", format!("Bearer {}", hub.ada))
        .body(Body::from(format!("{{\"key\":\"header\",\"value\":{{\"summary\":\"s\"}}}}\n{line}\n")))
        .unwrap();
    hub.send(request).await.expect(200);
    let whole = fetch(&hub, Method::GET, "/resolve/main/big.txt", &[]).await.expect(200);
    assert_eq!(whole.header("content-length"), Some("3145728"));
    assert_eq!(whole.body, content.as_bytes());
    let part =
        fetch(&hub, Method::GET, "/resolve/main/big.txt", &[("range", "bytes=2000000-2000009")]).await.expect(206);
    assert_eq!(part.text(), &content[2_000_000..2_000_010]);
    let head = fetch(&hub, Method::HEAD, "/resolve/main/big.txt", &[]).await.expect(200);
    assert_eq!((head.header("content-length"), head.body.len()), (Some("3145728"), 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_missing_in_the_words_of_the_clients() {
    let (hub, head) = page(&[]).await;
    let file = fetch(&hub, Method::HEAD, "/resolve/main/nope.txt", &[]).await;
    assert_eq!((file.refusal(), file.header("x-repo-commit")), ((404, "EntryNotFound"), Some(head.as_str())));
    assert_eq!(fetch(&hub, Method::GET, "/resolve/nope/README.md", &[]).await.refusal(), (404, "RevisionNotFound"));
    for path in ["/tree/main/nope", "/tree/main/index.html"] {
        assert_eq!(hub.get(&format!("/api/spaces/ada/page{path}")).await.refusal(), (404, "EntryNotFound"), "{path}");
    }
    // An encoded slash stays within the revision.
    let revision = hub.get("/api/spaces/ada/page/revision/refs%2Fpr%2F1").await;
    assert_eq!(revision.refusal(), (404, "RevisionNotFound"));
    assert!(revision.json()["error"].as_str().unwrap().contains("refs/pr/1"));
    assert_eq!(hub.get("/api/spaces/ada/page/revision/main").await.expect(200).json()["sha"], head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_space_never_runs_as_a_page_of_the_hub() {
    let (hub, _) = page(&[("x.html", "<script>alert(1)</script>"), ("x.svg", "<svg/>")]).await;
    for name in ["x.html", "x.svg"] {
        let answer = fetch(&hub, Method::GET, &format!("/resolve/main/{name}"), &[]).await.expect(200);
        let content_type = answer.header("content-type").unwrap();
        assert!(["text/plain; charset=utf-8", "application/octet-stream"].contains(&content_type), "{content_type}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert!(answer.header("content-security-policy").unwrap().contains("sandbox"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_are_listed_flat_and_deep() {
    let (hub, _) = page(&[("a/b/c.txt", "hello\n"), ("a/d e.txt", "x")]).await;
    let list = async |path: &str| hub.get(&format!("/api/spaces/ada/page/tree/main{path}")).await.expect(200).json();
    let paths = |value: &Value| {
        value.as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let root = list("").await;
    assert_eq!(paths(&root), [".gitattributes", "README.md", "a", "index.html", "style.css"]);
    assert_eq!((&root[2]["type"], &root[2]["size"]), (&json!("directory"), &json!(0)));
    assert_eq!(root[2]["oid"].as_str().unwrap().len(), 40);
    assert_eq!(paths(&list("/a").await), ["a/b", "a/d e.txt"]);
    assert_eq!(paths(&list("/a%2Fb?recursive=true").await), ["a/b/c.txt"]);
    let deep = list("?recursive=True").await;
    assert!(paths(&deep).contains(&"a/b/c.txt".to_owned()));

    for body in [
        "paths=a&paths=a%2Fb%2Fc.txt&paths=nope&expand=false",
        "{\"paths\":[\"a\",\"a/b/c.txt\",\"nope\"],\"expand\":false}",
    ] {
        let content_type = if body.starts_with('{') { "application/json" } else { "application/x-www-form-urlencoded" };
        let request = Request::post("/api/spaces/ada/page/paths-info/main")
            .header("content-type", content_type)
            .body(Body::from(body))
            .unwrap();
        let answer = hub.send(request).await.expect(200).json();
        assert_eq!(paths(&answer), ["a", "a/b/c.txt"]);
        assert_eq!(answer[1]["size"], 6);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_folders_come_in_pages_whose_addresses_are_absolute() {
    let names: Vec<String> = (0..1005).map(|n| format!("d/{n:04}")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let (hub, _) = page(&files).await;
    let first = hub.get("/api/spaces/ada/page/tree/main/d").await.expect(200);
    assert_eq!(first.json().as_array().unwrap().len(), 1000);
    let link = first.header("link").unwrap();
    let next = link.strip_prefix("<http://hub.test").unwrap().split('>').next().unwrap();
    let second = hub.get(next).await.expect(200);
    assert_eq!((second.json().as_array().unwrap().len(), second.header("link")), (5, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn refs_name_the_branch_and_its_head() {
    let (hub, head) = page(&[]).await;
    let refs = hub.get("/api/spaces/ada/page/refs?include_prs=1").await.expect(200).json();
    let main = json!({ "name": "main", "ref": "refs/heads/main", "targetCommit": head });
    assert_eq!(refs, json!({ "branches": [main], "converts": [], "tags": [], "pullRequests": [] }));
}
