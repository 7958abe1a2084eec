//! Large files: by the real git-lfs, and as the clients of the Hub send them.

use std::path::{Path, PathBuf};

use axum::body::Body;
use http::{Method, Request, header};
use serde_json::{Value, json};
use spaceport_control::service::LFS_PART;

use super::harness::GitHub;
use crate::testing::Answer;

/// What `sha256sum` says of these words.
const HELLO: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

async fn with_lfs(name: &str) -> (GitHub, PathBuf) {
    let (git, clone) = GitHub::with_clone(name).await;
    git.git(&clone, &["lfs", "install", "--local"]).await.ok();
    git.git(&clone, &["lfs", "track", "*.bin"]).await.ok();
    (git, clone)
}

fn content(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 % 251) as u8).collect()
}

async fn batch(git: &GitHub, token: Option<&str>, space: &str, body: Value) -> Answer {
    let mut request = Request::post(format!("/spaces/{space}.git/info/lfs/objects/batch"))
        .header(header::HOST, "hub.test")
        .header(header::CONTENT_TYPE, "application/vnd.git-lfs+json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    git.hub.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn upload_of(oid: &str, size: u64) -> Value {
    json!({ "operation": "upload", "transfers": ["basic", "multipart"], "objects": [{ "oid": oid, "size": size }] })
}

/// What the address of an action is asked for, without a token.
async fn at(git: &GitHub, method: Method, href: &Value, body: Vec<u8>) -> Answer {
    let path = href.as_str().unwrap().strip_prefix("http://hub.test").unwrap();
    git.hub.send(Request::builder().method(method).uri(path).body(Body::from(body)).unwrap()).await
}

async fn send_hello(git: &GitHub, space: &str, token: &str) {
    let answer = batch(git, Some(token), space, upload_of(HELLO, 5)).await.expect(200).json();
    let href = &answer["objects"][0]["actions"]["upload"]["href"];
    at(git, Method::PUT, href, b"hello".to_vec()).await.expect(200);
}

fn lfs_line(path: &str) -> String {
    json!({ "key": "lfsFile", "value": { "path": path, "algo": "sha256", "oid": HELLO, "size": 5 } }).to_string()
}

async fn commit_lines(git: &GitHub, name: &str, lines: &[String]) -> Answer {
    let header = json!({ "key": "header", "value": { "summary": "large" } }).to_string();
    let body = [&[header], lines].concat().join("\n");
    let request = Request::post(format!("/api/spaces/ada/{name}/commit/main"))
        .header(header::AUTHORIZATION, format!("Bearer {}", git.hub.ada));
    git.hub.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn git_lfs_pushes_and_a_clone_has_the_file() {
    let (git, clone) = with_lfs("site").await;
    let large = content(11 << 20);
    let head = git.commit(&clone, "model.bin", &large).await;
    let said = git.push(&clone, &["main"]).await.ok();
    assert!(said.contains("Uploading LFS objects: 100% (1/1)"), "{said}");
    // What is served is the file and not its pointer, without a second copy on disk.
    git.hub.reaches("site", "RUNNING").await;
    assert_eq!(git.hub.get("/api/spaces/ada/site/runtime").await.json()["sha"], head);
    let space = std::fs::read_dir(git.hub.data().join("checkouts")).unwrap().map(Result::unwrap);
    let checkout = space.map(|entry| entry.path().join(&head)).find(|path| path.is_dir()).unwrap();
    assert!(std::fs::read(checkout.join("model.bin")).unwrap() == large);

    git.git(Path::new("/"), &["lfs", "install", "--skip-repo"]).await.ok();
    let second = git.folder("second");
    git.git(Path::new("/"), &["clone", &git.public_url("site"), second.to_str().unwrap()]).await.ok();
    assert!(std::fs::read(second.join("model.bin")).unwrap() == large);

    // A second push of the same content sends nothing.
    std::fs::copy(clone.join("model.bin"), clone.join("copy.bin")).unwrap();
    git.commit(&clone, "small.txt", "small").await;
    let said = git.push(&clone, &["main"]).await.ok();
    assert!(!said.contains("Uploading LFS objects: 100% (1/1), 11"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_of_pointers_alone_is_refused() {
    let (git, clone) = with_lfs("site").await;
    let before = git.head("site", "main").await;
    git.commit(&clone, "model.bin", content(2000)).await;
    let words =
        ["pre-receive hook declined", "1 large files that were not sent", "- model.bin (", "git lfs push --all"];
    git.git_with(&clone, &[("GIT_LFS_SKIP_PUSH", "1")], &["push", "origin", "main"]).await.refused(&words);
    assert_eq!(git.head("site", "main").await, before);
    git.git(&clone, &["lfs", "push", "--all", "origin"]).await.ok();
    git.git_with(&clone, &[("GIT_LFS_SKIP_PUSH", "1")], &["push", "origin", "main"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_told_of_and_read_as_what_its_pointer_stands_for() {
    let git = GitHub::start().await;
    git.hub.create("site", "static").await;
    let ada = git.hub.ada.clone();
    commit_lines(&git, "site", &[lfs_line("a/model.bin")]).await.expect(400);
    send_hello(&git, "ada/site", &ada).await;
    commit_lines(&git, "site", &[lfs_line("a/model.bin")]).await.expect(200);
    let again = batch(&git, Some(&ada), "ada/site", upload_of(HELLO, 5)).await.expect(200).json();
    assert_eq!(again["objects"][0], json!({ "oid": HELLO, "size": 5 }), "it is there, so there is nothing to do");

    let tree = git.hub.get("/api/spaces/ada/site/tree/main/a").await.json();
    assert_eq!(tree[0]["lfs"], json!({ "oid": HELLO, "size": 5, "pointerSize": 126 }), "{tree}");
    assert_eq!(tree[0]["size"], 5);
    let form = Request::post("/api/spaces/ada/site/paths-info/main").body(Body::from("paths=a%2Fmodel.bin"));
    let info = git.hub.send(form.unwrap()).await.json();
    assert_eq!(info[0]["lfs"]["oid"], HELLO);
    let info = git.hub.get("/api/spaces/ada/site?blobs=true").await.json();
    let sibling = info["siblings"].as_array().unwrap().iter().find(|file| file["rfilename"] == "a/model.bin").unwrap();
    assert_eq!(sibling["lfs"], json!({ "sha256": HELLO, "size": 5, "pointerSize": 126 }), "{sibling}");
    for method in [Method::GET, Method::HEAD] {
        let file = git.hub.call(method.clone(), "/spaces/ada/site/resolve/main/a/model.bin", None).await.expect(200);
        let quoted = format!("\"{HELLO}\"");
        assert_eq!((file.header("x-linked-etag"), file.header("etag")), (Some(&*quoted), Some(&*quoted)));
        assert_eq!((file.header("x-linked-size"), file.header("content-length")), (Some("5"), Some("5")));
        assert_eq!(file.body, if method == Method::GET { "hello" } else { "" });
    }
    let request = Request::get("/spaces/ada/site/resolve/main/a/model.bin").header(header::RANGE, "bytes=1-3");
    let part = git.hub.send(request.body(Body::empty()).unwrap()).await.expect(206);
    assert_eq!((part.text(), part.header("content-range")), ("ell", Some("bytes 1-3/5")));
    let raw = git.hub.get("/spaces/ada/site/raw/main/a/model.bin").await;
    assert!(raw.text().starts_with("version https://git-lfs"), "{raw:?}");
    // Clients of git learn that it is a large file.
    let attributes = git.hub.get("/spaces/ada/site/raw/main/.gitattributes").await;
    assert!(attributes.text().ends_with("/a/model.bin filter=lfs diff=lfs merge=lfs -text\n"), "{attributes:?}");
    git.git(Path::new("/"), &["lfs", "install", "--skip-repo"]).await.ok();
    let clone = git.folder("clone");
    git.git(Path::new("/"), &["clone", &git.public_url("site"), clone.to_str().unwrap()]).await.ok();
    assert_eq!(std::fs::read_to_string(clone.join("a/model.bin")).unwrap(), "hello");
    assert_eq!(git.git(&clone, &["status", "--porcelain"]).await.ok(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_has_only_what_was_sent_to_it() {
    let git = GitHub::start().await;
    for name in ["one", "two"] {
        git.hub.create(name, "static").await;
    }
    let ada = git.hub.ada.clone();
    send_hello(&git, "ada/one", &ada).await;
    let download = json!({ "operation": "download", "objects": [{ "oid": HELLO, "size": 5 }] });
    // Knowing the hash gives nobody the file, and uploading it means sending it.
    let other = batch(&git, Some(&ada), "ada/two", download.clone()).await.expect(200).json();
    assert_eq!(other["objects"][0]["error"]["code"], 404, "{other}");
    let other = batch(&git, Some(&ada), "ada/two", upload_of(HELLO, 5)).await.expect(200).json();
    let href = other["objects"][0]["actions"]["upload"]["href"].clone();
    let verify = other["objects"][0]["actions"]["verify"]["href"].clone();
    at(&git, Method::PUT, &href, b"olleh".to_vec()).await.expect(400);
    at(&git, Method::POST, &verify, Vec::new()).await.expect(422);
    at(&git, Method::PUT, &href, b"hello!".to_vec()).await.expect(400);
    let still = batch(&git, Some(&ada), "ada/two", download.clone()).await.expect(200).json();
    assert_eq!(still["objects"][0]["error"]["code"], 404);
    at(&git, Method::PUT, &href, b"hello".to_vec()).await.expect(200);
    at(&git, Method::POST, &verify, Vec::new()).await.expect(200);
    let own = batch(&git, None, "ada/one", download.clone()).await.expect(200).json();
    let href = own["objects"][0]["actions"]["download"]["href"].clone();
    assert_eq!(at(&git, Method::GET, &href, Vec::new()).await.expect(200).text(), "hello");
    at(&git, Method::PUT, &href, b"hello".to_vec()).await.expect(405);
    let forged = href.as_str().unwrap().replace(".5.", ".6.");
    at(&git, Method::GET, &json!(forged), Vec::new()).await.expect(403);
    let other = href.as_str().unwrap().replacen(HELLO, &"0".repeat(64), 1);
    at(&git, Method::GET, &json!(other), Vec::new()).await.expect(404);

    let private = Some(json!({ "visibility": "private" }));
    git.hub.call(Method::PUT, "/api/spaces/ada/one/settings", private).await.expect(200);
    let nobody = batch(&git, None, "ada/one", download.clone()).await;
    assert_eq!(nobody.refusal(), (401, "RepoNotFound"));
    assert!(nobody.header("lfs-authenticate").is_some() && nobody.json()["message"].is_string(), "{nobody:?}");
    assert_eq!(batch(&git, Some(&git.hub.bob), "ada/one", download).await.refusal(), (404, "RepoNotFound"));
    let stranger = batch(&git, Some(&git.hub.bob), "ada/two", upload_of(HELLO, 5)).await;
    assert_eq!(stranger.refusal(), (403, "Forbidden"));
    git.hub.post("/spaces/ada/one.git/info/lfs/locks/verify", json!({})).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_in_parts_that_can_be_sent_again() {
    let git = GitHub::start().await;
    git.hub.create("site", "static").await;
    let ada = git.hub.ada.clone();
    let size = LFS_PART + 5;
    let whole = [vec![0; LFS_PART as usize], b"hello".to_vec()].concat();
    let oid = sha256(&git, &whole).await;
    let answer = batch(&git, Some(&ada), "ada/site", upload_of(&oid, size)).await.expect(200).json();
    assert_eq!(answer["transfer"], "multipart");
    let upload = answer["objects"][0]["actions"]["upload"].clone();
    assert_eq!(upload["header"]["chunk_size"], LFS_PART.to_string());
    assert_eq!(upload["header"].as_object().unwrap().len(), 3, "{upload}");
    at(&git, Method::POST, &upload["href"], Vec::new()).await.expect(400);
    let last = at(&git, Method::PUT, &upload["header"]["2"], b"hellO".to_vec()).await.expect(200);
    assert!(last.header("etag").is_some_and(|etag| etag.len() == 10), "{last:?}");
    at(&git, Method::PUT, &upload["header"]["1"], vec![0; LFS_PART as usize]).await.expect(200);
    let wrong = at(&git, Method::POST, &upload["href"], Vec::new()).await.expect(400);
    assert!(wrong.text().contains("SHA-256"), "{wrong:?}");
    at(&git, Method::PUT, &upload["header"]["2"], b"hello".to_vec()).await.expect(200);
    for _ in 0..2 {
        let body = json!({ "oid": oid, "parts": [{ "partNumber": 1, "etag": "x" }, { "partNumber": 2, "etag": "y" }] });
        at(&git, Method::POST, &upload["href"], body.to_string().into_bytes()).await.expect(200);
    }
    let download = json!({ "operation": "download", "objects": [{ "oid": oid, "size": size }] });
    let answer = batch(&git, None, "ada/site", download).await.expect(200).json();
    let path = answer["objects"][0]["actions"]["download"]["href"].as_str().unwrap().to_owned();
    let request = Request::get(path.strip_prefix("http://hub.test").unwrap())
        .header(header::RANGE, format!("bytes={}-", LFS_PART - 1))
        .body(Body::empty());
    assert_eq!(git.hub.send(request.unwrap()).await.expect(206).body, "\0hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_with_the_last_space_that_has_them() {
    let git = GitHub::start().await;
    let ada = git.hub.ada.clone();
    for name in ["one", "two"] {
        git.hub.create(name, "static").await;
        send_hello(&git, &format!("ada/{name}"), &ada).await;
    }
    let file = git.hub.data().join("lfs/objects").join(&HELLO[..2]).join(HELLO);
    assert_eq!(std::fs::read(&file).unwrap(), b"hello");
    let delete = |name: &str| {
        let body = json!({ "name": name, "organization": null, "type": "space" });
        git.hub.call(Method::DELETE, "/api/repos/delete", Some(body))
    };
    delete("one").await.expect(200);
    let download = json!({ "operation": "download", "objects": [{ "oid": HELLO, "size": 5 }] });
    let there = batch(&git, Some(&ada), "ada/two", download).await.expect(200).json();
    assert!(there["objects"][0]["actions"].is_object(), "{there}");
    delete("two").await.expect(200);
    let gone = async {
        while file.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), gone).await.expect("nobody has it any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_too_large_for_a_commit_are_sent_by_themselves() {
    let git = GitHub::start().await;
    git.hub.create("site", "static").await;
    let ada = git.hub.ada.clone();
    send_hello(&git, "ada/site", &ada).await;
    commit_lines(&git, "site", &[lfs_line("big.bin")]).await.expect(200);
    let ask = json!({ "files": [
        { "path": "small.bin", "size": 100 << 20, "sample": "" },
        { "path": "big.bin", "size": 200u64 << 20, "sample": "" },
        { "path": "index.html", "size": 10 },
    ] });
    let answer = git.hub.post("/api/spaces/ada/site/preupload/main", ask).await.expect(200);
    let plan = answer.json();
    let modes: Vec<&str> =
        plan["files"].as_array().unwrap().iter().map(|file| file["uploadMode"].as_str().unwrap()).collect();
    assert_eq!(modes, ["regular", "lfs", "regular"]);
    assert_eq!(plan["files"][1]["oid"], HELLO, "so that a client leaves out what is the same");
    let warning = |answer: &Answer| answer.header("x-hf-warning").map(str::to_owned);
    assert!(warning(&answer).unwrap().contains("HF_HUB_DISABLE_XET=1"), "{answer:?}");
    let small = git.hub.post("/api/spaces/ada/site/preupload/main", json!({ "files": [{ "path": "a", "size": 1 }] }));
    assert_eq!(warning(&small.await.expect(200)), None);
    // The native client shows the address of what was refused, and nothing of the refusal.
    let led = git.hub.get("/api/spaces/ada/site/xet-write-token/main").await.expect(307);
    let refused = git.hub.get(led.header("location").unwrap()).await;
    assert_eq!(refused.refusal(), (400, "XetNotOffered"));
    assert!(refused.text().contains("HF_HUB_DISABLE_XET=1"), "{refused:?}");
    assert!(led.header("location").unwrap().contains("HF_HUB_DISABLE_XET=1"), "{led:?}");
}

/// The hash of a content, by the program that people use.
async fn sha256(git: &GitHub, content: &[u8]) -> String {
    let file = git.folder("hashed");
    std::fs::write(&file, content).unwrap();
    #[expect(clippy::disallowed_methods, reason = "an independent word on what a hash is")]
    let output = tokio::process::Command::new("sha256sum").arg(&file).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_that_a_space_keeps_are_listed() {
    let git = GitHub::start().await;
    git.hub.create("site", "static").await;
    let ada = git.hub.ada.clone();
    assert_eq!(git.hub.get("/api/spaces/ada/site/lfs-files").await.expect(200).json(), json!([]));
    send_hello(&git, "ada/site", &ada).await;
    let listed = git.hub.get("/api/spaces/ada/site/lfs-files").await.expect(200).json();
    assert_eq!((&listed[0]["filename"], &listed[0]["ref"]), (&json!(HELLO), &Value::Null));
    commit_lines(&git, "site", &[lfs_line("a/model.bin")]).await.expect(200);
    let listed = git.hub.get("/api/spaces/ada/site/lfs-files").await.expect(200).json();
    let file = &listed[0];
    assert_eq!((&file["filename"], &file["ref"]), (&json!("a/model.bin"), &json!("refs/heads/main")));
    assert_eq!((&file["oid"], &file["fileOid"], &file["size"]), (&json!(HELLO), &json!(HELLO), &json!(5)));
    git.hub.send(Request::get("/api/spaces/ada/site/lfs-files").body(Body::empty()).unwrap()).await.expect(401);
    let deletion = json!({ "deletions": { "sha": [HELLO], "rewriteHistory": true } });
    let refused = git.hub.post("/api/spaces/ada/site/lfs-files/batch", deletion).await.expect(400);
    assert!(refused.text().contains("older revisions"), "{}", refused.text());
}
