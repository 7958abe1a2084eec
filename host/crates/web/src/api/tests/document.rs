//! The document of the API against the routes, and against the table that says whom each lets in.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use super::inventory::routes;
use super::inventory::table::{self, SEE};
use crate::document::{LEFT_OUT, documented};
use crate::testing::{TestHub, request};

/// The document as everybody gets it.
pub(super) async fn document(hub: &TestHub) -> Value {
    hub.send(request(Method::GET, "/api/openapi.json", None, None)).await.expect(200).json()
}

/// What the document says of a route, if it has it.
pub(super) fn operation<'a>(document: &'a Value, route: &str) -> Option<&'a Value> {
    let (method, path) = route.split_once(' ').unwrap();
    document["paths"].get(documented(path).0)?.get(method.to_lowercase())
}

fn is_left_out(route: &str) -> bool {
    let route = format!("{route} ");
    LEFT_OUT.iter().any(|(start, _)| route.starts_with(start))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_in_the_document_or_left_out_with_a_reason() {
    let document = document(&TestHub::start().await).await;
    let routes = routes::all();
    let missing: Vec<_> =
        routes.iter().filter(|route| operation(&document, route).is_none() && !is_left_out(route)).collect();
    assert!(missing.is_empty(), "add these by Described, with a description: {missing:#?}");
    let both: Vec<_> =
        routes.iter().filter(|route| operation(&document, route).is_some() && is_left_out(route)).collect();
    assert!(both.is_empty(), "these are in the document and left out: {both:#?}");
    for (start, _) in LEFT_OUT {
        assert!(routes.iter().any(|route| format!("{route} ").starts_with(start)), "nothing begins with {start:?}");
    }
    let operations: usize =
        document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum();
    assert_eq!(operations, routes.iter().filter(|route| !is_left_out(route)).count(), "two routes are told as one");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_who_needs_a_token() {
    let document = document(&TestHub::start().await).await;
    let mut wrong = Vec::new();
    for row in table::rows() {
        let Some(operation) = operation(&document, row.route) else { continue };
        let security = operation["security"].as_array().unwrap();
        let needs_token = !security.is_empty() && !security.contains(&json!({}));
        let lets_anybody_in = row.expected == SEE || row.expected.starts_with('.');
        if needs_token == lets_anybody_in {
            wrong.push(row.route);
        }
    }
    assert!(wrong.is_empty(), "in the document these are not for whom they are: {wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_has_a_name_a_sentence_and_its_refusals() {
    let document = document(&TestHub::start().await).await;
    let mut names = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{method} {path}: {name} is the name of another");
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name}");
            assert!(operation["summary"].as_str().unwrap().ends_with('.'), "{method} {path}");
            let answers = operation["responses"].as_object().unwrap();
            let is_refused = || answers.contains_key("400");
            assert!(answers.keys().any(|status| status.starts_with(['2', '3'])) || is_refused(), "{method} {path}");
            for (status, answer) in answers.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
                let name = answer["$ref"].as_str().map(|name| name.rsplit('/').next().unwrap());
                let shared = name.map(|name| &document["components"]["responses"][name]);
                let answer = shared.unwrap_or(answer);
                assert!(answer["description"].is_string(), "{method} {path}: {status}");
                assert!(status == "416" || answer["headers"]["X-Error-Code"].is_object(), "{method} {path}: {status}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_special_about_a_route_is_told() {
    let document = document(&TestHub::start().await).await;
    let of = |route: &str| operation(&document, route).unwrap_or_else(|| panic!("{route}"));
    let has = |route: &str, status: &str| of(route)["responses"].get(status).is_some();
    let kind = |route: &str, status: &str| {
        let content = of(route)["responses"][status]["content"].as_object().unwrap_or_else(|| panic!("{route}"));
        content.keys().next().unwrap().clone()
    };
    assert_eq!(kind("GET /api/spaces/{owner}/{name}/logs/{param}", "200"), "text/event-stream");
    assert_eq!(kind("GET /spaces/{owner}/{name}/resolve/{rev}/{*path}", "206"), "application/octet-stream");
    assert_eq!(kind("GET /api/spaces/{owner}/{name}/auth-check", "200"), "text/plain");
    let commit = of("POST /api/spaces/{owner}/{name}/commit/{rev}");
    assert!(commit["requestBody"]["content"]["application/x-ndjson"].is_object(), "{commit}");
    assert!(commit["responses"].get("412").is_some(), "{commit}");
    assert!(has("POST /api/repos/create", "409") && has("POST /api/repos/create", "413"));
    // How a Space runs is asked again and again, and not counted.
    assert!(!has("GET /api/spaces/{owner}/{name}/runtime", "429") && has("GET /api/spaces/{owner}/{name}", "429"));
    let log = &of("GET /api/spaces/{owner}/{name}/logs/{param}")["parameters"][2];
    assert_eq!((&log["name"], &log["schema"]["enum"]), (&json!("log"), &json!(["run", "build"])));
    let rows = &of("GET /api/admin/grants")["responses"]["200"]["content"]["application/json"]["schema"];
    assert_eq!(rows["properties"]["items"]["items"], json!({ "$ref": "#/components/schemas/Grant" }));
}
