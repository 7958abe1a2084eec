//! Input that is wrong, at every route that takes any: the refusal is the one that clients know, and its status, code and
//! words are in the places where they look. What each route takes is read from the document, which is thereby checked, too.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::document::{document, operation};
use super::inventory::table::{self, Row};
use super::inventory::{ADMIN, ADMINISTRATOR, Lab};
use crate::testing::{Answer, request};

/// More than any JSON body may have.
const TOO_LARGE: usize = 5 << 20;
/// Takes whatever is sent and answers the same, so that nobody learns what a token is.
const ALWAYS_ACCEPTED: &str = "POST /api/credentials/revoke";
/// The form of a body that is not the one that was expected, as it is told.
const UNEXPECTED: &str = "The body is not the JSON that is expected";

/// How it is refused.
const BAD: (u16, &str) = (400, "BadRequest");

/// A route that takes a JSON body.
struct Taker {
    row: Row,
    schema: Value,
}

/// Every route that takes a JSON body, and no other kind.
async fn takers(lab: &Lab) -> Vec<Taker> {
    let document = document(&lab.hub).await;
    let takers = table::rows().into_iter().filter(|row| row.route != ALWAYS_ACCEPTED).filter_map(|row| {
        let content = operation(&document, row.route)?["requestBody"]["content"].as_object()?.clone();
        let schema = content.get("application/json").filter(|_| content.len() == 1)?["schema"].clone();
        Some(Taker { row, schema })
    });
    let takers: Vec<Taker> = takers.collect();
    assert!(takers.len() > 35, "the bodies are not found any more: {}", takers.len());
    takers
}

/// Asks as somebody who may.
async fn send(lab: &Lab, row: &Row, body: impl Into<Vec<u8>>) -> Answer {
    let who = if row.route.contains(" /api/admin/") { ADMINISTRATOR } else { ADMIN };
    let token = lab.tokens[who].as_deref().unwrap();
    let request = Request::builder()
        .method(row.method())
        .uri(row.address())
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(body.into()));
    lab.hub.send(request.unwrap()).await
}

/// What is wrong, all of it: one run shows everything.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    /// Looks whether an answer is a refusal as clients read one; its words.
    fn refusal(&mut self, answer: &Answer, (status, code): (u16, &str), context: &str) -> String {
        let words = serde_json::from_slice::<Value>(&answer.body).unwrap_or_default();
        let words = words["error"].as_str().unwrap_or_default().to_owned();
        let has = |name| answer.header(name).is_some_and(|value| !value.is_empty());
        let is_told = !words.is_empty() && has("x-error-message") && has("x-request-id");
        self.unless(answer.refusal() == (status, code) && is_told, context, answer);
        words
    }

    fn unless(&mut self, is_right: bool, context: &str, answer: &Answer) {
        if !is_right {
            self.0.push(format!("{context}: {:?}: {}", answer.refusal(), String::from_utf8_lossy(&answer.body)));
        }
    }

    #[track_caller]
    fn must_be_none(self) {
        assert!(self.0.is_empty(), "{}", self.0.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_an_object_of_json_or_is_refused() {
    let lab = Lab::start().await;
    let bodies: [&[u8]; 11] = [
        b"[]",
        b"[\"A\", \"1\", null]",
        b"null",
        b"7",
        b"\"x\"",
        b"{",
        b"{} {}",
        b"key=A&value=1",
        b"\xff\xfe",
        b"{\"key\": \"\xff\", \"surprise\": ",
        b" ",
    ];
    let mut wrong = Wrong::default();
    for Taker { row, .. } in takers(&lab).await {
        for body in bodies {
            let answer = send(&lab, &row, body).await;
            let context = format!("{}: {}", row.route, String::from_utf8_lossy(body));
            wrong.refusal(&answer, BAD, &context);
        }
        let huge = format!("{{\"surprise\": \"{}\"}}", "x".repeat(TOO_LARGE));
        wrong.refusal(&send(&lab, &row, huge).await, (413, "PayloadTooLarge"), row.route);
    }
    wrong.must_be_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_the_wrong_type_is_refused_by_its_type() {
    let lab = Lab::start().await;
    let (mut seen, mut wrong) = (0, Wrong::default());
    for Taker { row, schema } in takers(&lab).await {
        for (name, member) in schema["properties"].as_object().unwrap() {
            let Some(other) = of_another_type(member) else { continue };
            let answer = send(&lab, &row, json!({ name: other }).to_string()).await;
            let context = format!("{}: {name}", row.route);
            let words = wrong.refusal(&answer, BAD, &context);
            wrong.unless(words.starts_with(UNEXPECTED) && words.contains("invalid type"), &context, &answer);
            seen += 1;
        }
    }
    wrong.must_be_none();
    assert!(seen > 70, "{seen}");
}

/// Something that is not what a member is said to be; `None`: it may be anything.
fn of_another_type(member: &Value) -> Option<Value> {
    let word = member["type"].as_str().or_else(|| member["type"][0].as_str());
    match word {
        Some("string" | "object") => Some(json!(7)),
        Some("integer" | "boolean" | "array" | "number") => Some(json!("x")),
        _ if member.get("anyOf").is_some() || member.get("$ref").is_some() => Some(json!(7)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_member_is_refused_where_that_is_said() {
    let lab = Lab::start().await;
    let exact = takers(&lab).await.into_iter().filter(|taker| taker.schema["additionalProperties"] == json!(false));
    let (mut seen, mut wrong) = (0, Wrong::default());
    for Taker { row, .. } in exact {
        let answer = send(&lab, &row, r#"{"surprise":1}"#).await;
        let words = wrong.refusal(&answer, BAD, row.route);
        wrong.unless(words.contains("unknown field `surprise`"), row.route, &answer);
        seen += 1;
    }
    wrong.must_be_none();
    assert!(seen >= 10, "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_is_needed_is_asked_for() {
    let lab = Lab::start().await;
    let mut wrong = Wrong::default();
    for Taker { row, schema } in takers(&lab).await {
        if !schema["required"].as_array().unwrap().is_empty() {
            wrong.refusal(&send(&lab, &row, "{}").await, BAD, row.route);
            wrong.refusal(&send(&lab, &row, "").await, BAD, row.route);
        }
    }
    wrong.must_be_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_a_space_is_a_missing_one() {
    let lab = Lab::start().await;
    let document = document(&lab.hub).await;
    let (mut seen, mut wrong) = (0, Wrong::default());
    for row in table::rows().into_iter().filter(|row| operation(&document, row.route).is_some()) {
        let address = row.address();
        if !address.contains("/spaces/lab/page") {
            continue;
        }
        for name in ["..%2F..", "a%2Fb", "%00", "-a", "a--b", "..;"] {
            for path in [format!("/spaces/lab/{name}"), format!("/spaces/{name}/page")] {
                let asked = address.replace("/spaces/lab/page", &path);
                for (token, status) in [(lab.tokens[ADMIN].as_deref(), 404), (None, 401)] {
                    let answer = ask(&lab, &row, &asked, token).await;
                    wrong.refusal(&answer, (status, "RepoNotFound"), &format!("{} {asked}", row.route));
                }
            }
        }
        seen += 1;
    }
    wrong.must_be_none();
    assert!(seen > 50, "{seen}");
}

async fn ask(lab: &Lab, row: &Row, address: &str, token: Option<&str>) -> Answer {
    let mut asked = request(row.method(), address, token, None);
    asked.headers_mut().insert("content-type", row.content_type.parse().unwrap());
    *asked.body_mut() = Body::from(row.body);
    lab.hub.send(asked).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_the_repository_is_said_to_be_missing() {
    let lab = Lab::start().await;
    let mut wrong = Wrong::default();
    let absent =
        ["nope", "refs%2Fheads%2Fnope", "-x", "--help", "a..b", "@%7B1%7D", "%00", "%0A", "..%2F..", "0000000"];
    for revision in absent {
        for path in ["revision/REV", "tree/REV", "commits/REV", "tree/REV/README.md"] {
            let address = format!("/api/spaces/lab/page/{}", path.replace("REV", revision));
            wrong.refusal(&lab.hub.get(&address).await, (404, "RevisionNotFound"), &address);
        }
        for (path, body) in [("paths-info", json!({ "paths": ["a"] })), ("tag", json!({ "tag": "v1" }))] {
            let address = format!("/api/spaces/lab/page/{path}/{revision}");
            wrong.refusal(&lab.hub.post(&address, body).await, (404, "RevisionNotFound"), &address);
        }
    }
    for file in
        ["nope", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "a%00b", "a%0Ab", "README.md%2F..", ".git%2Fconfig"]
    {
        for root in ["/spaces/lab/page/resolve/main", "/spaces/lab/page/raw/main", "/api/spaces/lab/page/tree/main"] {
            let address = format!("{root}/{file}");
            wrong.refusal(&lab.hub.get(&address).await, (404, "EntryNotFound"), &address);
        }
    }
    // What is not UTF-8 names nothing at all.
    for address in ["/api/spaces/lab/%FF", "/api/spaces/lab/page/tree/%FF", "/spaces/lab/page/resolve/main/%FF"] {
        wrong.refusal(&lab.hub.get(address).await, (404, "NotFound"), address);
    }
    wrong.must_be_none();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_is_told_so_in_every_place_where_clients_look() {
    let lab = Lab::start().await;
    let document = document(&lab.hub).await;
    let mut wrong = Wrong::default();
    for row in table::rows().into_iter().filter(|row| operation(&document, row.route).is_some()) {
        for token in [None, lab.tokens[1].as_deref(), Some("sp_no")] {
            let mut asked = request(row.method(), &row.address(), token, None);
            *asked.body_mut() = Body::from(row.body.replace("NAME", "new"));
            let response = lab.hub.router.clone().oneshot(asked).await.unwrap();
            // The bodies of some answers have no end; those of refusals have.
            if response.status().is_client_error() {
                let answer = Answer::read(response).await;
                let (status, code) = answer.refusal();
                wrong.unless(!code.is_empty(), row.route, &answer);
                wrong.refusal(&answer, (status, code), row.route);
            }
        }
    }
    wrong.must_be_none();
}
