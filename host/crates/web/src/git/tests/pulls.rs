use std::path::Path;

use axum::http::Method;
use serde_json::{Value, json};

use super::harness::GitHub;
use crate::testing::request;

const ALL: &str = "/api/spaces/ada/site/discussions";

async fn post(git: &GitHub, token: &str, path: &str, body: Value) -> Value {
    git.hub.send(request(Method::POST, &format!("{ALL}{path}"), Some(token), Some(body))).await.expect(200).json()
}

async fn open(git: &GitHub, token: &str) -> Value {
    post(git, token, "", json!({ "title": "A change", "description": "", "pullRequest": true })).await
}

async fn details(git: &GitHub, number: u64) -> Value {
    git.hub.get(&format!("{ALL}/{number}?diff=1")).await.expect(200).json()
}

/// The head of a pull request, as the hub has it.
async fn head(git: &GitHub, number: u64) -> String {
    let listed = git.git(Path::new("/"), &["ls-remote", &git.url("site"), &format!("refs/pr/{number}")]).await.ok();
    listed.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_pushes_to_a_pull_request_of_his_own_and_nowhere_else() {
    let (git, clone) = GitHub::with_clone("site").await;
    let url = format!("http://bob:{}@{}/spaces/ada/site", git.hub.bob, git.address);
    git.git(&clone, &["remote", "set-url", "origin", &url]).await.ok();
    let new = git.commit(&clone, "a.txt", "1").await;
    git.push(&clone, &["HEAD:refs/pr/1"]).await.refused(&["403"]);
    open(&git, &git.hub.ada).await;
    git.push(&clone, &["HEAD:refs/pr/1"]).await.refused(&["403"]);

    assert_eq!(open(&git, &git.hub.bob).await["num"], 2);
    let before = git.head("site", "main").await;
    git.push(&clone, &["HEAD:refs/pr/2"]).await.ok();
    assert_eq!(head(&git, 2).await, new);
    git.push(&clone, &["main"]).await.refused(&["owner"]);
    git.push(&clone, &["HEAD:refs/heads/dev"]).await.refused(&["owner"]);
    git.push(&clone, &["HEAD:refs/pr/1"]).await.refused(&["for its author"]);
    git.push(&clone, &["HEAD:refs/pr/3"]).await.refused(&["pull requests are opened"]);
    git.push(&clone, &[":refs/pr/2"]).await.refused(&["pull requests are opened"]);
    assert_eq!((git.head("site", "main").await, git.head("site", "dev").await), (before, None));
    assert_eq!(head(&git, 2).await, new);

    let found = details(&git, 2).await;
    assert_eq!(found["events"][1]["data"], json!({ "oid": new, "subject": "change" }));
    assert_eq!(found["events"][1]["author"]["name"], "bob");
    assert!(found["diff"].as_str().unwrap().contains("+++ b/a.txt"));

    post(&git, &git.hub.bob, "/2/status", json!({ "status": "closed" })).await;
    git.commit(&clone, "b.txt", "1").await;
    git.push(&clone, &["HEAD:refs/pr/2"]).await.refused(&["403"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_is_fetched_brought_up_to_date_and_merged() {
    let (git, clone) = GitHub::with_clone("site").await;
    open(&git, &git.hub.bob).await;
    git.git(&clone, &["checkout", "--quiet", "-b", "change"]).await.ok();
    git.commit(&clone, "a.txt", "theirs").await;
    git.push(&clone, &["change:refs/pr/1"]).await.ok();
    post(&git, &git.hub.bob, "/1/status", json!({ "status": "open" })).await;
    git.hub.commit("site", &[("a.txt", "ours")]).await.expect(200);
    assert_eq!(details(&git, 1).await["filesWithConflicts"], json!(["a.txt"]));

    git.git(&clone, &["fetch", "--quiet", "origin", "main", "refs/pr/1"]).await.ok();
    git.git(&clone, &["merge", "--quiet", "-X", "ours", "-m", "up to date", "origin/main"]).await.ok();
    git.push(&clone, &["change:refs/pr/1"]).await.ok();
    let found = details(&git, 1).await;
    let subjects: Vec<&Value> =
        found["events"].as_array().unwrap().iter().map(|event| &event["data"]["subject"]).collect();
    assert_eq!(
        subjects[1..],
        [&json!("change"), &Value::Null, &json!("up to date")],
        "commits of main are not told of"
    );
    assert_eq!(found["filesWithConflicts"], json!([]));
    let merged = post(&git, &git.hub.ada, "/1/merge", json!({})).await["mergeCommitId"].clone();
    assert_eq!(git.head("site", "main").await.map(Value::from), Some(merged));
    git.push(&clone, &["--force", "change~1:refs/pr/1"]).await.refused(&["merged"]);
    git.git(&clone, &["checkout", "--quiet", "main"]).await.ok();
    git.git(&clone, &["pull", "--quiet", "origin", "main"]).await.ok();
    assert_eq!(std::fs::read_to_string(clone.join("a.txt")).unwrap(), "theirs");
    git.git(&clone, &["fsck", "--strict"]).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_push_may_not_bring_a_pull_request_may_not_either() {
    let (git, clone) = GitHub::with_clone("site").await;
    open(&git, &git.hub.ada).await;
    let before = head(&git, 1).await;
    git.commit(&clone, "big.bin", vec![7; 11 << 20]).await;
    git.push(&clone, &["HEAD:refs/pr/1"]).await.refused(&["larger than 10 MiB"]);
    assert_eq!(head(&git, 1).await, before);
    assert_eq!(details(&git, 1).await["events"].as_array().unwrap().len(), 1);
}
