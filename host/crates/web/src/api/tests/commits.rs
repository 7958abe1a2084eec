use axum::body::Body;
use axum::http::{Method, Request};
use futures_util::StreamExt;
use serde_json::json;

use crate::testing::TestHub;

const README: &str = "---\ntitle: New title\nsdk: static\n---\n";

#[tokio::test(flavor = "multi_thread")]
async fn the_stage_has_moved_when_a_commit_is_answered() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.reaches("page", "RUNNING").await;
    let before = hub.get("/api/spaces/ada/page").await.json()["sha"].clone();

    // No build may begin, so that the stage after the answer stays what it is.
    let hold = hub.hold_builds();
    let answer = hub.commit("page", &[("index.html", "<p>new")]).await.expect(200).json();
    assert_eq!(answer["success"], true);
    let head = answer["commitOid"].as_str().unwrap();
    assert_eq!(answer["commitUrl"], format!("http://hub.test/spaces/ada/page/commit/{head}"));
    let runtime = hub.get("/api/spaces/ada/page/runtime").await.json();
    assert_eq!((&runtime["stage"], &runtime["sha"]), (&json!("RUNNING_BUILDING"), &before));

    drop(hold);
    hub.reaches("page", "RUNNING").await;
    assert_eq!(hub.get("/api/spaces/ada/page/runtime").await.json()["sha"], head);
    let releases = hub.get("/api/spaces/ada/page/releases").await.expect(200).json();
    assert_eq!(releases["items"][0]["number"], 2);
    assert_eq!((&releases["items"][0]["live"], &releases["items"][1]["live"]), (&json!(true), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_readme_is_refused_and_nothing_changes() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let before = hub.get("/api/spaces/ada/page").await.json()["sha"].clone();
    for (readme, expected) in [
        ("---\nsdk: cobol\n---\n", "static"),
        ("---\nsdk: [static\n---\n", "YAML"),
        ("---\nsdk: static\ntitle: [1]\n---\n", "title"),
    ] {
        let answer = hub.commit("page", &[("index.html", "new"), ("README.md", readme)]).await.expect(400);
        assert!(answer.json()["errors"][0]["message"].as_str().unwrap().contains(expected), "{expected}: {answer:?}");
        let body = json!({ "content": readme, "repoType": "space" });
        let report = hub.post("/api/validate-yaml", body).await.expect(400).json();
        assert_eq!(report["errors"], answer.json()["errors"]);
    }
    assert_eq!(hub.get("/api/spaces/ada/page").await.json()["sha"], before);

    let fine = hub.post("/api/validate-yaml", json!({ "content": README, "repoType": "space" })).await.expect(200);
    assert_eq!(fine.json(), json!({ "errors": [], "warnings": [] }));
    let missing =
        hub.post("/api/validate-yaml", json!({ "content": "# Title", "repoType": "space" })).await.expect(200);
    assert_eq!(missing.json()["warnings"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_readme_without_front_matter_is_taken_and_shows_as_a_stage() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.reaches("page", "RUNNING").await;
    let served = hub.get("/api/spaces/ada/page/runtime").await.json()["sha"].clone();
    hub.commit("page", &[("README.md", "# Only a title")]).await.expect(200);
    hub.reaches("page", "CONFIG_ERROR").await;
    let runtime = hub.get("/api/spaces/ada/page/runtime").await.json();
    assert!(runtime["errorMessage"].as_str().unwrap().starts_with("Missing configuration in README"), "{runtime}");
    assert_eq!(runtime["sha"], served);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_on_an_outdated_parent_is_refused() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let first = hub.get("/api/spaces/ada/page").await.json()["sha"].clone();
    let header = json!({ "summary": "change", "parentCommit": first });
    hub.commit_with("page", header.clone(), &[("a", "1")]).await.expect(200);
    let answer = hub.commit_with("page", header, &[("a", "2")]).await.expect(412);
    assert!(answer.json()["error"].as_str().unwrap().contains("Please refresh"), "{answer:?}");
    let short = |sha: &str| json!({ "summary": "change", "parentCommit": &sha[..7] });
    let head = hub.get("/api/spaces/ada/page").await.json()["sha"].as_str().unwrap().to_owned();
    hub.commit_with("page", short(first.as_str().unwrap()), &[("a", "2")]).await.expect(412);
    hub.commit_with("page", short(&head), &[("a", "2")]).await.expect(200);
    hub.commit_with("page", json!({ "summary": "s", "parentCommit": "main" }), &[("a", "3")]).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_changes_nothing_is_the_head_as_it_is() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let first = hub.commit("page", &[("a", "1")]).await.expect(200).json();
    let again = hub.commit("page", &[("a", "1")]).await.expect(200).json();
    assert_eq!(first["commitOid"], again["commitOid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn preupload_wants_every_file_and_knows_those_that_are_there() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    hub.commit("page", &[("a/b.txt", "hello\n")]).await.expect(200);
    let head = hub.get("/api/spaces/ada/page").await.json()["sha"].clone();
    let files = json!({ "files": [
        { "path": "a/b.txt", "sample": "aGVsbG8K", "size": 6 },
        { "path": "model.bin", "sample": "AAAA", "size": 50_000_000 },
    ] });
    let answer = hub.post("/api/spaces/ada/page/preupload/main", files).await.expect(200).json();
    assert_eq!(
        answer,
        json!({ "commitOid": head, "files": [
            { "path": "a/b.txt", "uploadMode": "regular", "shouldIgnore": false, "oid": "ce013625030ba8dba906f756967f9e9ca394464a" },
            { "path": "model.bin", "uploadMode": "regular", "shouldIgnore": false },
        ] })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_repository_ignores_is_not_to_be_sent() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let ask = async |rules: Option<&str>| {
        let files = json!([{ "path": "a.log" }, { "path": "x/y.tmp" }, { "path": "index.html" }]);
        let mut body = json!({ "files": files });
        if let Some(rules) = rules {
            body["gitIgnore"] = json!(rules);
        }
        let answer = hub.post("/api/spaces/ada/page/preupload/main", body).await.expect(200).json();
        let files = answer["files"].as_array().unwrap().clone();
        files.iter().map(|file| file["shouldIgnore"].as_bool().unwrap()).collect::<Vec<bool>>()
    };
    assert_eq!(ask(None).await, [false, false, false]);
    hub.commit("page", &[(".gitignore", "*.log\n")]).await.expect(200);
    assert_eq!(ask(None).await, [true, false, false]);
    assert_eq!(ask(Some("x/\n")).await, [false, true, false], "what is about to be committed counts");
    let huge = json!({ "files": [], "gitIgnore": "a\n".repeat(100_000) });
    hub.post("/api/spaces/ada/page/preupload/main", huge).await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_that_cannot_be_made_say_why() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let send = async |query: &str, lines: &str| {
        let request = Request::post(format!("/api/spaces/ada/page/commit/{query}"))
            .header("authorization", format!("Bearer {}", hub.ada))
            .body(Body::from(format!("{{\"key\":\"header\",\"value\":{{\"summary\":\"s\"}}}}\n{lines}")))
            .unwrap();
        hub.send(request).await
    };
    let delete = "{\"key\":\"deletedFile\",\"value\":{\"path\":\"nope\"}}";
    let lfs = "{\"key\":\"lfsFile\",\"value\":{\"path\":\"x\",\"algo\":\"sha256\",\"oid\":\"0\",\"size\":1}}";
    let escape = "{\"key\":\"file\",\"value\":{\"path\":\"../x\",\"content\":\"\"}}";
    let git = "{\"key\":\"file\",\"value\":{\"path\":\".git/config\",\"content\":\"\"}}";
    for (query, lines, refusal, expected) in [
        ("main", delete, (404, "EntryNotFound"), "A file with this name doesn't exist"),
        ("main", lfs, (400, "BadRequest"), "SHA-256"),
        ("main", escape, (400, "BadRequest"), "../x"),
        ("main", git, (400, "BadRequest"), ".git/config"),
        ("main", "{", (400, "BadRequest"), "Line 2"),
        ("none?create_pr=1", "", (404, "RevisionNotFound"), "none"),
        ("other", "", (404, "RevisionNotFound"), "other"),
    ] {
        let answer = send(query, lines).await;
        assert_eq!(answer.refusal(), refusal, "{expected}: {answer:?}");
        assert!(answer.json()["error"].as_str().unwrap().contains(expected), "{expected}: {answer:?}");
    }
    let stranger = Request::post("/api/spaces/ada/page/commit/main")
        .header("authorization", format!("Bearer {}", hub.bob))
        .body(Body::empty())
        .unwrap();
    assert_eq!(hub.send(stranger).await.refusal(), (403, "Forbidden"));
}

#[tokio::test]
async fn a_large_body_that_trickles_in_loses_its_turn() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let start = "{\"key\":\"header\",\"value\":{\"summary\":\"s\"}}\n".to_owned() + &"\n".repeat(9 << 20);
    let trickle = futures_util::stream::unfold(Some(start), |first| async move {
        let piece = match first {
            Some(first) => first,
            None => {
                tokio::time::sleep(std::time::Duration::from_secs(30)).await;
                "\n".to_owned()
            }
        };
        Some((Ok::<_, std::convert::Infallible>(piece), None))
    });
    let request = Request::post("/api/spaces/ada/page/commit/main")
        .header("authorization", format!("Bearer {}", hub.ada))
        .body(Body::from_stream(trickle.take(200)))
        .unwrap();
    // Nothing else may be under way: git would be late at once.
    hub.reaches("page", "RUNNING").await;
    tokio::time::pause();
    assert_eq!(hub.send(request).await.refusal(), (408, "RequestTimeout"));
    tokio::time::resume();
    hub.commit("page", &[("a", "1")]).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announced_body_that_is_too_large_is_refused_unread() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let request = Request::builder()
        .method(Method::POST)
        .uri("/api/spaces/ada/page/commit/main")
        .header("authorization", format!("Bearer {}", hub.ada))
        .header("content-length", (201u64 << 20).to_string())
        .body(Body::empty())
        .unwrap();
    assert_eq!(hub.send(request).await.refusal(), (413, "PayloadTooLarge"));
}
