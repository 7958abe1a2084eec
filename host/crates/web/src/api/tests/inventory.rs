//! Every route of the hub, asked by everybody: who is let in to a private Space of an organization, and who is told what
//! instead. A route that is not in the table fails the test.

mod audited;
pub(super) mod routes;
pub(super) mod table;

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};
use spaceport_control::service::{NamedEntity, NewOwnToken, NewToken, NewUser};
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, OrgRole, Permission, TokenRole};
use tower::ServiceExt;

use crate::testing::TestHub;
use table::Row;

/// An admin of the organization, among those who ask.
pub(super) const ADMIN: usize = 5;
/// An administrator of the host.
pub(super) const ADMINISTRATOR: usize = 6;

/// Who asks, in the order of the letters of a row.
const WHO: [&str; 8] = [
    "nobody",
    "a stranger",
    "a member who reads",
    "a member who writes",
    "an admin's token that reads",
    "an admin of the organization",
    "an administrator of the host",
    "an admin's token for another Space",
];

/// A hub with the organization `lab`, of which ada is an admin, and its Spaces `page` and `other`, both private.
pub(super) struct Lab {
    pub(super) hub: TestHub,
    ada: Actor,
    pub(super) tokens: [Option<String>; 8],
}

impl Lab {
    pub(super) async fn start() -> Self {
        let hub = TestHub::start().await;
        let accounts = hub.control.accounts().clone();
        accounts.create_organization("lab".parse().unwrap(), &"ada".parse().unwrap()).await.unwrap();
        for (name, role) in [("reader", OrgRole::Read), ("writer", OrgRole::Write)] {
            let new = NewUser { name: name.parse().unwrap(), is_admin: false, password: None };
            accounts.create_user(new).await.unwrap();
            accounts.put_member(&"lab".parse().unwrap(), &name.parse().unwrap(), role).await.unwrap();
        }
        let token = async |name: &str, role| {
            let new = NewToken { user: name.parse().unwrap(), role, label: "test".into() };
            accounts.create_token(new).await.unwrap().expose().to_owned()
        };
        let ada = Actor::User(accounts.authenticate(&hub.ada).unwrap().unwrap().user);
        let mut lab = Self { hub, ada, tokens: Default::default() };
        let (reader, writer) = (token("reader", TokenRole::Write).await, token("writer", TokenRole::Write).await);
        let look = token("ada", TokenRole::Read).await;
        let root = lab.hub.administrator("root").await;
        lab.make("page").await;
        lab.make("other").await;
        let scope = (NamedEntity::Space("lab/other".parse().unwrap()), Permission::ALL.to_vec());
        let role = TokenRole::FineGrained;
        let new = NewOwnToken { label: "other".into(), role, global: Vec::new(), scoped: vec![scope] };
        let (foreign, _) = lab.hub.control.create_own_token(&lab.ada, new).await.unwrap();
        let (bob, ada) = (lab.hub.bob.clone(), lab.hub.ada.clone());
        let signed = [bob, reader, writer, look, ada, root, foreign.expose().to_owned()];
        for (place, token) in lab.tokens[1..].iter_mut().zip(signed) {
            *place = Some(token);
        }
        lab
    }

    /// Creates a private Space of the organization's, unless it is there.
    async fn make(&self, name: &str) {
        let path: SpacePath = format!("lab/{name}").parse().unwrap();
        if self.hub.control.space(&self.ada, &path, Action::See).is_err() {
            let body = json!({ "name": path.to_string(), "type": "space", "sdk": "static", "private": true });
            self.hub.post("/api/repos/create", body).await.expect(200);
        }
    }

    /// One letter: `.` let in, `S` told to sign in, `H` told that there is nothing, `F` told that it is not allowed.
    async fn ask(&self, row: &Row, who: usize) -> char {
        self.make("page").await;
        let body = row.body.replace("NAME", &format!("new-{who}"));
        let mut request = Request::builder().method(row.method()).uri(row.address());
        if let Some(token) = &self.tokens[who] {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !body.is_empty() {
            request = request.header("content-type", row.content_type);
        }
        // The body of the answer is left alone: some have no end.
        let response = self.hub.router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let code = response.headers().get("x-error-code").map(|code| code.to_str().unwrap().to_owned());
        match response.status() {
            StatusCode::UNAUTHORIZED => 'S',
            StatusCode::FORBIDDEN => 'F',
            StatusCode::NOT_FOUND if code.as_deref().is_none_or(|code| code == "RepoNotFound") => 'H',
            status if status.is_server_error() => panic!("{}: {status} for {}: {code:?}", row.route, WHO[who]),
            _ => '.',
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_lets_in_whom_it_should() {
    let lab = Lab::start().await;
    let mut wrong = Vec::new();
    for row in table::rows() {
        let mut seen = String::new();
        for who in 0..WHO.len() {
            seen.push(lab.ask(&row, who).await);
        }
        if seen != row.expected {
            wrong.push(format!("{}: expected {}, saw {seen}", row.route, row.expected));
        }
    }
    assert!(wrong.is_empty(), "who, in order: {}\n{}", WHO.join(", "), wrong.join("\n"));
}

#[test]
fn the_table_has_every_route() {
    let routes = routes::all();
    assert!(routes.len() > 80, "the routes are not found any more: {routes:?}");
    let table: BTreeSet<String> = table::rows().iter().map(|row| row.route.to_owned()).collect();
    let missing: Vec<_> = routes.difference(&table).collect();
    let gone: Vec<_> = table.difference(&routes).collect();
    assert!(missing.is_empty(), "write into the table who may ask these: {missing:#?}");
    assert!(gone.is_empty(), "there are no such routes: {gone:#?}");
}

/// The table is about private Spaces; that public and protected ones are open is said elsewhere. This makes sure that the
/// letters are told apart at all.
#[tokio::test(flavor = "multi_thread")]
async fn the_letters_are_those_of_the_answers() {
    let lab = Lab::start().await;
    let row = table::rows().into_iter().find(|row| row.route == "GET /api/spaces/{owner}/{name}").unwrap();
    assert_eq!((lab.ask(&row, 0).await, lab.ask(&row, 1).await, lab.ask(&row, 5).await), ('S', 'H', '.'));
    let public: Value = json!({ "visibility": "public" });
    lab.hub.call(http::Method::PUT, "/api/spaces/lab/page/settings", Some(public)).await.expect(200);
    assert_eq!((lab.ask(&row, 0).await, lab.ask(&row, 1).await, lab.ask(&row, 7).await), ('.', '.', '.'));
}
