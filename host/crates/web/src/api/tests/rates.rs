use axum::Router;
use axum::http::Method;
use http::StatusCode;
use serde_json::json;
use tower::ServiceExt;

use crate::rate::RateLimits;
use crate::router::{AppState, hub_router};
use crate::testing::{Answer, TestHub, request};

/// The same hub with small quotas.
fn strict(hub: &TestHub) -> Router {
    let limits = RateLimits { api: 3, pages: 2, resolvers: 1 };
    hub_router(AppState::new(hub.control.clone()).with_rate_limits(limits))
}

async fn get(router: &Router, path: &str, token: Option<&str>) -> Answer {
    let response = router.clone().oneshot(request(Method::GET, path, token, None)).await.unwrap();
    Answer::read(response).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_told_with_every_answer_and_refused_beyond() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let router = strict(&hub);
    let ada = Some(hub.ada.as_str());
    for left in [2, 1, 0] {
        // An error counts as well as an answer.
        let path = if left == 1 { "/api/spaces/ada/none" } else { "/api/spaces/ada/page" };
        let answer = get(&router, path, ada).await;
        assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"api\";r={left};t=")), "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), Some("\"fixed window\";\"api\";q=3;w=300"));
    }
    let refused = get(&router, "/api/whoami-v2", ada).await;
    assert_eq!(refused.refusal(), (429, "TooManyRequests"));
    assert!(refused.json()["error"].as_str().unwrap().contains("\"api\""), "{refused:?}");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=300).contains(&wait));
    assert_eq!(refused.header("ratelimit"), Some(format!("\"api\";r=0;t={wait}").as_str()));
    assert_eq!(refused.header("x-request-id").unwrap().len(), 32);
    // What waits for a Space goes on.
    for _ in 0..5 {
        let runtime = get(&router, "/api/spaces/ada/page/runtime", ada).await.expect(200);
        assert_eq!(runtime.header("ratelimit"), None);
    }
    // The other quotas, other users, and those who are nobody have their own.
    get(&router, "/spaces/ada/page", ada).await.expect(200);
    get(&router, "/spaces/ada/page/resolve/main/README.md", ada).await.expect(200);
    let refused = get(&router, "/spaces/ada/page/raw/main/README.md", ada).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    get(&router, "/api/whoami-v2", Some(&hub.bob)).await.expect(200);
    get(&router, "/api/spaces", None).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_tokens_have_no_quotas_of_their_own() {
    let hub = TestHub::start().await;
    let router = strict(&hub);
    let mut statuses = Vec::new();
    for number in 0..5 {
        statuses.push(get(&router, "/api/spaces", Some(&format!("sp_{number:036}"))).await.status.as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    get(&router, "/api/spaces", Some(&hub.ada)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_change_changes_nothing() {
    let hub = TestHub::start().await;
    hub.create("page", "static").await;
    let router = strict(&hub);
    for number in 0..5 {
        let body = json!({ "key": format!("K{number}"), "value": "1" });
        let change = request(Method::POST, "/api/spaces/ada/page/variables", Some(&hub.ada), Some(body));
        router.clone().oneshot(change).await.unwrap();
    }
    let variables = hub.get("/api/spaces/ada/page/variables").await.json();
    assert_eq!(variables.as_object().unwrap().len(), 3);
}
