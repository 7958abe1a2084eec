//! Cloning and fetching: what comes is what is there, to those who may see it.

use std::path::Path;

use http::{Method, Request, header};
use serde_json::json;

use super::harness::GitHub;

#[tokio::test(flavor = "multi_thread")]
async fn every_version_of_the_protocol_clones() {
    let git = GitHub::start().await;
    git.hub.create("site", "static").await;
    git.hub.commit("site", &[("index.html", "hello")]).await.expect(200);
    for version in ["0", "1", "2"] {
        for suffix in ["", ".git"] {
            let clone = git.folder(&format!("clone-{version}{suffix}"));
            let (setting, url) = (format!("protocol.version={version}"), git.public_url("site") + suffix);
            let args = ["-c", &setting, "clone", "--quiet", &url, clone.to_str().unwrap()];
            git.git(Path::new("/"), &args).await.ok();
            assert_eq!(std::fs::read_to_string(clone.join("index.html")).unwrap(), "hello");
            git.git(&clone, &["fsck", "--strict"]).await.ok();
            let branch = git.git(&clone, &["branch", "--show-current"]).await.ok();
            assert_eq!(branch.trim(), "main");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_brings_what_is_new() {
    let (git, clone) = GitHub::with_clone("site").await;
    git.hub.commit("site", &[("new.txt", "new")]).await.expect(200);
    git.git(&clone, &["pull", "--quiet"]).await.ok();
    assert_eq!(std::fs::read_to_string(clone.join("new.txt")).unwrap(), "new");
    // Many refs on both sides make a request that git packs with gzip.
    for number in 0..60 {
        git.git(&clone, &["tag", &format!("t{number}")]).await.ok();
        // Each younger than what both sides have, so that all of them are offered before that is found.
        let date = format!("{} +0000", 4_000_000_000_u64 + number);
        let commit = ["commit", "--quiet", "--allow-empty", "-m", &number.to_string()];
        git.git_with(&clone, &[("GIT_COMMITTER_DATE", &date)], &commit).await.ok();
    }
    git.hub.commit("site", &[("newer.txt", "newer")]).await.expect(200);
    let fetched = git.git_with(&clone, &[("GIT_TRACE_CURL", "1")], &["fetch", "origin"]).await.ok();
    assert!(fetched.to_lowercase().contains("content-encoding: gzip"), "{fetched}");
    git.git(&clone, &["cat-file", "-e", "origin/main:newer.txt"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn shallow_and_partial_clones_have_less_and_can_get_the_rest() {
    let git = GitHub::start().await;
    git.hub.create("site", "static").await;
    for round in 0..3 {
        git.hub.commit("site", &[("index.html", &format!("round {round}"))]).await.expect(200);
    }
    let url = git.public_url("site");
    let shallow = git.folder("shallow");
    git.git(Path::new("/"), &["clone", "--quiet", "--depth=1", &url, shallow.to_str().unwrap()]).await.ok();
    assert_eq!(git.git(&shallow, &["rev-list", "--count", "HEAD"]).await.ok().trim(), "1");
    git.git(&shallow, &["fetch", "--quiet", "--unshallow"]).await.ok();
    assert_eq!(git.git(&shallow, &["rev-list", "--count", "HEAD"]).await.ok().trim(), "4");

    let partial = git.folder("partial");
    let args = ["clone", "--quiet", "--no-checkout", "--filter=blob:none", &url, partial.to_str().unwrap()];
    git.git(Path::new("/"), &args).await.ok();
    let missing = git.git(&partial, &["rev-list", "--objects", "--all", "--missing=print"]).await.ok();
    assert!(missing.lines().filter(|line| line.starts_with('?')).count() >= 3, "{missing}");
    let old = git.git(&partial, &["show", "HEAD~1:index.html"]).await.ok();
    assert_eq!(old, "round 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_see_a_space_is_told_nothing_of_it() {
    let git = GitHub::start().await;
    git.hub.create("secret", "static").await;
    let private = Some(json!({ "visibility": "private" }));
    git.hub.call(Method::PUT, "/api/spaces/ada/secret/settings", private).await.expect(200);
    let refs = |path: &str, token: Option<&str>| {
        let mut request = Request::get(format!("{path}/info/refs?service=git-upload-pack"));
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        git.hub.send(request.body(axum::body::Body::empty()).unwrap())
    };
    for path in ["/spaces/ada/secret", "/spaces/ada/missing", "/spaces/ada/secret.git"] {
        let nobody = refs(path, None).await;
        assert_eq!(nobody.refusal(), (401, "RepoNotFound"), "{path}");
        assert!(nobody.header("www-authenticate").unwrap().starts_with("Basic "), "{path}");
        let stranger = refs(path, Some(&git.hub.bob)).await;
        assert_eq!(stranger.refusal(), (404, "RepoNotFound"), "{path}");
        assert!(stranger.header("www-authenticate").is_none() && stranger.text().contains("not found"), "{path}");
    }
    refs("/spaces/ada/secret", Some(&git.hub.ada)).await.expect(200);
    let wrong = refs("/spaces/ada/secret", Some("sp_wrong")).await;
    assert_eq!((wrong.status.as_u16(), wrong.header("www-authenticate").is_some()), (401, true));
    let args = ["ls-remote", &git.public_url("secret")];
    git.git(Path::new("/"), &args).await.refused(&["could not read Username"]);
    git.git(Path::new("/"), &["ls-remote", &git.url("secret")]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_no_gits_are_refused() {
    let git = GitHub::start().await;
    git.hub.create("site", "static").await;
    git.hub.get("/spaces/ada/site/info/refs").await.expect(403);
    git.hub.get("/spaces/ada/site/info/refs?service=git-shell").await.expect(403);
    let post = |service: &str, content_type: &str, body: &[u8]| {
        let request = Request::post(format!("/spaces/ada/site/{service}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", git.hub.ada))
            .header(header::CONTENT_TYPE, content_type);
        git.hub.send(request.body(axum::body::Body::from(body.to_vec())).unwrap())
    };
    post("git-receive-pack", "application/x-www-form-urlencoded", b"0000").await.expect(415);
    let request = "application/x-git-receive-pack-request";
    assert!(post("git-receive-pack", request, b"0000").await.expect(200).body.is_empty());
    post("git-receive-pack", request, b"zzzz").await.expect(400);
    let nonsense = post("git-upload-pack", "application/x-git-upload-pack-request", b"0009nope!").await.expect(200);
    assert!(!nonsense.text().contains("PACK"), "{}", nonsense.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_unpacks_to_too_much_is_cut() {
    use tokio::io::AsyncWriteExt;
    let git = GitHub::start().await;
    git.hub.create("site", "static").await;
    // Lines that git reads to their end, forty megabytes of them in some kilobytes.
    let line = format!("0032want {}\n", "1".repeat(40));
    let mut packed = async_compression::tokio::write::GzipEncoder::new(Vec::new());
    packed.write_all(line.repeat(800_000).as_bytes()).await.unwrap();
    packed.shutdown().await.unwrap();
    let packed = packed.into_inner();
    assert!(packed.len() < 1 << 20);
    let request = Request::post("/spaces/ada/site/git-upload-pack")
        .header(header::CONTENT_TYPE, "application/x-git-upload-pack-request")
        .header(header::CONTENT_ENCODING, "gzip")
        .body(axum::body::Body::from(packed));
    let answer = git.hub.send(request.unwrap()).await.expect(200);
    assert!(!answer.text().contains("PACK"), "{}", answer.text());
    git.git(Path::new("/"), &["ls-remote", &git.public_url("site")]).await.ok();
}
