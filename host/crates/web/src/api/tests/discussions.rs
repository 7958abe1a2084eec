use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::testing::{Answer, TestHub, request};

const PAGE: &str = "/api/spaces/ada/page";
const ALL: &str = "/api/spaces/ada/page/discussions";

async fn page() -> TestHub {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub
}

/// A request of somebody's below the discussions of the page.
async fn send(hub: &TestHub, token: Option<&str>, method: Method, path: &str, body: Value) -> Answer {
    hub.send(request(method, &format!("{ALL}{path}"), token, Some(body))).await
}

async fn post(hub: &TestHub, token: &str, path: &str, body: Value) -> Answer {
    send(hub, Some(token), Method::POST, path, body).await
}

async fn open(hub: &TestHub, token: &str, title: &str, is_pull_request: bool) -> u64 {
    let body = json!({ "title": title, "description": "to begin with", "pullRequest": is_pull_request });
    post(hub, token, "", body).await.expect(200).json()["num"].as_u64().unwrap()
}

async fn details(hub: &TestHub, number: u64) -> Value {
    hub.get(&format!("{ALL}/{number}?diff=1")).await.expect(200).json()
}

/// Commits files to a revision, or with `?create_pr=1` after it.
async fn commit(hub: &TestHub, token: &str, revision: &str, files: &[(&str, &str)]) -> Answer {
    let mut lines = json!({ "key": "header", "value": { "summary": "A change", "description": "why" } }).to_string();
    for (path, content) in files {
        let value = json!({ "path": path, "content": content, "encoding": "utf-8" });
        lines += &format!("\n{}", json!({ "key": "file", "value": value }));
    }
    let request = Request::post(format!("{PAGE}/commit/{revision}"))
        .header("authorization", format!("Bearer {token}"))
        .body(Body::from(lines))
        .unwrap();
    hub.send(request).await
}

/// Opens a pull request of bob's with these files; its number.
async fn propose(hub: &TestHub, files: &[(&str, &str)]) -> u64 {
    let made = commit(hub, &hub.bob, "main?create_pr=1", files).await.expect(200).json();
    let url = made["pullRequestUrl"].as_str().unwrap().to_owned();
    let number = url.strip_prefix("http://hub.test/spaces/ada/page/discussions/").unwrap_or_else(|| panic!("{url}"));
    number.parse().unwrap()
}

async fn head(hub: &TestHub) -> Value {
    hub.get(PAGE).await.expect(200).json()["sha"].clone()
}

fn kinds(details: &Value) -> Vec<&str> {
    details["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_discussion_is_opened_talked_in_renamed_closed_and_opened_again() {
    let hub = page().await;
    let number = open(&hub, &hub.bob, "  It does not load ", false).await;
    let said = post(&hub, &hub.ada, "/1/comment", json!({ "comment": "Since <when>?" })).await.expect(200).json();
    let said = &said["newMessage"];
    assert_eq!((&said["type"], &said["author"]["name"]), (&json!("comment"), &json!("ada")));
    assert_eq!(said["data"]["latest"]["html"], "<p>Since &lt;when&gt;?</p>\n");
    let id = said["id"].as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");

    let edited = post(&hub, &hub.ada, &format!("/1/comment/{id}/edit"), json!({ "content": "Since when?" })).await;
    let edited = edited.expect(200).json()["updatedComment"].clone();
    assert_eq!((&edited["id"], &edited["data"]["edited"]), (&said["id"], &json!(true)));
    assert_eq!(edited["data"]["latest"]["raw"], "Since when?");
    assert_eq!(edited["data"]["history"][0]["raw"], "Since <when>?");

    let renamed = post(&hub, &hub.bob, "/1/title", json!({ "title": "It loads slowly" })).await.expect(200).json();
    assert_eq!(renamed["newTitle"]["data"], json!({ "from": "It does not load", "to": "It loads slowly" }));
    let closing = json!({ "status": "closed", "comment": "Done" });
    let closed = post(&hub, &hub.ada, "/1/status", closing).await.expect(200).json();
    assert_eq!(closed["newStatus"]["data"], json!({ "status": "closed" }));
    post(&hub, &hub.bob, "/1/comment", json!({ "comment": "Thanks" })).await.expect(200);
    post(&hub, &hub.bob, "/1/status", json!({ "status": "open" })).await.expect(200);

    let found = details(&hub, number).await;
    let kinds = kinds(&found);
    let expected = ["comment", "comment", "title-change", "comment", "status-change", "comment", "status-change"];
    assert_eq!(kinds, expected);
    assert_eq!(found["events"][0]["data"]["latest"]["raw"], "to begin with");
    assert_eq!((&found["title"], &found["status"]), (&json!("It loads slowly"), &json!("open")));
    assert_eq!((&found["author"]["name"], &found["isPullRequest"]), (&json!("bob"), &json!(false)));
    assert_eq!(found["repo"], json!({ "name": "ada/page", "type": "space" }));
    assert!(found["createdAt"].as_str().unwrap().ends_with('Z'));
    assert!(found.get("diff").is_none() && found.get("changes").is_none(), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_comment_is_gone_for_good() {
    let hub = page().await;
    open(&hub, &hub.bob, "A title", false).await;
    let id = details(&hub, 1).await["events"][0]["id"].as_str().unwrap().to_owned();
    post(&hub, &hub.bob, &format!("/1/comment/{id}/edit"), json!({ "content": "otherwise" })).await.expect(200);
    // A client sends no body.
    let hide = request(Method::POST, &format!("{ALL}/1/comment/{id}/hide"), Some(&hub.ada), None);
    let hidden = hub.send(hide).await.expect(200).json()["updatedComment"].clone();
    assert_eq!((&hidden["data"]["hidden"], &hidden["data"]["latest"]["raw"]), (&json!(true), &json!("")));
    assert!(!details(&hub, 1).await.to_string().contains("to begin with"));
    let edit = post(&hub, &hub.bob, &format!("/1/comment/{id}/edit"), json!({ "content": "again" })).await;
    assert_eq!(edit.refusal(), (400, "BadRequest"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_come_page_by_page() {
    let hub = page().await;
    for number in 0..26 {
        open(&hub, &hub.ada, &format!("Of ada {number}"), false).await;
    }
    for number in 0..25 {
        open(&hub, &hub.bob, &format!("Of bob {number}"), number == 0).await;
    }
    post(&hub, &hub.ada, "/3/status", json!({ "status": "closed" })).await.expect(200);
    let list = async |query: &str| hub.get(&format!("{ALL}{query}")).await.expect(200).json();
    let numbers = |list: &Value| -> Vec<u64> {
        let all = list["discussions"].as_array().unwrap().iter();
        all.map(|discussion| discussion["num"].as_u64().unwrap()).collect()
    };
    let first = list("?p=0").await;
    assert_eq!((&first["count"], &first["start"], &first["numClosedDiscussions"]), (&json!(51), &json!(0), &json!(1)));
    assert_eq!(numbers(&first), (2..=51).rev().collect::<Vec<_>>());
    let second = list("?p=1").await;
    assert_eq!((&second["start"], numbers(&second)), (&json!(50), vec![1]));
    assert_eq!(numbers(&list("?p=2").await), Vec::<u64>::new());
    for (query, count) in [
        ("?author=bob", 25),
        ("?author=nobody", 0),
        ("?author=-", 0),
        ("?type=pull_request", 1),
        ("?type=discussion&author=bob", 24),
        ("?status=closed", 1),
        ("?status=open&type=all", 50),
    ] {
        assert_eq!(list(query).await["count"], count, "{query}");
    }
    for query in ["?type=x", "?status=draft", "?p=-1", "?p=x"] {
        assert_eq!(hub.get(&format!("{ALL}{query}")).await.refusal(), (400, "BadRequest"), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sees_a_space_takes_part_and_only_authors_and_writers_do_more() {
    let hub = page().await;
    open(&hub, &hub.ada, "Of ada", false).await;
    let id = details(&hub, 1).await["events"][0]["id"].as_str().unwrap().to_owned();
    let (edit, hide) = (format!("/1/comment/{id}/edit"), format!("/1/comment/{id}/hide"));
    let changes = [
        (Method::POST, "/1/title", json!({ "title": "Of bob" })),
        (Method::POST, "/1/status", json!({ "status": "closed" })),
        (Method::POST, edit.as_str(), json!({ "content": "x" })),
        (Method::POST, hide.as_str(), json!({})),
        (Method::POST, "/1/merge", json!({})),
        (Method::DELETE, "/1", json!({})),
    ];
    let before = details(&hub, 1).await;
    for (method, path, body) in &changes {
        let refused = send(&hub, Some(&hub.bob), method.clone(), path, body.clone()).await;
        assert_eq!(refused.refusal(), (403, "Forbidden"), "{path}");
    }
    let talk = [
        (Method::POST, "", json!({ "title": "A title", "description": "" })),
        (Method::POST, "/1/comment", json!({ "comment": "x" })),
    ];
    for (method, path, body) in changes.iter().chain(&talk) {
        assert_eq!(send(&hub, None, method.clone(), path, body.clone()).await.status, 401, "{path}");
    }
    assert_eq!(details(&hub, 1).await, before);
    hub.send(request(Method::GET, &format!("{ALL}/1"), None, None)).await.expect(200);

    hub.call(Method::PUT, &format!("{PAGE}/settings"), Some(json!({ "private": true }))).await.expect(200);
    for (method, path, body) in changes.iter().chain(&talk) {
        let hidden = send(&hub, Some(&hub.bob), method.clone(), path, body.clone()).await;
        assert_eq!(hidden.refusal(), (404, "RepoNotFound"), "{path}");
    }
    let list = hub.send(request(Method::GET, ALL, Some(&hub.bob), None)).await;
    assert_eq!(list.refusal(), (404, "RepoNotFound"));
    assert_eq!(commit(&hub, &hub.bob, "main?create_pr=1", &[("a", "1")]).await.refusal(), (404, "RepoNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_in_words() {
    let hub = page().await;
    open(&hub, &hub.ada, "A title", false).await;
    open(&hub, &hub.ada, "A change", true).await;
    let none = "/1/comment/000000000000000100000009/edit";
    for (path, body, refusal) in [
        ("", json!({}), (400, "BadRequest")),
        ("", json!({ "title": "ab", "description": "" }), (400, "BadRequest")),
        ("", json!({ "title": "x".repeat(201) }), (400, "BadRequest")),
        ("", json!({ "title": 7 }), (400, "BadRequest")),
        ("", json!({ "title": "abc", "description": "x".repeat((64 << 10) + 1) }), (400, "BadRequest")),
        ("/1/comment", json!({}), (400, "BadRequest")),
        ("/1/comment", json!({ "comment": " \n" }), (400, "BadRequest")),
        ("/1/title", json!({ "title": "A title" }), (400, "BadRequest")),
        ("/1/status", json!({ "status": "open" }), (400, "BadRequest")),
        ("/1/status", json!({ "status": "merged" }), (400, "BadRequest")),
        ("/1/merge", json!({}), (400, "BadRequest")),
        ("/2/merge", json!({}), (400, "BadRequest")),
        ("/3/comment", json!({ "comment": "x" }), (404, "DiscussionNotFound")),
        ("/x/comment", json!({ "comment": "x" }), (404, "DiscussionNotFound")),
        (none, json!({ "content": "x" }), (404, "DiscussionNotFound")),
        ("/1/comment/zz/hide", json!({}), (404, "DiscussionNotFound")),
    ] {
        let refused = post(&hub, &hub.ada, path, body).await;
        assert_eq!(refused.refusal(), refusal, "{path} {refused:?}");
    }
    assert_eq!(hub.get(&format!("{ALL}/7")).await.refusal(), (404, "DiscussionNotFound"));
    assert_eq!(details(&hub, 1).await["events"].as_array().unwrap().len(), 1);
    assert_eq!(hub.get(ALL).await.json()["count"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_pull_request_is_merged_and_built() {
    let hub = page().await;
    hub.reaches("page", "RUNNING").await;
    let before = head(&hub).await;
    let preupload = json!({ "files": [{ "path": "a.txt", "size": 1, "sample": "" }] });
    let asks = async |path: &str| {
        hub.send(request(Method::POST, &format!("{PAGE}/preupload/{path}"), Some(&hub.bob), Some(preupload.clone())))
            .await
    };
    assert_eq!(asks("main").await.refusal(), (403, "Forbidden"));
    asks("main?create_pr=1").await.expect(200);
    let refused = commit(&hub, &hub.bob, "main", &[("a.txt", "1")]).await;
    assert_eq!(refused.refusal(), (403, "Forbidden"));
    assert!(refused.json()["error"].as_str().unwrap().contains("create_pr=1"), "{refused:?}");

    let number = propose(&hub, &[("a.txt", "1")]).await;
    asks("refs%2Fpr%2F1").await.expect(200);
    let added = commit(&hub, &hub.bob, "refs%2Fpr%2F1", &[("b.txt", "2")]).await.expect(200).json();
    assert_eq!(head(&hub).await, before, "nothing is merged by itself");
    let theirs = hub.get(&format!("{PAGE}/revision/refs%2Fpr%2F1")).await.expect(200).json()["sha"].clone();
    assert_eq!(theirs, added["commitOid"]);
    let refs = hub.get(&format!("{PAGE}/refs?include_prs=1")).await.json();
    assert_eq!(refs["pullRequests"], json!([{ "name": "1", "ref": "refs/pr/1", "targetCommit": theirs }]));

    hub.commit("page", &[("main.txt", "3")]).await.expect(200);
    let found = details(&hub, number).await;
    assert_eq!((&found["title"], &found["status"]), (&json!("A change"), &json!("open")));
    assert_eq!(kinds(&found), ["comment", "commit", "commit"]);
    assert_eq!(found["events"][2]["data"], json!({ "oid": theirs, "subject": "A change" }));
    assert_eq!(found["events"][2]["author"]["name"], "bob");
    assert_eq!((&found["changes"], &found["filesWithConflicts"]), (&json!({ "base": "refs/heads/main" }), &json!([])));
    let diff = found["diff"].as_str().unwrap();
    assert!(diff.contains("+++ b/a.txt") && diff.contains("+++ b/b.txt") && !diff.contains("main.txt"), "{diff}");

    let merge = request(Method::POST, &format!("{ALL}/1/merge"), Some(&hub.ada), None);
    let merged = hub.send(merge).await.expect(200).json()["mergeCommitId"].clone();
    let stage = hub.get(&format!("{PAGE}/runtime")).await.json()["stage"].clone();
    assert_eq!(head(&hub).await, merged);
    hub.reaches("page", "RUNNING").await;
    assert_eq!(hub.get(&format!("{PAGE}/runtime")).await.json()["sha"], merged, "it was {stage} before");
    let commits = hub.get(&format!("{PAGE}/commits/main")).await.json();
    assert_eq!((&commits[0]["title"], &commits[0]["authors"][0]["user"]), (&json!("A change (#1)"), &json!("ada")));
    for file in ["a.txt", "b.txt", "main.txt"] {
        hub.get(&format!("/spaces/ada/page/resolve/main/{file}")).await.expect(200);
    }
    let found = details(&hub, number).await;
    assert_eq!((&found["status"], &found["changes"]["mergeCommitId"]), (&json!("merged"), &merged));
    assert_eq!(found["diff"].as_str(), Some(diff), "what was merged is still shown");
    assert_eq!(post(&hub, &hub.ada, "/1/merge", json!({})).await.refusal(), (400, "BadRequest"));
    assert_eq!(post(&hub, &hub.bob, "/1/status", json!({ "status": "open" })).await.refusal(), (400, "BadRequest"));
    let late = commit(&hub, &hub.bob, "refs%2Fpr%2F1", &[("c.txt", "3")]).await;
    assert_eq!(late.refusal(), (400, "BadRequest"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_with_conflicts_changes_nothing_until_they_are_gone() {
    let hub = page().await;
    let number = propose(&hub, &[("a.txt", "theirs"), ("b.txt", "theirs")]).await;
    hub.commit("page", &[("a.txt", "ours")]).await.expect(200);
    let before = (head(&hub).await, details(&hub, number).await);
    assert_eq!(before.1["filesWithConflicts"], json!(["a.txt"]));
    let refused = post(&hub, &hub.ada, "/1/merge", json!({ "comment": "now" })).await;
    assert_eq!(refused.refusal(), (409, "Conflict"));
    assert!(refused.json()["error"].as_str().unwrap().contains("a.txt"), "{refused:?}");
    assert_eq!((head(&hub).await, details(&hub, number).await), before);

    commit(&hub, &hub.bob, "refs%2Fpr%2F1", &[("a.txt", "ours")]).await.expect(200);
    post(&hub, &hub.ada, "/1/merge", json!({ "comment": "now" })).await.expect(200);
    let found = details(&hub, number).await;
    assert_eq!(kinds(&found), ["comment", "commit", "commit", "comment", "status-change"]);
    assert_eq!(hub.get("/spaces/ada/page/resolve/main/b.txt").await.text(), "theirs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_was_written_anew_has_nothing_in_common_with_a_pull_request() {
    let hub = page().await;
    let number = propose(&hub, &[("a.txt", "1")]).await;
    hub.post(&format!("{PAGE}/super-squash/main"), json!({})).await.expect(200);
    let before = head(&hub).await;
    assert_eq!(details(&hub, number).await["filesWithConflicts"], json!(true));
    let refused = post(&hub, &hub.ada, "/1/merge", json!({})).await;
    assert_eq!(refused.refusal(), (409, "Conflict"));
    assert_eq!(head(&hub).await, before);
    let squash = hub.post(&format!("{PAGE}/super-squash/refs%2Fpr%2F1"), json!({})).await;
    assert_eq!(squash.refusal(), (400, "BadRequest"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_that_breaks_the_readme_is_refused_at_the_merge() {
    let hub = page().await;
    hub.reaches("page", "RUNNING").await;
    propose(&hub, &[("README.md", "---\nsdk: cobol\n---\n")]).await;
    let before = head(&hub).await;
    let refused = post(&hub, &hub.ada, "/1/merge", json!({})).await;
    assert_eq!(refused.refusal(), (400, "InvalidMetadata"));
    assert!(refused.json()["error"].as_str().unwrap().contains("cobol"), "{refused:?}");
    assert_eq!((head(&hub).await, &details(&hub, 1).await["status"]), (before, &json!("open")));
    commit(&hub, &hub.bob, "refs%2Fpr%2F1", &[("README.md", "---\nsdk: wasm\n---\n")]).await.expect(200);
    post(&hub, &hub.ada, "/1/merge", json!({})).await.expect(200);
    assert!(hub.get("/spaces/ada/page/resolve/main/README.md").await.text().contains("sdk: wasm"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_opened_before_it_is_merged_and_takes_commits_meanwhile() {
    let hub = page().await;
    let number = open(&hub, &hub.bob, "To be written", true).await;
    let found = details(&hub, number).await;
    assert_eq!(
        (&found["status"], &found["isPullRequest"], &found["diff"]),
        (&json!("draft"), &json!(true), &json!(""))
    );
    hub.commit("page", &[("c.txt", "1")]).await.expect(200);
    commit(&hub, &hub.bob, "refs%2Fpr%2F1", &[("a.txt", "1")]).await.expect(200);
    // Those who may write to the Space add to it as well.
    commit(&hub, &hub.ada, "refs%2Fpr%2F1", &[("b.txt", "1")]).await.expect(200);
    let refused = post(&hub, &hub.ada, "/1/merge", json!({})).await;
    assert!(refused.json()["error"].as_str().unwrap().contains("draft"), "{refused:?}");
    post(&hub, &hub.bob, "/1/status", json!({ "status": "open" })).await.expect(200);
    post(&hub, &hub.ada, "/1/merge", json!({})).await.expect(200);

    open(&hub, &hub.ada, "Of ada", true).await;
    let refused = commit(&hub, &hub.bob, "refs%2Fpr%2F2", &[("a.txt", "2")]).await;
    assert_eq!(refused.refusal(), (403, "Forbidden"));
    post(&hub, &hub.ada, "/2/status", json!({ "status": "closed" })).await.expect(200);
    let refused = commit(&hub, &hub.ada, "refs%2Fpr%2F2", &[("a.txt", "2")]).await;
    assert_eq!(refused.refusal(), (400, "BadRequest"));
    assert_eq!(post(&hub, &hub.ada, "/2/merge", json!({})).await.refusal(), (400, "BadRequest"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_starts_where_its_commit_says() {
    let hub = page().await;
    let first = head(&hub).await.as_str().unwrap().to_owned();
    hub.commit("page", &[("a.txt", "1")]).await.expect(200);
    let send = async |parent: &str| {
        let header = json!({ "key": "header", "value": { "summary": "A change", "parentCommit": parent } });
        let file = json!({ "key": "file", "value": { "path": "b.txt", "content": "1", "encoding": "utf-8" } });
        let request = Request::post(format!("{PAGE}/commit/main?create_pr=1"))
            .header("authorization", format!("Bearer {}", hub.bob))
            .body(Body::from(format!("{header}\n{file}\n")))
            .unwrap();
        hub.send(request).await
    };
    send(&first[..8]).await.expect(200);
    let commits = hub.get(&format!("{PAGE}/commits/refs%2Fpr%2F1")).await.json();
    assert_eq!((commits.as_array().unwrap().len(), &commits[1]["id"]), (2, &json!(first)));
    assert_eq!(send("0123456789").await.refusal(), (412, "Outdated"));
    let other = commit(&hub, &hub.bob, "refs%2Fpr%2F1?create_pr=1", &[("c.txt", "1")]).await;
    assert_eq!(other.refusal(), (404, "RevisionNotFound"));
    assert_eq!(hub.get(ALL).await.json()["count"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn discussions_can_be_switched_off() {
    let hub = page().await;
    propose(&hub, &[("a.txt", "1")]).await;
    let settings = async |is_disabled: bool, token: &str| {
        let body = json!({ "discussionsDisabled": is_disabled });
        hub.send(request(Method::PUT, &format!("{PAGE}/settings"), Some(token), Some(body))).await
    };
    assert_eq!(settings(true, &hub.bob).await.refusal(), (403, "Forbidden"));
    assert_eq!(hub.get(PAGE).await.json()["discussionsDisabled"], false);
    settings(true, &hub.ada).await.expect(200);
    assert_eq!(hub.get(PAGE).await.json()["discussionsDisabled"], true);
    // What gradio's client looks at.
    let head = hub.send(request(Method::HEAD, ALL, None, None)).await;
    assert_eq!(
        (head.status.as_u16(), head.header("x-error-message")),
        (403, Some("Discussions are disabled for this Space"))
    );
    assert_eq!(hub.get(&format!("{ALL}/1")).await.refusal(), (403, "Forbidden"));
    for refused in [
        post(&hub, &hub.ada, "", json!({ "title": "A title" })).await,
        post(&hub, &hub.ada, "/1/merge", json!({})).await,
        commit(&hub, &hub.bob, "main?create_pr=1", &[("b.txt", "1")]).await,
        commit(&hub, &hub.bob, "refs%2Fpr%2F1", &[("b.txt", "1")]).await,
    ] {
        assert_eq!(refused.refusal(), (403, "Forbidden"));
    }
    settings(false, &hub.ada).await.expect(200);
    assert_eq!(details(&hub, 1).await["status"], "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn discussions_move_with_their_space_and_no_copy_has_them() {
    let hub = page().await;
    propose(&hub, &[("a.txt", "1")]).await;
    hub.post(&format!("{PAGE}/duplicate"), json!({ "repository": "ada/copy" })).await.expect(200);
    assert_eq!(hub.get("/api/spaces/ada/copy/discussions").await.json()["count"], 0);
    assert_eq!(hub.get("/api/spaces/ada/copy/refs?include_prs=1").await.json()["pullRequests"], json!([]));
    let body = json!({ "fromRepo": "ada/page", "toRepo": "ada/moved", "type": "space" });
    hub.post("/api/repos/move", body).await.expect(200);
    let moved = hub.get("/api/spaces/ada/moved/discussions/1").await.expect(200).json();
    assert_eq!((&moved["repo"]["name"], kinds(&moved)), (&json!("ada/moved"), vec!["comment", "commit"]));
    hub.post("/api/spaces/ada/moved/discussions/1/merge", json!({})).await.expect(200);
    assert_eq!(hub.get(&format!("{ALL}/1")).await.status, 307);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_discussion_is_gone_and_its_number_with_it() {
    let hub = page().await;
    propose(&hub, &[("a.txt", "1")]).await;
    send(&hub, Some(&hub.ada), Method::DELETE, "/1", json!({})).await.expect(200);
    assert_eq!(hub.get(&format!("{ALL}/1")).await.refusal(), (404, "DiscussionNotFound"));
    assert_eq!(hub.get(&format!("{PAGE}/revision/refs%2Fpr%2F1")).await.refusal(), (404, "RevisionNotFound"));
    assert_eq!(open(&hub, &hub.bob, "Another", false).await, 2);
}
