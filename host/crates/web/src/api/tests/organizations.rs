//! Organizations over HTTP: what everybody sees, what members do, what administrators of the host do.

use http::Method;
use serde_json::{Value, json};

use crate::admin::admin_socket_router;
use crate::testing::{Answer, TestHub, request};

impl TestHub {
    /// A request of somebody's.
    pub(super) async fn by(&self, token: &str, method: Method, path: &str, body: Value) -> Answer {
        self.send(request(method, path, Some(token), Some(body).filter(|body| !body.is_null()))).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_makes_an_organization_and_manages_it() {
    let hub = TestHub::start().await;
    let made = hub.post("/api/organizations", json!({ "name": "lab" })).await.expect(200).json();
    assert_eq!((&made["type"], &made["name"]), (&json!("org"), &json!("lab")));
    let bob = "/api/organizations/lab/members/bob";
    for (role, status) in [("write", 200), ("contributor", 200), ("owner", 400), ("", 400)] {
        hub.call(Method::PUT, bob, Some(json!({ "role": role }))).await.expect(status);
    }
    hub.call(Method::PUT, bob, Some(json!({}))).await.expect(400);
    hub.call(Method::PUT, "/api/organizations/lab/members/nobody", Some(json!({ "role": "read" }))).await.expect(404);
    hub.call(Method::PUT, "/api/organizations/none/members/bob", Some(json!({ "role": "read" }))).await.expect(404);

    let who = hub.by(&hub.bob, Method::GET, "/api/whoami-v2", Value::Null).await.expect(200).json();
    let org = &who["orgs"][0];
    assert_eq!(
        (&org["type"], &org["name"], &org["roleInOrg"]),
        (&json!("org"), &json!("lab"), &json!("contributor")),
        "{who}"
    );
    let overview = hub.get("/api/organizations/lab/overview").await.expect(200).json();
    assert_eq!((&overview["numUsers"], &overview["numSpaces"]), (&json!(2), &json!(0)));
    let profile = hub.get("/api/users/bob/overview").await.expect(200).json();
    assert_eq!(profile["orgs"][0]["name"], "lab");

    // Everybody sees who is in it, members what they are there.
    let list = async |token: Option<&str>| {
        let answer = hub.send(request(Method::GET, "/api/organizations/lab/members", token, None)).await.expect(200);
        assert_eq!(answer.header("x-total-count"), Some("2"));
        let list = answer.json();
        let of = |index: usize| (list[index]["user"].clone(), list[index]["role"].clone());
        (of(0), of(1))
    };
    let open = ((json!("ada"), Value::Null), (json!("bob"), Value::Null));
    assert_eq!(list(None).await, open);
    let inside = ((json!("ada"), json!("admin")), (json!("bob"), json!("contributor")));
    assert_eq!(list(Some(&hub.bob)).await, inside);
    let page = hub.get("/api/organizations/lab/members?limit=1").await.expect(200);
    assert!(page.header("link").unwrap().contains("/api/organizations/lab/members?limit=1&cursor=1"), "{page:?}");

    // A member manages nothing but leaves; the last admin does not.
    let ada = "/api/organizations/lab/members/ada";
    hub.by(&hub.bob, Method::PUT, bob, json!({ "role": "admin" })).await.expect(403);
    hub.by(&hub.bob, Method::DELETE, ada, Value::Null).await.expect(403);
    hub.by(&hub.bob, Method::DELETE, "/api/organizations/lab", Value::Null).await.expect(403);
    hub.send(request(Method::DELETE, bob, None, None)).await.expect(401);
    hub.call(Method::DELETE, ada, None).await.expect(409);
    hub.by(&hub.bob, Method::DELETE, bob, Value::Null).await.expect(204);
    hub.call(Method::DELETE, "/api/organizations/lab", None).await.expect(204);
    hub.get("/api/organizations/lab/overview").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn spaces_of_an_organization_are_made_moved_copied_and_listed() {
    let hub = TestHub::start().await;
    hub.post("/api/organizations", json!({ "name": "lab" })).await.expect(200);
    let body = json!({ "name": "page", "organization": "lab", "type": "space", "sdk": "static", "private": true });
    hub.by(&hub.bob, Method::POST, "/api/repos/create", body.clone()).await.expect(403);
    let made = hub.post("/api/repos/create", body).await.expect(200).json();
    assert_eq!(made["name"], "lab/page");
    hub.by(&hub.bob, Method::GET, "/api/spaces/lab/page", Value::Null).await.expect(404);
    let repositories = "/api/organizations/lab/settings/repositories";
    hub.by(&hub.bob, Method::GET, repositories, Value::Null).await.expect(403);

    hub.call(Method::PUT, "/api/organizations/lab/members/bob", Some(json!({ "role": "contributor" })))
        .await
        .expect(200);
    let list = hub.by(&hub.bob, Method::GET, repositories, Value::Null).await.expect(200).json();
    assert_eq!(list[0]["id"], "lab/page");
    hub.by(&hub.bob, Method::GET, "/api/spaces/lab/page", Value::Null).await.expect(200);
    hub.by(&hub.bob, Method::GET, "/api/spaces/lab/page/auth-check", Value::Null).await.expect(200);
    hub.by(&hub.bob, Method::GET, "/api/spaces/lab/page/auth-check/write", Value::Null).await.expect(403);
    hub.by(&hub.bob, Method::POST, "/api/spaces/lab/page/duplicate", json!({ "repository": "lab/copy" }))
        .await
        .expect(200);
    hub.by(&hub.bob, Method::GET, "/api/spaces/lab/copy/auth-check/write", Value::Null).await.expect(200);
    let out = json!({ "fromRepo": "lab/copy", "toRepo": "bob/copy", "type": "space" });
    hub.by(&hub.bob, Method::POST, "/api/repos/move", out).await.expect(403);
    let out = json!({ "fromRepo": "lab/copy", "toRepo": "ada/copy", "type": "space" });
    hub.post("/api/repos/move", out).await.expect(200);
    hub.call(Method::DELETE, "/api/organizations/lab", None).await.expect(409);
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_have_a_row_for_each_organization() {
    let hub = TestHub::start().await;
    let root = hub.administrator("root").await;
    let root = async |method, path: &str, body: Value| hub.by(&root, method, path, body).await;
    let rows = "/api/admin/organizations";
    let new = json!({ "name": "lab", "owner": "ada" });
    hub.post(rows, new.clone()).await.expect(403);
    hub.send(request(Method::GET, rows, None, None)).await.expect(401);
    root(Method::POST, rows, json!({ "name": "lab" })).await.expect(400);
    root(Method::POST, rows, json!({ "name": "lab", "owner": "nobody" })).await.expect(404);
    let made = root(Method::POST, rows, new.clone()).await.expect(200).json();
    assert_eq!(made["name"], "lab");
    root(Method::POST, rows, new).await.expect(409);
    root(Method::POST, rows, json!({ "name": "zoo", "owner": "bob" })).await.expect(200);

    let list = root(Method::GET, "/api/admin/organizations?limit=1", Value::Null).await.expect(200).json();
    assert_eq!((list["items"].as_array().unwrap().len(), &list["items"][0]["name"]), (1, &json!("lab")));
    let next = list["next"].as_str().unwrap().to_owned();
    let next = &next[next.find(rows).unwrap()..];
    let list = root(Method::GET, next, Value::Null).await.expect(200).json();
    assert_eq!((&list["items"][0]["name"], &list["next"]), (&json!("zoo"), &Value::Null));

    let bob = "/api/admin/organizations/lab/members/bob";
    hub.call(Method::PUT, bob, Some(json!({ "role": "read" }))).await.expect(403);
    root(Method::PUT, bob, json!({ "role": "admin" })).await.expect(200);
    let row = root(Method::GET, "/api/admin/organizations/lab", Value::Null).await.expect(200).json();
    let members: Vec<_> = row["members"].as_array().unwrap().iter().map(|one| (&one["user"], &one["role"])).collect();
    assert_eq!(members, [(&json!("ada"), &json!("admin")), (&json!("bob"), &json!("admin"))]);
    root(Method::DELETE, "/api/admin/organizations/lab/members/ada", Value::Null).await.expect(204);
    root(Method::DELETE, bob, Value::Null).await.expect(409);
    root(Method::DELETE, "/api/admin/organizations/lab", Value::Null).await.expect(204);
    root(Method::GET, "/api/admin/organizations/lab", Value::Null).await.expect(404);
    root(Method::GET, "/api/admin/organizations/ada", Value::Null).await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shell_makes_an_organization_over_the_socket() {
    let hub = TestHub::start().await;
    let socket = admin_socket_router(hub.control.clone());
    let ask = async |body: Value| {
        use tower::ServiceExt;
        let sent = request(Method::POST, "/organizations", None, Some(body));
        Answer::read(socket.clone().oneshot(sent).await.unwrap()).await
    };
    let made = ask(json!({ "name": "lab", "owner": "ada" })).await.expect(200).json();
    assert_eq!(made["name"], "lab");
    for (body, status) in [
        (json!({ "name": "lab", "owner": "ada" }), 409),
        (json!({ "name": "zoo", "owner": "nobody" }), 404),
        (json!({ "name": "a b", "owner": "ada" }), 400),
        (json!({ "name": "zoo" }), 400),
    ] {
        ask(body).await.expect(status);
    }
    let who = hub.get("/api/whoami-v2").await.expect(200).json();
    assert_eq!(who["orgs"][0]["roleInOrg"], "admin");
}
