use axum::http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::testing::{Answer, TestHub, request};

async fn as_bob(hub: &TestHub, method: Method, path: &str) -> Answer {
    hub.send(request(method, path, Some(&hub.bob), None)).await
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().trim_start_matches("ada/")).collect()
}

/// A hub with three Spaces that differ in what their READMEs say, made in the order of their names.
async fn three() -> TestHub {
    let hub = TestHub::start().await;
    for (name, matter) in [
        ("alpha", "title: Image Upscaler\ntags: [vision, template]\nmodels: [a/m1, a/m2]\nemoji: 🚀"),
        ("beta", "title: Words\nshort_description: Makes an image of words\ndatasets: [a/d1]\nmodels: [a/m1]"),
        ("gamma", "title: Sound\ntags: [audio]"),
    ] {
        hub.create(name, "static").await;
        let readme = format!("---\nsdk: static\n{matter}\n---\n");
        hub.commit(name, &[("README.md", &readme)]).await.expect(200);
        hub.reaches(name, "RUNNING").await;
    }
    hub
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_filtered_by_what_the_readmes_say() {
    let hub = three().await;
    for (query, expected) in [
        ("", vec!["gamma", "beta", "alpha"]),
        ("?filter=vision", vec!["alpha"]),
        ("?filter=static&filter=audio", vec!["gamma"]),
        ("?filter=vision&filter=audio", vec![]),
        ("?models=a/m1", vec!["beta", "alpha"]),
        ("?models=a/m1&models=a%2Fm2", vec!["alpha"]),
        ("?datasets=a/d1", vec!["beta"]),
        ("?linked=true", vec!["beta", "alpha"]),
        ("?linked=True&filter=vision", vec!["alpha"]),
        ("?search=UPSCALER", vec!["alpha"]),
        ("?search=amm", vec!["gamma"]),
        ("?author=ADA", vec!["gamma", "beta", "alpha"]),
        ("?author=bob", vec![]),
        ("?author=..%2F", vec![]),
        ("?sort=createdAt", vec!["gamma", "beta", "alpha"]),
        ("?sort=created_at&direction=1", vec!["alpha", "beta", "gamma"]),
        ("?sort=lastModified&direction=-1", vec!["gamma", "beta", "alpha"]),
    ] {
        assert_eq!(ids(&hub.get(&format!("/api/spaces{query}")).await.expect(200).json()), expected, "{query}");
    }
    assert_eq!(hub.get("/api/spaces?sort=price").await.refusal(), (400, "BadRequest"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_comes_in_pages_that_repeat_the_query() {
    let hub = three().await;
    let mut next = Some("/api/spaces?limit=1&filter=static&expand=sdk".to_owned());
    let mut seen = Vec::new();
    while let Some(address) = next {
        let page = hub.get(&address).await.expect(200);
        assert_eq!(page.header("x-total-count"), Some("3"));
        let item = &page.json()[0];
        assert_eq!(item.as_object().unwrap().keys().collect::<Vec<_>>(), ["_id", "id", "sdk"]);
        seen.extend(ids(&page.json()).into_iter().map(str::to_owned));
        next = page.header("link").map(|link| {
            let address = link.strip_prefix("<http://hub.test").unwrap().strip_suffix(">; rel=\"next\"").unwrap();
            assert!(address.contains("filter=static") && address.contains("limit=1"), "{address}");
            address.to_owned()
        });
    }
    assert_eq!(seen, ["gamma", "beta", "alpha"]);
    for query in ["limit=0", "limit=x", "cursor=999", "cursor=-1", "limit=99999999999999999999"] {
        hub.get(&format!("/api/spaces?{query}")).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_list_has_the_files_and_the_heads() {
    let hub = three().await;
    let full = hub.get("/api/spaces?full=True&filter=vision").await.expect(200).json();
    let alone = hub.get("/api/spaces/ada/alpha").await.json();
    assert_eq!((&full[0]["siblings"], &full[0]["sha"]), (&alone["siblings"], &alone["sha"]));
    assert_eq!(full[0]["cardData"]["title"], "Image Upscaler");
    assert_eq!(full[0]["models"], json!(["a/m1", "a/m2"]));
    let siblings = hub.get("/api/spaces?expand=siblings&search=alpha").await.json();
    assert_eq!(siblings[0]["siblings"], alone["siblings"]);
    assert_eq!(hub.get("/api/spaces?search=alpha").await.json()[0].get("siblings"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn likes_are_counted_listed_and_taken_back() {
    let hub = three().await;
    let (like, likers) = ("/api/spaces/ada/alpha/like", "/api/spaces/ada/alpha/likers");
    for _ in 0..2 {
        as_bob(&hub, Method::POST, like).await.expect(200);
    }
    hub.post(like, Value::Null).await.expect(200);
    hub.post("/api/spaces/ada/beta/like", Value::Null).await.expect(200);
    let info = hub.get("/api/spaces/ada/alpha").await.json();
    assert_eq!((&info["likes"], &info["trendingScore"]), (&json!(2), &json!(2)));
    for sort in ["likes", "trendingScore"] {
        let list = hub.get(&format!("/api/spaces?sort={sort}")).await.json();
        assert_eq!((ids(&list), &list[0]["likes"]), (vec!["alpha", "beta", "gamma"], &json!(2)), "{sort}");
    }
    let listed = hub.get(&format!("{likers}?limit=1")).await.expect(200);
    assert_eq!((listed.json().as_array().unwrap().len(), listed.header("x-total-count")), (1, Some("2")));
    assert!(listed.header("link").unwrap().contains("/api/spaces/ada/alpha/likers?limit=1&cursor=1>"));
    let users = hub.get(likers).await.json();
    let mut names: Vec<&str> = users.as_array().unwrap().iter().map(|user| user["user"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, ["ada", "bob"]);
    assert!(users[0]["fullname"].is_string() && users[0]["avatarUrl"].is_string());
    let liked = hub.get("/api/users/ada/likes").await.expect(200).json();
    assert_eq!(liked.as_array().unwrap().len(), 2);
    assert_eq!(
        (&liked[0]["repo"]["type"], &hub.get("/api/users/ada/overview").await.json()["numLikes"]),
        (&json!("space"), &json!(2))
    );

    as_bob(&hub, Method::DELETE, like).await.expect(200);
    as_bob(&hub, Method::DELETE, like).await.expect(200);
    assert_eq!(hub.get("/api/spaces/ada/alpha").await.json()["likes"], 1);
    hub.send(request(Method::POST, like, None, None)).await.expect(401);
    assert_eq!(hub.post("/api/spaces/ada/none/like", Value::Null).await.refusal(), (404, "RepoNotFound"));

    as_bob(&hub, Method::POST, like).await.expect(200);
    hub.call(Method::PUT, "/api/spaces/ada/alpha/settings", Some(json!({ "private": true }))).await.expect(200);
    assert_eq!(as_bob(&hub, Method::GET, "/api/users/bob/likes").await.expect(200).json(), json!([]));
    assert_eq!(as_bob(&hub, Method::DELETE, like).await.refusal(), (404, "RepoNotFound"));
    hub.call(Method::DELETE, "/api/repos/delete", Some(json!({ "name": "alpha", "type": "space" }))).await.expect(200);
    assert_eq!(hub.get("/api/users/ada/likes").await.json().as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_told_of_by_name_and_by_id() {
    let hub = three().await;
    hub.call(Method::PUT, "/api/spaces/ada/alpha/settings", Some(json!({ "private": true }))).await.expect(200);
    let by_name = as_bob(&hub, Method::GET, "/api/users/Ada/overview").await.expect(200).json();
    assert_eq!((&by_name["user"], &by_name["numSpaces"]), (&json!("ada"), &json!(2)));
    let id = by_name["_id"].as_str().unwrap();
    let by_id = hub.get(&format!("/api/users/{id}/overview")).await.expect(200).json();
    assert_eq!((&by_id["user"], &by_id["numSpaces"]), (&json!("ada"), &json!(3)));
    for path in [
        "users/nobody/overview",
        "users/..%2Fx/overview",
        "users/bad--name/likes",
        "organizations/ada/overview",
        "users/nobody/followers",
        "organizations/nobody/followers",
    ] {
        hub.get(&format!("/api/{path}")).await.expect(404);
    }
    assert_eq!(hub.get("/api/users/ada/followers").await.expect(200).json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_are_found_by_words_best_first() {
    let hub = three().await;
    let search = async |query: &str| hub.get(&format!("/api/spaces/semantic-search?{query}")).await;
    let found = search("q=image+words").await.expect(200).json();
    assert_eq!(ids(&found), ["beta", "alpha"]);
    assert!(found[0]["semanticRelevancyScore"].as_f64() > found[1]["semanticRelevancyScore"].as_f64());
    assert_eq!((&found[1]["title"], &found[1]["emoji"]), (&json!("Image Upscaler"), &json!("🚀")));
    assert_eq!(found[0]["ai_short_description"], "Makes an image of words");
    assert_eq!(ids(&search("q=image&filter=vision").await.json()), ["alpha"]);
    assert_eq!(ids(&search("q=image&sdk=wasm").await.json()), Vec::<&str>::new());
    hub.create("waiting", "wasm").await;
    hub.reaches("waiting", "NO_APP_FILE").await;
    assert_eq!(ids(&search("q=waiting").await.json()), Vec::<&str>::new());
    assert_eq!(ids(&search("q=waiting&includeNonRunning=true").await.json()), ["waiting"]);
    assert_eq!(search("").await.refusal(), (400, "BadRequest"));
    hub.call(Method::PUT, "/api/spaces/ada/alpha/settings", Some(json!({ "private": true }))).await.expect(200);
    let found = as_bob(&hub, Method::GET, "/api/spaces/semantic-search?q=upscaler").await.expect(200);
    assert_eq!(found.json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_space_is_made_from_one_that_is_tagged_as_template() {
    let hub = three().await;
    let templates = hub.get("/api/spaces/templates").await.expect(200).json();
    let expected = json!({ "templates": [
        { "name": "Image Upscaler", "repoId": "ada/alpha", "sdk": "static", "preferredPrivate": false },
    ] });
    assert_eq!(templates, expected);
    let body = json!({ "name": "mine", "type": "space", "sdk": "static", "template": "ada/alpha", "private": true });
    hub.send(request(Method::POST, "/api/repos/create", Some(&hub.bob), Some(body))).await.expect(200);
    let mine = as_bob(&hub, Method::GET, "/api/spaces/bob/mine").await.expect(200).json();
    assert_eq!((&mine["cardData"]["title"], &mine["private"]), (&json!("Image Upscaler"), &json!(true)));
    for template in ["ada/none", "nonsense", "../x"] {
        let body = json!({ "name": "other", "type": "space", "sdk": "static", "template": template });
        let answer = hub.post("/api/repos/create", body).await.expect(400);
        assert!(answer.json()["error"].as_str().unwrap().contains("templates"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_none_of_is_told_as_none() {
    let hub = three().await;
    let quota = hub.get("/api/spaces/zero-gpu/quota").await.expect(200).json();
    assert_eq!(quota, json!({ "base": 0, "current": 0, "resetsAt": null, "overquotaUsed": 0 }));
    hub.send(request(Method::GET, "/api/spaces/zero-gpu/quota", None, None)).await.expect(401);
    let path = "/api/spaces/ada/alpha/discussions";
    let list = hub.get(&format!("{path}?p=0&type=all&status=open")).await.expect(200).json();
    assert_eq!((&list["count"], &list["start"], &list["discussions"]), (&json!(0), &json!(0), &json!([])));
    hub.call(Method::HEAD, path, None).await.expect(200);
    assert_eq!(hub.get(&format!("{path}/1")).await.refusal(), (404, "DiscussionNotFound"));
    assert_eq!(hub.get("/api/spaces/ada/none/discussions").await.refusal(), (404, "RepoNotFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_comes_as_events_for_the_owner() {
    let hub = three().await;
    let metrics = |token| request(Method::GET, "/api/spaces/ada/alpha/metrics", token, None);
    let answer = hub.router.clone().oneshot(metrics(Some(hub.ada.as_str()))).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let frame = answer.into_body().frame().await.unwrap().unwrap().into_data().unwrap();
    let reading: Value = serde_json::from_slice(frame.strip_prefix(b"data: ").unwrap()).unwrap();
    assert_eq!((&reading["cpu_millicores"], &reading["memory_total_bytes"]), (&json!(2000), &json!(16_000_000_000u64)));
    assert_eq!(hub.send(metrics(Some(hub.bob.as_str()))).await.status, 403);
    assert_eq!(hub.send(metrics(None)).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_sees_what_repositories_take() {
    let hub = three().await;
    let path = "/api/settings/repositories";
    let page = hub.get(&format!("{path}?limit=2")).await.expect(200);
    assert_eq!((page.json().as_array().unwrap().len(), page.header("x-total-count")), (2, Some("3")));
    assert!(page.header("link").unwrap().contains("/api/settings/repositories?limit=2&cursor=2>"));
    let before = hub.get(path).await.json()[0].clone();
    assert_eq!(
        (&before["id"], &before["type"], &before["visibility"]),
        (&json!("ada/gamma"), &json!("space"), &json!("public"))
    );
    let noise: String =
        (0..20_000u32).map(|n| char::from(b'!' + (n.wrapping_mul(2_654_435_761) >> 24) as u8 % 90)).collect();
    hub.commit("gamma", &[("noise.txt", &noise)]).await.expect(200);
    let after = hub.get(path).await.json()[0].clone();
    assert!(after["storage"].as_u64() > before["storage"].as_u64(), "{before} {after}");
    hub.send(request(Method::GET, path, None, None)).await.expect(401);
    assert_eq!(as_bob(&hub, Method::GET, path).await.expect(200).json(), json!([]));
    as_bob(&hub, Method::GET, "/api/organizations/ada/settings/repositories").await.expect(403);
}
