use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};

use crate::testing::{Answer, TestHub, request};

const PAGE: &str = "/api/spaces/ada/page";

/// A hub with a Space of two commits; their ids, newest first.
async fn page() -> (TestHub, String, String) {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let first = hub.get(PAGE).await.json()["sha"].as_str().unwrap().to_owned();
    let head =
        hub.commit("page", &[("a/b.txt", "1")]).await.expect(200).json()["commitOid"].as_str().unwrap().to_owned();
    (hub, head, first)
}

async fn call(hub: &TestHub, method: Method, path: &str, body: Option<Value>) -> Answer {
    hub.call(method, &format!("{PAGE}{path}"), body).await
}

/// Commits one file to a branch of the page.
async fn commit_to(hub: &TestHub, branch: &str, query: &str, file: (&str, &str)) -> Answer {
    let header = json!({ "key": "header", "value": { "summary": "change" } });
    let file = json!({ "key": "file", "value": { "path": file.0, "content": file.1, "encoding": "utf-8" } });
    let request = Request::post(format!("{PAGE}/commit/{branch}{query}"))
        .header("authorization", format!("Bearer {}", hub.ada))
        .body(Body::from(format!("{header}\n{file}\n")))
        .unwrap();
    hub.send(request).await
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn branches_and_tags_come_and_go() {
    let (hub, head, first) = page().await;
    call(&hub, Method::POST, "/branch/dev", Some(json!({}))).await.expect(200);
    call(&hub, Method::POST, "/branch/feature%2Fx", Some(json!({ "startingPoint": first }))).await.expect(200);
    call(&hub, Method::POST, "/tag/main", Some(json!({ "tag": "v1", "message": "the first" }))).await.expect(200);
    call(&hub, Method::POST, &format!("/tag/{}", &first[..8]), Some(json!({ "tag": "v0" }))).await.expect(200);

    let refs = hub.get(&format!("{PAGE}/refs?include_prs=1")).await.expect(200).json();
    let expected = json!({
        "branches": [
            { "name": "dev", "ref": "refs/heads/dev", "targetCommit": head },
            { "name": "feature/x", "ref": "refs/heads/feature/x", "targetCommit": first },
            { "name": "main", "ref": "refs/heads/main", "targetCommit": head },
        ],
        "converts": [],
        "tags": [
            { "name": "v0", "ref": "refs/tags/v0", "targetCommit": first },
            { "name": "v1", "ref": "refs/tags/v1", "targetCommit": head },
        ],
        "pullRequests": [],
    });
    assert_eq!(refs, expected);
    assert_eq!(hub.get(&format!("{PAGE}/refs")).await.json().get("pullRequests"), None);

    for (path, body) in [("/branch/dev", json!({})), ("/branch/main", json!({})), ("/tag/main", json!({ "tag": "v1" }))]
    {
        assert_eq!(call(&hub, Method::POST, path, Some(body)).await.refusal(), (409, "Conflict"), "{path}");
    }
    call(&hub, Method::DELETE, "/branch/feature%2Fx", None).await.expect(200);
    call(&hub, Method::DELETE, "/tag/v0", None).await.expect(200);
    let refs = hub.get(&format!("{PAGE}/refs")).await.json();
    assert_eq!((names(&refs["branches"]), names(&refs["tags"])), (vec!["dev", "main"], vec!["v1"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_to_refs_is_refused_and_changes_nothing() {
    let (hub, _, first) = page().await;
    let before = hub.get(&format!("{PAGE}/refs?include_prs=1")).await.json();
    for (method, path, body, refusal) in [
        (Method::DELETE, "/branch/main", None, (403, "Forbidden")),
        (Method::DELETE, "/branch/none", None, (404, "RevisionNotFound")),
        (Method::DELETE, "/tag/none", None, (404, "RevisionNotFound")),
        (Method::POST, "/branch/new", Some(json!({ "startingPoint": "none" })), (404, "RevisionNotFound")),
        (Method::POST, "/branch/new", Some(json!({ "startingPoint": 7 })), (400, "BadRequest")),
        (Method::POST, "/branch/..%2F..%2Fx", Some(json!({})), (400, "BadRequest")),
        (Method::POST, "/branch/a%20b", Some(json!({})), (400, "BadRequest")),
        (Method::POST, "/branch/refs%2Fheads%2Fx", Some(json!({})), (400, "BadRequest")),
        (Method::POST, &format!("/branch/{first}"), Some(json!({})), (400, "BadRequest")),
        (Method::POST, "/tag/none", Some(json!({ "tag": "v1" })), (404, "RevisionNotFound")),
        (Method::POST, "/tag/main", Some(json!({})), (400, "BadRequest")),
        (Method::POST, "/tag/main", Some(json!({ "tag": "../x" })), (400, "BadRequest")),
        (Method::POST, "/tag/main", Some(json!(["v1"])), (400, "BadRequest")),
        (Method::POST, "/super-squash/none", Some(json!({ "message": "x" })), (404, "RevisionNotFound")),
        (Method::POST, &format!("/super-squash/{first}"), Some(json!({ "message": "x" })), (400, "BadRequest")),
        (Method::GET, "/commits/none", None, (404, "RevisionNotFound")),
        (Method::GET, "/commits/..%2Fx", None, (404, "RevisionNotFound")),
    ] {
        assert_eq!(call(&hub, method.clone(), path, body).await.refusal(), refusal, "{method} {path}");
    }
    assert_eq!(hub.get(&format!("{PAGE}/refs?include_prs=1")).await.json(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_owner_changes_refs_and_nobody_sees_those_of_a_hidden_space() {
    let (hub, _, _) = page().await;
    let changes = [
        (Method::POST, "/branch/dev", json!({})),
        (Method::DELETE, "/branch/main", json!({})),
        (Method::POST, "/tag/main", json!({ "tag": "v1" })),
        (Method::DELETE, "/tag/v1", json!({})),
        (Method::POST, "/super-squash/main", json!({ "message": "x" })),
    ];
    for (method, path, body) in &changes {
        let send = async |token| {
            hub.send(request(method.clone(), &format!("{PAGE}{path}"), token, Some(body.clone()))).await.status.as_u16()
        };
        assert_eq!((send(Some(hub.bob.as_str())).await, send(None).await), (403, 401), "{path}");
    }
    hub.call(Method::PUT, &format!("{PAGE}/settings"), Some(json!({ "private": true }))).await.expect(200);
    for path in ["/refs", "/commits/main", "/tree/main?expand=true"] {
        let send = async |token| hub.send(request(Method::GET, &format!("{PAGE}{path}"), token, None)).await;
        assert_eq!(send(Some(hub.bob.as_str())).await.refusal(), (404, "RepoNotFound"), "{path}");
        assert_eq!(send(None).await.refusal(), (401, "RepoNotFound"), "{path}");
        send(Some(hub.ada.as_str())).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_name_a_revision_is_understood_everywhere() {
    let (hub, head, first) = page().await;
    call(&hub, Method::POST, "/branch/feature%2Fx", Some(json!({}))).await.expect(200);
    call(&hub, Method::POST, "/tag/main", Some(json!({ "tag": "v1", "message": "annotated" }))).await.expect(200);
    commit_to(&hub, "main", "", ("later.txt", "2")).await.expect(200);
    for revision in
        ["feature%2Fx", "v1", &head, &head[..7], &head[..12], "refs%2Fheads%2Ffeature%2Fx", "refs%2Ftags%2Fv1"]
    {
        let info = hub.get(&format!("{PAGE}/revision/{revision}")).await.expect(200).json();
        assert_eq!(info["sha"], head.as_str(), "{revision}");
        let tree = hub.get(&format!("{PAGE}/tree/{revision}/a")).await.expect(200);
        assert_eq!(tree.header("x-repo-commit"), Some(head.as_str()), "{revision}");
        assert_eq!(tree.json()[0]["path"], "a/b.txt", "{revision}");
        let paths = json!({ "paths": ["a/b.txt"] });
        let paths = call(&hub, Method::POST, &format!("/paths-info/{revision}"), Some(paths)).await;
        assert_eq!(paths.expect(200).json()[0]["size"], 1, "{revision}");
        for form in ["resolve", "raw"] {
            let file = hub.get(&format!("/spaces/ada/page/{form}/{revision}/a/b.txt")).await.expect(200);
            assert_eq!((file.text(), file.header("x-repo-commit")), ("1", Some(head.as_str())), "{revision}");
        }
        let commits = hub.get(&format!("{PAGE}/commits/{revision}")).await.expect(200).json();
        assert_eq!((commits[0]["id"].as_str(), commits[1]["id"].as_str()), (Some(head.as_str()), Some(first.as_str())));
    }
    for revision in ["none", "refs%2Fpr%2F1", "0123456", &"0".repeat(40), "..%2F..%2Fetc", "HEAD~1", "%2F"] {
        for path in [
            format!("{PAGE}/revision/{revision}"),
            format!("{PAGE}/tree/{revision}"),
            format!("{PAGE}/commits/{revision}"),
            format!("/spaces/ada/page/resolve/{revision}/a/b.txt"),
            format!("/spaces/ada/page/raw/{revision}/a/b.txt"),
        ] {
            assert_eq!(hub.get(&path).await.refusal(), (404, "RevisionNotFound"), "{path}");
        }
        let paths = call(&hub, Method::POST, &format!("/paths-info/{revision}"), Some(json!({ "paths": ["a"] }))).await;
        assert_eq!(paths.refusal(), (404, "RevisionNotFound"), "{revision}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_told_page_by_page() {
    let (hub, head, first) = page().await;
    let page = hub.get(&format!("{PAGE}/commits/main?limit=1&expand[]=formatted")).await.expect(200);
    let commit = &page.json()[0];
    assert_eq!((commit["id"].as_str(), commit["title"].as_str()), (Some(head.as_str()), Some("change")));
    assert_eq!((&commit["authors"], &commit["formatted"]["title"]), (&json!([{ "user": "ada" }]), &json!("change")));
    assert!(commit["date"].as_str().unwrap().ends_with('Z'), "{commit}");
    assert_eq!(page.header("x-total-count"), Some("2"));
    let link = page.header("link").unwrap();
    let next = link.strip_prefix("<http://hub.test").unwrap().strip_suffix(">; rel=\"next\"").unwrap();
    let last = hub.get(next).await.expect(200);
    assert_eq!(
        (last.json()[0]["id"].as_str(), last.json()[0].get("message")),
        (Some(first.as_str()), Some(&json!("")))
    );
    assert_eq!(last.header("link"), None);
    // Further than git can count.
    let behind = hub.get(&format!("{PAGE}/commits/main?cursor={}", u64::MAX)).await.expect(200);
    assert_eq!((behind.json(), behind.header("x-total-count")), (json!([]), Some("2")));
    assert_eq!(
        hub.get(&format!("{PAGE}/commits/main?limit=x&cursor=-3")).await.expect(200).json().as_array().unwrap().len(),
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_told_with_their_last_commits() {
    let (hub, head, first) = page().await;
    let tree = hub.get(&format!("{PAGE}/tree/main?expand=True&recursive=1")).await.expect(200).json();
    let last = |path: &str| {
        let entry = tree.as_array().unwrap().iter().find(|entry| entry["path"] == path).unwrap();
        entry["lastCommit"]["id"].as_str().unwrap().to_owned()
    };
    assert_eq!((last("a"), last("a/b.txt"), last("README.md")), (head.clone(), head.clone(), first.clone()));
    let page = hub.get(&format!("{PAGE}/tree/main?recursive=1&expand=1&limit=2")).await;
    assert_eq!(page.json().as_array().unwrap().len(), 2);
    assert!(page.header("link").unwrap().contains("/tree/main?recursive=1&expand=1&limit=2&cursor=2>"), "{page:?}");

    let form = Request::post(format!("{PAGE}/paths-info/main"))
        .header("authorization", format!("Bearer {}", hub.ada))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("paths=a&paths=missing&paths=README.md&paths=..%2Fx&expand=True"))
        .unwrap();
    let paths = hub.send(form).await.expect(200).json();
    let told: Vec<(&str, &str)> = paths
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["path"].as_str().unwrap(), entry["lastCommit"]["title"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("a", "change"), ("README.md", "initial commit")]);
    let many: Vec<String> = (0..501).map(|number| number.to_string()).collect();
    let many = call(&hub, Method::POST, "/paths-info/main", Some(json!({ "paths": many, "expand": true }))).await;
    assert_eq!(many.refusal(), (413, "PayloadTooLarge"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_to_another_branch_is_not_deployed() {
    let (hub, head, _) = page().await;
    hub.reaches("page", "RUNNING").await;
    call(&hub, Method::POST, "/branch/dev", Some(json!({}))).await.expect(200);
    let made = commit_to(&hub, "dev", "", ("dev.txt", "1")).await.expect(200).json()["commitOid"].clone();
    assert_eq!(hub.get(&format!("{PAGE}/revision/dev")).await.json()["sha"], made);
    let info = hub.get(PAGE).await.json();
    assert_eq!((&info["sha"], &info["runtime"]["stage"]), (&json!(head), &json!("RUNNING")));
    assert_eq!(commit_to(&hub, "none", "", ("x", "1")).await.refusal(), (404, "RevisionNotFound"));
    assert_eq!(commit_to(&hub, "refs%2Fpr%2F1", "", ("x", "1")).await.refusal(), (404, "RevisionNotFound"));
    let pull_request = commit_to(&hub, "main", "?create_pr=1", ("x", "1")).await.expect(200).json();
    assert_eq!(hub.get(&format!("{PAGE}/revision/refs%2Fpr%2F1")).await.json()["sha"], pull_request["commitOid"]);
    assert_eq!(hub.get(PAGE).await.json()["sha"], head.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_squashed_deploy_branch_is_built_anew_with_the_same_files() {
    let (hub, head, _) = page().await;
    hub.reaches("page", "RUNNING").await;
    let tree = hub.get(&format!("{PAGE}/tree/main?recursive=1")).await.json();
    call(&hub, Method::POST, "/super-squash/main", Some(json!({ "message": "all in one" }))).await.expect(200);
    let commits = hub.get(&format!("{PAGE}/commits/main")).await.json();
    assert_eq!((commits.as_array().unwrap().len(), &commits[0]["title"]), (1, &json!("all in one")));
    assert_ne!(commits[0]["id"], head.as_str());
    assert_eq!(hub.get(&format!("{PAGE}/tree/main?recursive=1")).await.json(), tree);
    hub.reaches("page", "RUNNING").await;
    assert_eq!(hub.get(PAGE).await.json()["runtime"]["sha"], commits[0]["id"]);
    // A second one has nothing to do but says so by a commit of its own.
    call(&hub, Method::POST, "/super-squash/main", Some(json!({}))).await.expect(200);
}
