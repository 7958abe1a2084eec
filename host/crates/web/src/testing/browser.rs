//! What a browser does, as far as signing in goes: it keeps cookies, sends forms, and says where they come from.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::Value;
use url::Url;

use super::{Answer, TestHub};

/// SHA-256 of [`VERIFIER`] in base64url.
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
/// The example of RFC 7636.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// A browser at a hub.
pub(crate) struct Browser<'a> {
    hub: &'a TestHub,
    pub(crate) cookies: BTreeMap<String, String>,
    /// What it says of the page that sends a form.
    pub(crate) site: &'static str,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(hub: &'a TestHub) -> Self {
        Self { hub, cookies: BTreeMap::new(), site: "same-origin" }
    }

    /// One in which somebody has signed in by a token.
    pub(crate) async fn signed_in(hub: &'a TestHub, token: &str) -> Self {
        let mut browser = Self::new(hub);
        let page = browser.get("/login").await.expect(200);
        let form = [("form", field(&page, "form")), ("name", String::new()), ("secret", token.to_owned())];
        browser.send("/login", &form).await.expect(303);
        browser
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = Request::get(path).header("cookie", self.cookie()).header("accept", "text/html,*/*;q=0.8");
        let request = request.body(Body::empty()).unwrap();
        self.take(request).await
    }

    pub(crate) async fn send(&mut self, path: &str, form: &[(&str, String)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(path)
            .header("cookie", self.cookie())
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", self.site)
            .body(Body::from(body))
            .unwrap();
        self.take(request).await
    }

    /// What a script of a page does: a call with the token of the page.
    pub(crate) async fn call(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let page = self.get("/").await.expect(200);
        let mut request = super::request(method, path, None, body);
        let headers = request.headers_mut();
        headers.insert("cookie", self.cookie().parse().unwrap());
        headers.insert("sec-fetch-site", self.site.parse().unwrap());
        headers.insert("x-csrf-token", page_token(&page).parse().unwrap());
        self.take(request).await
    }

    pub(crate) fn cookie(&self) -> String {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    async fn take(&mut self, request: Request<Body>) -> Answer {
        let answer = self.hub.send(request).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            match rest.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// Agrees to what a page asks, or does not.
    pub(crate) async fn answer(&mut self, page: &Answer, answer: &str) -> Answer {
        let form = [("form", field(page, "form")), ("request", field(page, "request")), ("answer", answer.to_owned())];
        self.send("/oauth/consent", &form).await
    }
}

/// The token of a page, by which its scripts act.
#[track_caller]
pub(crate) fn page_token(page: &Answer) -> String {
    let (_, rest) =
        page.text().split_once("name=\"page-token\" content=\"").expect("the page of somebody who is signed in");
    rest.split('"').next().unwrap().to_owned()
}

/// The value of a hidden field, as a browser reads it.
#[track_caller]
pub(crate) fn field(page: &Answer, name: &str) -> String {
    let text = page.text();
    let start = format!("name=\"{name}\" value=\"");
    let (_, rest) = text.split_once(&start).unwrap_or_else(|| panic!("no field {name} in {text}"));
    let value = rest.split('"').next().unwrap();
    [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")]
        .into_iter()
        .fold(value.to_owned(), |value, (escaped, plain)| value.replace(escaped, plain))
}

/// Where an answer leads.
#[track_caller]
pub(crate) fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{answer:?}");
    answer.header("location").unwrap().to_owned()
}

/// The parameters with which a user is sent back.
#[track_caller]
pub(crate) fn sent_back(answer: &Answer, address: &str) -> BTreeMap<String, String> {
    let location = location(answer);
    assert!(location.starts_with(address), "{location}");
    Url::parse(&location).unwrap().query_pairs().into_owned().collect()
}

/// A Space of ada's that signs users in; its client id.
pub(crate) async fn space(hub: &TestHub, name: &str, sdk: &str, front: &str) -> String {
    hub.create(name, sdk).await;
    let readme = format!("---\nsdk: {sdk}\nhf_oauth: true\n{front}---\n");
    hub.commit(name, &[("README.md", &readme), ("index.html", "page"), ("app.wasm", "app")]).await.expect(200);
    hub.reaches(name, "RUNNING").await;
    let path: spaceport_core::name::SpacePath = format!("ada/{name}").parse().unwrap();
    let ada = hub.control.accounts().authenticate(&hub.ada).unwrap().unwrap().user;
    let ada = spaceport_core::permission::Actor::User(ada);
    hub.control.space(&ada, &path, spaceport_core::permission::Action::See).unwrap().id.to_string()
}

/// The address of a question, as libraries for pages write it.
pub(crate) fn question(client: &str, redirect: &str, more: &[(&str, &str)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("client_id", client).append_pair("redirect_uri", redirect).append_pair("response_type", "code");
    let set: Vec<&str> = more.iter().map(|(name, _)| *name).collect();
    for (name, value) in [("state", "st=a&b"), ("code_challenge", CHALLENGE), ("code_challenge_method", "S256")] {
        if !set.contains(&name) {
            query.append_pair(name, value);
        }
    }
    query.extend_pairs(more.iter().filter(|(_, value)| !value.is_empty()));
    format!("/oauth/authorize?{}", query.finish())
}

/// A program's form.
pub(crate) fn form(path: &str, pairs: &[(&str, &str)], basic: Option<(&str, &str)>) -> Request<Body> {
    use base64::Engine;
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if let Some((id, secret)) = basic {
        let pair = base64::prelude::BASE64_STANDARD.encode(format!("{id}:{secret}"));
        request = request.header("authorization", format!("Basic {pair}"));
    }
    request.body(Body::from(body)).unwrap()
}
