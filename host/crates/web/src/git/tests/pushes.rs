//! Pushing: what was accepted is served, what was refused changed nothing and says why.

use std::path::Path;

use http::{Method, Request, header};

use super::harness::GitHub;
use crate::testing::request;

/// Files in a repository that would tell of a push that is not over.
fn leftovers(repositories: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![repositories.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.starts_with("incoming-") || name.starts_with("tmp_") || name.ends_with(".lock") {
                found.push(name);
            } else if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    found
}

async fn nothing_is_left(git: &GitHub) {
    let repositories = git.hub.data().join("repos");
    let gone = async {
        while !leftovers(&repositories).is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(std::time::Duration::from_secs(10), gone).await;
    assert!(waited.is_ok(), "{:?}", leftovers(&repositories));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_built_and_says_where_it_is_seen() {
    let (git, clone) = GitHub::with_clone("site").await;
    git.hub.reaches("site", "RUNNING").await;
    let _held = git.hub.hold_builds();
    let pushed = git.commit(&clone, "index.html", "pushed").await;
    let said = git.push(&clone, &["main"]).await.ok();
    for words in ["remote:   Space: http://hub.test/spaces/ada/site", "ada-site.static.spaces.test", "is being built"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // As after a commit of the API: whoever asks now is not told that the old revision is the new one.
    let runtime = git.hub.get("/api/spaces/ada/site/runtime").await.json();
    assert_ne!(runtime["stage"], "RUNNING", "{runtime}");
    drop(_held);
    git.hub.reaches("site", "RUNNING").await;
    assert_eq!(git.hub.get("/api/spaces/ada/site/runtime").await.json()["sha"], pushed);
    assert_eq!(git.hub.get("/spaces/ada/site/resolve/main/index.html").await.text(), "pushed");
    nothing_is_left(&git).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_beyond_the_owners_quota_is_refused_in_words_and_one_within_it_is_told_of() {
    let (git, clone) = GitHub::with_clone("site").await;
    let root = git.hub.administrator("root").await;
    let quota = |bytes: u64| {
        let body = serde_json::json!({ "storageBytes": bytes });
        request(Method::PUT, "/api/admin/quotas/ada", Some(&root), Some(body))
    };
    git.hub.send(quota(1 << 20)).await.expect(200);
    // What does not compress.
    let noise: Vec<u8> = (0..2 << 20).map(|_| rand::random()).collect();
    git.commit(&clone, "noise.bin", &noise).await;
    let before = git.hub.get("/api/spaces/ada/site").await.json()["sha"].clone();
    git.push(&clone, &["main"]).await.refused(&["quota", "repositories", "1048576"]);
    assert_eq!(git.hub.get("/api/spaces/ada/site").await.json()["sha"], before);
    nothing_is_left(&git).await;

    git.hub.send(quota(8 << 20)).await.expect(200);
    git.push(&clone, &["main"]).await.ok();
    let log = request(Method::GET, "/api/admin/audit?space=ada/site&limit=1", Some(&root), None);
    let entry = git.hub.send(log).await.expect(200).json()["items"][0].clone();
    assert_eq!((&entry["action"], &entry["actor"]["name"]), (&"repository.push".into(), &"ada".into()), "{entry}");
    assert_eq!(entry["detail"]["refs"], "refs/heads/main");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_signs_in_by_name_and_password_or_by_token() {
    let (git, clone) = GitHub::with_clone("site").await;
    git.hub.set_password("carol", "correct horse").await;
    git.commit(&clone, "a.txt", "1").await;
    let address = git.address;
    for (credentials, words) in [
        (String::new(), "could not read Username"),
        ("ada:wrong@".to_owned(), "Authentication failed"),
        (format!("bob:{}@", git.hub.bob), "403"),
        ("carol:correct%20horse@".to_owned(), "403"),
        ("carol:wrong@".to_owned(), "Authentication failed"),
    ] {
        let url = format!("http://{credentials}{address}/spaces/ada/site");
        git.git(&clone, &["push", &url, "main"]).await.refused(&[words]);
    }
    let url = format!("http://anything:{}@{address}/spaces/ada/site.git", git.hub.ada);
    git.git(&clone, &["push", &url, "main"]).await.ok();
    let own = git.hub.own_space("carol", "correct horse", "hers").await;
    let url = format!("http://carol:correct%20horse@{address}/spaces/{own}");
    git.git(&clone, &["push", "--force", &url, "main"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_branches_and_tags_are_stored_and_not_built() {
    let (git, clone) = GitHub::with_clone("site").await;
    git.hub.reaches("site", "RUNNING").await;
    let before = git.hub.get("/api/spaces/ada/site/runtime").await.json()["sha"].clone();
    git.git(&clone, &["checkout", "--quiet", "-b", "feature/x"]).await.ok();
    let head = git.commit(&clone, "index.html", "feature").await;
    git.git(&clone, &["tag", "-a", "-m", "first", "v1"]).await.ok();
    let said = git.push(&clone, &["feature/x", "v1"]).await.ok();
    assert!(said.contains("Only main is built"), "{said}");
    assert_eq!(git.head("site", "feature/x").await, Some(head));
    assert_eq!(git.hub.get("/spaces/ada/site/resolve/v1/index.html").await.text(), "feature");
    assert_eq!(git.hub.get("/api/spaces/ada/site/runtime").await.json()["sha"], before);
    git.push(&clone, &["--delete", "feature/x"]).await.ok();
    assert_eq!(git.head("site", "feature/x").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn main_can_be_overwritten_and_not_deleted() {
    let (git, clone) = GitHub::with_clone("site").await;
    let first = git.head("site", "main").await.unwrap();
    git.push(&clone, &["--delete", "main"]).await.refused(&["main is what is served"]);
    assert_eq!(git.head("site", "main").await, Some(first));
    git.git(&clone, &["commit", "--quiet", "--amend", "-m", "another"]).await.ok();
    let amended = git.git(&clone, &["rev-parse", "HEAD"]).await.ok().trim().to_owned();
    git.push(&clone, &["main"]).await.refused(&["non-fast-forward"]);
    git.push(&clone, &["--force", "main"]).await.ok();
    assert_eq!(git.head("site", "main").await, Some(amended));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_push_says_why_and_changes_nothing() {
    let (git, clone) = GitHub::with_clone("site").await;
    let before = git.head("site", "main").await;
    let reset = async || drop(git.git(&clone, &["reset", "--quiet", "--hard", "origin/main"]).await.ok());
    let declined = "pre-receive hook declined";

    git.commit(&clone, "README.md", "---\ntitle: x\nsdk: cobol\n---\n").await;
    git.push(&clone, &["main"]).await.refused(&[declined, "remote:   - README.md", "cobol", "static"]);
    reset().await;

    git.commit(&clone, "README.md", "---\ntitle: x\nsdk: [static\n---\n").await;
    git.push(&clone, &["main"]).await.refused(&[declined, "README.md", "line "]);
    // Elsewhere it is nobody's configuration.
    git.push(&clone, &["HEAD:refs/heads/draft"]).await.ok();
    reset().await;

    // A file that was too large stays too large when a later commit removes it.
    git.commit(&clone, "big.bin", vec![7; 11 << 20]).await;
    std::fs::remove_file(clone.join("big.bin")).unwrap();
    git.commit(&clone, "small.txt", "small").await;
    let words = [declined, "larger than 10 MiB", "- big.bin (11.0 MiB)", "git lfs migrate import"];
    git.push(&clone, &["main"]).await.refused(&words);
    reset().await;

    std::os::unix::fs::symlink("/etc/passwd", clone.join("link")).unwrap();
    git.commit(&clone, "small.txt", "small").await;
    git.push(&clone, &["main"]).await.refused(&[declined, "symbolic link", "/etc/passwd"]);
    reset().await;

    assert_eq!(git.head("site", "main").await, before);
    nothing_is_left(&git).await;
    git.commit(&clone, "index.html", "works").await;
    git.push(&clone, &["main"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn with_atomic_all_refs_move_or_none() {
    let (git, clone) = GitHub::with_clone("site").await;
    let before = git.head("site", "main").await;
    git.git(&clone, &["branch", "good"]).await.ok();
    git.commit(&clone, "small.txt", "small").await;
    let refspecs = ["main", "good", "main:refs/pr/1"];
    git.push(&clone, &[&["--atomic"], &refspecs[..]].concat()).await.refused(&["pull requests", "atomic push failed"]);
    assert_eq!((git.head("site", "main").await, git.head("site", "good").await), (before, None));
    git.push(&clone, &refspecs).await.refused(&["pull requests"]);
    assert!(git.head("site", "good").await.is_some());
    assert_eq!(git.head("site", "main").await, Some(git.git(&clone, &["rev-parse", "HEAD"]).await.ok().trim().into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_and_pushes_at_once_lose_nothing() {
    let (git, clone) = GitHub::with_clone("site").await;
    for round in 0..5 {
        git.git(&clone, &["pull", "--quiet", "--rebase"]).await.ok();
        git.commit(&clone, &format!("pushed-{round}.txt"), "pushed").await;
        let committed = format!("committed-{round}.txt");
        let files = [(committed.as_str(), "committed")];
        let (pushed, committed) = tokio::join!(git.push(&clone, &["main"]), git.hub.commit("site", &files));
        committed.expect(200);
        if !pushed.is_ok {
            git.git(&clone, &["pull", "--quiet", "--rebase"]).await.ok();
            git.push(&clone, &["main"]).await.ok();
        }
    }
    let tree = git.hub.get("/api/spaces/ada/site/tree/main").await.json();
    let names: Vec<&str> = tree.as_array().unwrap().iter().filter_map(|entry| entry["path"].as_str()).collect();
    for round in 0..5 {
        for kind in ["pushed", "committed"] {
            assert!(names.contains(&format!("{kind}-{round}.txt").as_str()), "{kind} {round}: {names:?}");
        }
    }
    let head = git.head("site", "main").await.unwrap();
    git.hub.reaches("site", "RUNNING").await;
    assert_eq!(git.hub.get("/api/spaces/ada/site/runtime").await.json()["sha"], head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_breaks_off_leaves_nothing() {
    let (git, clone) = GitHub::with_clone("site").await;
    let before = git.head("site", "main").await;
    let new = git.commit(&clone, "a.txt", "1").await;
    let old = before.clone().unwrap();
    let commands = format!("{old} {new} refs/heads/main\0report-status side-band-64k");
    let mut body = format!("{:04x}{commands}0000", commands.len() + 4).into_bytes();
    body.extend_from_slice(b"PACK\0\0\0\x02\0\0\0\x03 and no more");
    let request = |body: axum::body::Body| {
        Request::builder()
            .method(Method::POST)
            .uri("/spaces/ada/site/git-receive-pack")
            .header(header::AUTHORIZATION, format!("Bearer {}", git.hub.ada))
            .header(header::CONTENT_TYPE, "application/x-git-receive-pack-request")
            .body(body)
            .unwrap()
    };
    let answer = git.hub.send(request(body.clone().into())).await.expect(200);
    let text = String::from_utf8_lossy(&answer.body);
    assert!(text.contains("unpack ") && text.contains("ng refs/heads/main"), "{text}");

    // A client that leaves while its push is still coming.
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Vec<u8>, std::io::Error>>(1);
    sender.send(Ok(body)).await.unwrap();
    let coming = futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
    let router = git.hub.router.clone();
    let response = tower::ServiceExt::oneshot(router, request(axum::body::Body::from_stream(Box::pin(coming)))).await;
    assert!(!leftovers(&git.hub.data().join("repos")).is_empty(), "the push is under way");
    drop(response);
    nothing_is_left(&git).await;
    assert_eq!(git.head("site", "main").await, before);
    git.push(&clone, &["main"]).await.ok();
}
