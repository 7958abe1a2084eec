use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest, Sha256};
use spaceport_core::permission::{Actor, TokenRole, User};
use spaceport_core::space::{Space, Visibility};
use spaceport_core::stage::Stage;
use spaceport_db::TokenHash;

use super::super::sessions::SESSION_LIFE;
use super::super::{ControlParts, NewToken, NewUser, Session, TokenText};
use super::authorize::{GRANT_LIFE, MAX_GRANTS};
use super::*;
use crate::testing::World;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CALLBACK: &str = "http://ada-app.localhost:7860/login/callback";
/// From where users sign in.
const FROM: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const PASSWORD: &str = "correct horse battery";

/// A host with a Space that signs users in, and `bob`, who has signed in at the host.
struct Provider {
    world: World,
    control: Control,
    space: Space,
    bob: Session,
}

impl Provider {
    /// With these lines in the Space's front matter.
    async fn start(front: &str) -> Self {
        let world = World::new().await;
        let parts = ControlParts {
            db: world.db.clone(),
            repos: world.repos.clone(),
            keys: world.keys.clone(),
            fleet: world.fleet.clone(),
            clock: world.clock.clone(),
        };
        let control = Control::new(parts);
        let readme = format!("---\nsdk: wasm\n{front}---\n");
        let space = world.create("app", &[("README.md", &readme), ("app.wasm", "app")]).await;
        world.reaches(&space, Stage::Running).await;
        let new = NewUser { name: "bob".parse().unwrap(), is_admin: false, password: Some(PASSWORD.into()) };
        control.accounts().create_user(new).await.unwrap();
        let bob = control.sign_in("bob", PASSWORD, FROM).await.unwrap().unwrap().session;
        Self { world, control, space, bob }
    }

    fn asked(&self, change: impl FnOnce(&mut AuthorizeRequest)) -> Result<Authorization, AuthorizeRefusal> {
        let mut request = AuthorizeRequest {
            client_id: Some(self.space.id.to_string()),
            redirect_uri: Some(CALLBACK.into()),
            response_type: Some("code".into()),
            state: Some("s".into()),
            nonce: Some("n".into()),
            ..AuthorizeRequest::default()
        };
        change(&mut request);
        self.control.authorization(request)
    }

    async fn code_of(&self, session: &Session, change: impl FnOnce(&mut AuthorizeRequest)) -> String {
        self.control.grant(session, &self.asked(change).unwrap()).await.unwrap()
    }

    async fn code(&self) -> String {
        self.code_of(&self.bob, |_| {}).await
    }

    fn secret(&self) -> String {
        let manifest = self.world.fleet.manifest(self.space.id).unwrap();
        let (db, keys, addresses) = (&self.world.db, &self.world.keys, self.control.addresses());
        oauth_settings(db, keys, addresses, self.space.id, &manifest).unwrap().unwrap().client_secret
    }

    /// What a Space with a secret sends.
    fn exchange(&self, code: &str) -> TokenRequest {
        TokenRequest {
            grant_type: Some("authorization_code".into()),
            code: Some(code.into()),
            redirect_uri: Some(CALLBACK.into()),
            client_id: Some(self.space.id.to_string()),
            client_secret: Some(self.secret()),
            ..TokenRequest::default()
        }
    }

    fn refresh(&self, token: &str) -> TokenRequest {
        TokenRequest {
            grant_type: Some("refresh_token".into()),
            refresh_token: Some(token.into()),
            client_id: Some(self.space.id.to_string()),
            client_secret: Some(self.secret()),
            ..TokenRequest::default()
        }
    }

    async fn tokens(&self) -> TokenAnswer {
        let code = self.code().await;
        self.control.oauth_tokens(self.exchange(&code)).await.unwrap()
    }

    fn is_known(&self, access: &str) -> bool {
        self.control.accounts().oauth_bearer(access).unwrap().is_some()
    }

    async fn refused(&self, request: TokenRequest) -> &'static str {
        self.control.oauth_tokens(request).await.unwrap_err().code()
    }
}

const APP: &str = "hf_oauth: true\nhf_oauth_scopes: [email, read-repos, write-repos]\n";

#[tokio::test]
async fn a_code_becomes_tokens_that_say_who_has_signed_in_and_expire() {
    let host = Provider::start("hf_oauth: true\nhf_oauth_expiration_minutes: 10\n").await;
    let tokens = host.tokens().await;
    assert_eq!((tokens.expires_in, tokens.scope.as_str()), (600, "openid profile"));
    let OauthProfile(profile) = host.control.oauth_profile(&tokens.access_token).unwrap();
    assert_eq!(profile["preferred_username"], "bob");
    assert_eq!(profile["sub"], host.bob.user.id.to_string());

    // Signed by the key that is told, for this application alone.
    let key = host.control.oauth_key().unwrap();
    let [head, claims, signature] = tokens.id_token.split('.').collect::<Vec<_>>()[..] else { panic!("three parts") };
    let point = [vec![4], part(key["x"].as_str().unwrap()), part(key["y"].as_str().unwrap())].concat();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    public.verify(format!("{head}.{claims}").as_bytes(), &part(signature)).unwrap();
    let (head, claims): (Value, Value) = (json(head), json(claims));
    assert_eq!((&head["kid"], &head["alg"]), (&key["kid"], &"ES256".into()));
    assert_eq!((&claims["iss"], &claims["nonce"]), (&"http://localhost:7860".into(), &"n".into()));
    assert_eq!((&claims["aud"], &claims["sub"]), (&host.space.id.to_string().into(), &profile["sub"]));
    let at_hash = BASE64.encode(&Sha256::digest(tokens.access_token.as_bytes())[..16]);
    assert_eq!(claims["at_hash"], at_hash);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600);

    host.world.clock.advance(599_000);
    assert!(host.is_known(&tokens.access_token));
    host.world.clock.advance(1_000);
    assert!(!host.is_known(&tokens.access_token));
    assert!(matches!(host.control.oauth_profile(&tokens.access_token), Err(OauthError::InvalidToken)));
}

fn part(text: &str) -> Vec<u8> {
    BASE64.decode(text).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_slice(&part(text)).unwrap()
}

#[tokio::test]
async fn a_code_that_is_used_twice_ends_what_it_gave() {
    let host = Provider::start(APP).await;
    let code = host.code().await;
    let tokens = host.control.oauth_tokens(host.exchange(&code)).await.unwrap();
    assert!(host.is_known(&tokens.access_token));
    assert_eq!(host.refused(host.exchange(&code)).await, "invalid_grant");
    assert!(!host.is_known(&tokens.access_token));
    assert_eq!(host.refused(host.refresh(&tokens.refresh_token)).await, "invalid_grant");
}

#[tokio::test]
async fn of_many_who_show_a_code_at_once_nobody_keeps_two_answers() {
    let host = Provider::start(APP).await;
    let code = host.code().await;
    let tries = (0..8).map(|_| host.control.oauth_tokens(host.exchange(&code)));
    let given: Vec<_> = futures_util::future::join_all(tries).await.into_iter().filter_map(Result::ok).collect();
    assert!(given.len() <= 1, "{given:?}");
    assert!(given.iter().all(|tokens| !host.is_known(&tokens.access_token)), "whoever came second has ended it");
}

#[tokio::test]
async fn a_code_is_refused_that_is_late_or_sent_elsewhere_or_shown_by_another() {
    let host = Provider::start(APP).await;
    let other =
        host.world.create("other", &[("README.md", "---\nsdk: wasm\nhf_oauth: true\n---\n"), ("app.wasm", "b")]);
    let other = other.await;
    host.world.reaches(&other, Stage::Running).await;
    let code = host.code().await;
    let with = |change: &dyn Fn(&mut TokenRequest)| {
        let mut request = host.exchange(&code);
        change(&mut request);
        request
    };
    for (request, error) in [
        (with(&|request| request.redirect_uri = Some("http://ada-app.localhost:7860/".into())), "invalid_grant"),
        (with(&|request| request.redirect_uri = None), "invalid_request"),
        (with(&|request| request.code = None), "invalid_request"),
        (with(&|request| request.code = Some("spc_x".into())), "invalid_grant"),
        (with(&|request| request.client_secret = None), "invalid_client"),
        (with(&|request| request.client_secret = Some("guessed".into())), "invalid_client"),
        (with(&|request| (request.client_id, request.client_secret) = (None, None)), "invalid_client"),
        (with(&|request| request.client_id = Some("0".repeat(24))), "invalid_client"),
        (
            with(&|request| {
                (request.client_id, request.client_secret) = (Some(other.id.to_string()), None);
            }),
            "invalid_grant",
        ),
        (with(&|request| request.code_verifier = Some(VERIFIER.into())), "invalid_grant"),
        (with(&|request| request.grant_type = None), "invalid_request"),
        (with(&|request| request.grant_type = Some("password".into())), "unsupported_grant_type"),
        (with(&|request| request.is_repeated = true), "invalid_request"),
    ] {
        assert_eq!(host.refused(request.clone()).await, error, "{request:?}");
    }
    host.control.oauth_tokens(host.exchange(&code)).await.unwrap();
    let late = host.code().await;
    host.world.clock.advance(60_000);
    assert_eq!(host.refused(host.exchange(&late)).await, "invalid_grant");
}

#[tokio::test]
async fn without_a_secret_the_right_verifier_is_needed_and_enough() {
    let host = Provider::start(APP).await;
    let challenge = BASE64.encode(Sha256::digest(VERIFIER.as_bytes()));
    let code = host
        .code_of(&host.bob, |request| {
            request.code_challenge = Some(challenge);
            request.code_challenge_method = Some("S256".into());
        })
        .await;
    let public = |verifier: Option<&str>| {
        // As libraries for pages send it: without saying who they are.
        let code_verifier = verifier.map(str::to_owned);
        TokenRequest { client_id: None, client_secret: None, code_verifier, ..host.exchange(&code) }
    };
    assert_eq!(host.refused(public(None)).await, "invalid_request");
    assert_eq!(host.refused(host.exchange(&code)).await, "invalid_request", "the secret does not stand in for it");
    for wrong in [&VERIFIER.replace('d', "e"), &VERIFIER[..42], "", &"x".repeat(129)] {
        assert_eq!(host.refused(public(Some(wrong))).await, "invalid_grant", "{wrong}");
    }
    let tokens = host.control.oauth_tokens(public(Some(VERIFIER))).await.unwrap();
    let refresh = TokenRequest { client_id: None, client_secret: None, ..host.refresh(&tokens.refresh_token) };
    host.control.oauth_tokens(refresh).await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_works_once_and_whoever_shows_it_again_ends_the_sign_in() {
    let host = Provider::start(APP).await;
    let first = host.tokens().await;
    let bare = TokenRequest { client_secret: None, ..host.refresh(&first.refresh_token) };
    assert_eq!(host.refused(bare).await, "invalid_client", "who has shown a secret must go on to");
    let more = TokenRequest { scope: Some("manage-repos".into()), ..host.refresh(&first.refresh_token) };
    assert_eq!(host.refused(more).await, "invalid_scope");
    let second = host.control.oauth_tokens(host.refresh(&first.refresh_token)).await.unwrap();
    assert!(host.is_known(&first.access_token) && host.is_known(&second.access_token));
    assert_eq!(host.refused(host.refresh(&first.refresh_token)).await, "invalid_grant");
    assert!(!host.is_known(&first.access_token) && !host.is_known(&second.access_token));
    assert_eq!(host.refused(host.refresh(&second.refresh_token)).await, "invalid_grant");

    let last = host.tokens().await;
    host.world.clock.advance(GRANT_LIFE);
    assert_eq!(host.refused(host.refresh(&last.refresh_token)).await, "invalid_grant", "there is an end to it");
}

#[tokio::test]
async fn users_are_sent_to_addresses_of_the_space_alone() {
    let host = Provider::start(APP).await;
    let page = host.world.create("page", &[("README.md", "---\nsdk: static\n---\n"), ("index.html", "page")]).await;
    host.world.reaches(&page, Stage::Running).await;
    let redirect = |uri: &str| host.asked(|request| request.redirect_uri = Some(uri.to_owned()));
    for own in [CALLBACK, "http://ada-app.localhost:7860", "https://ADA-app.localhost:7860/x?y=1"] {
        redirect(own).unwrap();
    }
    for foreign in [
        "http://localhost:7860/login",
        "http://ada-page.static.localhost:7860/",
        "http://ada-app.localhost/",
        "http://ada-app.localhost:7861/",
        "http://ada-app.localhost.evil.example:7860/",
        "http://evil.example:7860/?http://ada-app.localhost:7860/",
        "http://ada-app.localhost:7860@evil.example:7860/",
        "http://ada-app.static.localhost:7860/",
        "javascript:alert(1)//ada-app.localhost:7860",
        "/login/callback",
        "",
    ] {
        assert!(matches!(redirect(foreign), Err(AuthorizeRefusal::Untrusted(_))), "{foreign}");
    }
    for (client, is_known) in
        [(page.id.to_string(), false), ("nonsense".into(), false), (host.space.id.to_string(), true)]
    {
        let asked = host.asked(|request| request.client_id = Some(client.clone()));
        assert_eq!(asked.is_ok(), is_known, "{client}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_told_to_the_space() {
    let host = Provider::start(APP).await;
    let wrong = |change: fn(&mut AuthorizeRequest)| match host.asked(change) {
        Err(AuthorizeRefusal::Told { redirect_uri, state, error }) => {
            assert_eq!((redirect_uri.as_str(), state.as_deref()), (CALLBACK, Some("s")));
            error.code()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(wrong(|request| request.response_type = Some("token".into())), "unsupported_response_type");
    assert_eq!(wrong(|request| request.response_type = None), "invalid_request");
    assert_eq!(wrong(|request| request.response_mode = Some("fragment".into())), "invalid_request");
    assert_eq!(wrong(|request| request.scope = Some("openid manage-repos".into())), "invalid_scope");
    assert_eq!(wrong(|request| request.nonce = Some("x".repeat(600))), "invalid_request");
    assert_eq!(wrong(|request| request.max_age = Some("soon".into())), "invalid_request");
    assert_eq!(wrong(|request| request.prompt = Some("none login".into())), "invalid_request");
    assert_eq!(wrong(|request| request.is_repeated = true), "invalid_request");
    assert_eq!(wrong(|request| request.has_object = true), "request_not_supported");
    assert_eq!(wrong(|request| request.code_challenge = Some("x".repeat(43))), "invalid_request");
    assert_eq!(wrong(|request| request.code_challenge_method = Some("S256".into())), "invalid_request");
    let scopes = host.asked(|request| request.scope = Some("email nonsense".into())).unwrap().scopes;
    assert_eq!(scopes.to_string(), "openid profile email");
}

#[tokio::test]
async fn a_static_space_needs_no_secret_but_a_challenge() {
    let host = Provider::start(APP).await;
    let readme = "---\nsdk: static\nhf_oauth: true\n---\n";
    let page = host.world.create("page", &[("README.md", readme), ("index.html", "page")]).await;
    host.world.reaches(&page, Stage::Running).await;
    let asked = |challenge: Option<&str>| {
        host.asked(|request| {
            request.client_id = Some(page.id.to_string());
            request.redirect_uri = Some("http://ada-page.static.localhost:7860/".into());
            request.code_challenge = challenge.map(str::to_owned);
            request.code_challenge_method = challenge.map(|_| "S256".into());
        })
    };
    assert!(matches!(asked(None), Err(AuthorizeRefusal::Told { error: OauthError::InvalidRequest(_), .. })));
    asked(Some(&"x".repeat(43))).unwrap();
    let variables = host.world.backend.last().page_variables;
    assert_eq!(variables["OAUTH_CLIENT_ID"], page.id.to_string());
    assert_eq!(variables["OAUTH_SCOPES"], "openid profile");
    assert!(!variables.contains_key("OAUTH_CLIENT_SECRET") && !variables.contains_key("OPENID_PROVIDER_URL"));
}

#[tokio::test]
async fn an_app_finds_its_secret_which_is_stable_until_it_is_made_anew() {
    let host = Provider::start(APP).await;
    let env = || host.world.backend.last().env;
    assert_eq!(env()["OAUTH_CLIENT_ID"], host.space.id.to_string());
    assert_eq!(env()["OAUTH_SCOPES"], "openid profile email read-repos write-repos");
    assert_eq!(env()["OPENID_PROVIDER_URL"], "http://localhost:7860");
    let first = host.secret();
    assert_eq!(env()["OAUTH_CLIENT_SECRET"], first);
    let again = host.world.start_again().await;
    again.reaches(&host.space, Stage::Running).await;
    assert_eq!(again.backend.last().env["OAUTH_CLIENT_SECRET"], first);

    let (path, bob) = (host.space.path.clone(), Actor::User(host.bob.user.clone()));
    host.control.rotate_oauth_secret(&bob, &path).await.unwrap_err();
    let ada = User::new(host.space.owner, "ada".parse().unwrap(), false, TokenRole::Write);
    let code = host.code().await;
    let old = host.exchange(&code);
    host.control.rotate_oauth_secret(&Actor::User(ada), &path).await.unwrap();
    World::eventually("the Space starts with its new secret", || env()["OAUTH_CLIENT_SECRET"] != first).await;
    assert_eq!(env()["OAUTH_CLIENT_SECRET"], host.secret());
    assert_eq!(host.refused(old).await, "invalid_client");
    host.control.oauth_tokens(host.exchange(&code)).await.unwrap();
}

#[tokio::test]
async fn a_token_opens_what_was_granted_and_no_more_than_the_session_could() {
    let host = Provider::start(APP).await;
    let accounts = host.control.accounts();
    let new = NewToken { user: "bob".parse().unwrap(), role: TokenRole::Read, label: "t".into() };
    let reading = accounts.create_token(new).await.unwrap();
    let reader = host.control.sign_in("", reading.expose(), FROM).await.unwrap().unwrap().session;
    for (session, scope, role) in [
        (&host.bob, "openid email", None),
        (&host.bob, "read-repos", Some(TokenRole::Read)),
        (&host.bob, "write-repos", Some(TokenRole::Write)),
        (&reader, "write-repos", Some(TokenRole::Read)),
    ] {
        let code = host.code_of(session, |request| request.scope = Some(scope.into())).await;
        let tokens = host.control.oauth_tokens(host.exchange(&code)).await.unwrap();
        let signed = accounts.authenticate(&tokens.access_token).unwrap();
        assert_eq!(signed.as_ref().map(|signed| signed.user.role), role, "{scope}");
        assert!(signed.is_none_or(|signed| signed.user.name.as_str() == "bob"));
        assert!(host.is_known(&tokens.access_token));
        assert!(accounts.authenticate(&tokens.refresh_token).unwrap().is_none());
        for text in [&tokens.access_token, &tokens.refresh_token, &code] {
            assert!(host.control.sign_in("bob", text, FROM).await.unwrap().is_none(), "no session comes of it");
            assert!(host.control.session(text).unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn a_user_is_asked_once_and_again_after_taking_it_back() {
    let host = Provider::start(APP).await;
    let asked = |scope: &str| host.asked(|request| request.scope = Some(scope.to_owned())).unwrap();
    let is_asked =
        async |scope: &str| matches!(host.control.authorize(&host.bob, &asked(scope)).await.unwrap(), Granted::Ask);
    assert!(is_asked("email").await);
    host.control.grant(&host.bob, &asked("email")).await.unwrap();
    assert!(!is_asked("email").await && !is_asked("openid").await);
    assert!(is_asked("email read-repos").await, "more is asked for");
    let tokens = host.tokens().await;
    assert!(!is_asked("email read-repos").await);
    let apps = host.control.connected_apps(&host.bob).unwrap();
    assert_eq!((apps.len(), apps[0].path.as_ref()), (1, Some(&host.space.path)));
    assert_eq!(apps[0].scopes.to_string(), "openid profile email read-repos write-repos");
    host.control.disconnect_app(&host.bob, &host.space.id.to_string()).await.unwrap();
    assert!(!host.is_known(&tokens.access_token));
    assert!(is_asked("openid").await);
    assert_eq!(host.control.connected_apps(&host.bob).unwrap(), []);
}

#[tokio::test]
async fn a_space_for_others_signs_a_stranger_in_neither_at_first_nor_later() {
    let mut host = Provider::start("hf_oauth: true\nhf_oauth_authorized_org: acme\n").await;
    let refused = |result: Result<Granted, OauthError>| result.unwrap_err().code();
    let asked = host.asked(|_| {}).unwrap();
    assert_eq!(refused(host.control.authorize(&host.bob, &asked).await), "access_denied");
    assert_eq!(host.control.grant(&host.bob, &asked).await.unwrap_err().code(), "access_denied");

    let open = Provider::start("hf_oauth: true\nhf_oauth_authorized_org: [acme, bob]\n").await;
    let tokens = open.tokens().await;
    host = open;
    let mut space = host.space.clone();
    host.world.change(&mut space, |space| space.visibility = Visibility::Private).await;
    assert_eq!(refused(host.control.authorize(&host.bob, &host.asked(|_| {}).unwrap()).await), "access_denied");
    assert_eq!(host.refused(host.refresh(&tokens.refresh_token)).await, "access_denied");
}

#[tokio::test]
async fn tokens_of_a_space_that_is_gone_are_nobodys_and_are_removed() {
    let host = Provider::start(APP).await;
    let tokens = host.tokens().await;
    assert_eq!(host.control.sweep_sign_ins().await.unwrap(), 0);
    host.world.fleet.remove(host.space.id).await.unwrap();
    assert!(!host.is_known(&tokens.access_token));
    assert!(host.control.accounts().authenticate(&tokens.access_token).unwrap().is_none());
    assert_eq!(host.control.sweep_sign_ins().await.unwrap(), 2, "the tokens and what was agreed to");
}

#[tokio::test]
async fn codes_tokens_and_sessions_are_bounded_and_removed_when_they_end() {
    let host = Provider::start(APP).await;
    let (db, bob) = (host.world.db.clone(), host.bob.user.id);
    let first = host.tokens().await;
    for _ in 0..MAX_GRANTS {
        host.world.clock.advance(1);
        host.code().await;
    }
    assert_eq!(db.oauth_grants().under(&bob).unwrap().len(), MAX_GRANTS);
    assert!(!host.is_known(&first.access_token), "the oldest goes first");
    let kept = host.tokens().await;
    host.world.clock.advance(60_000);
    assert_eq!(host.control.sweep_sign_ins().await.unwrap(), MAX_GRANTS - 1, "all codes");
    assert!(host.is_known(&kept.access_token));

    let read = NewToken { user: "bob".parse().unwrap(), role: TokenRole::Read, label: "t".into() };
    let token = host.control.accounts().create_token(read).await.unwrap();
    for _ in 0..60 {
        host.world.clock.advance(1);
        host.control.sign_in("bob", token.expose(), FROM).await.unwrap().unwrap();
    }
    assert_eq!(db.web_sessions().under(&bob).unwrap().len(), 50);
    host.world.clock.advance(SESSION_LIFE);
    assert_eq!(host.control.sweep_sign_ins().await.unwrap(), 51, "all sessions, and the tokens");
    assert!(db.web_sessions().under(&bob).unwrap().is_empty());
}

#[tokio::test]
async fn a_session_ends_with_its_time_its_token_or_at_its_users_wish() {
    let host = Provider::start(APP).await;
    let control = &host.control;
    for (name, secret) in [("bob", "wrong"), ("nobody", PASSWORD), ("", PASSWORD), ("bob", ""), ("b ob", PASSWORD)] {
        assert!(control.sign_in(name, secret, FROM).await.unwrap().is_none(), "{name} {secret}");
    }
    let by_password = control.sign_in("BOB", PASSWORD, FROM).await.unwrap().unwrap();
    let session = control.session(&by_password.cookie).unwrap().unwrap();
    assert_eq!((session.user.name.as_str(), session.user.role), ("bob", TokenRole::Write));
    assert!(control.is_form_of(&session, &control.form_token(&session)));
    assert!(!control.is_form_of(&host.bob, &control.form_token(&session)), "each session has its own");
    assert!(!control.is_form_of(&session, "") && !control.is_form_of_visitor("x", &control.visitor_form_token("y")));
    assert!(control.session(&by_password.cookie.replace("sps_", "spo_")).unwrap().is_none());

    let new = NewToken { user: "bob".parse().unwrap(), role: TokenRole::Read, label: "t".into() };
    let token = control.accounts().create_token(new).await.unwrap();
    assert!(control.sign_in("ada", token.expose(), FROM).await.unwrap().is_none(), "the token of somebody else");
    let by_token = control.sign_in("bob", token.expose(), FROM).await.unwrap().unwrap();
    assert_eq!(control.session(&by_token.cookie).unwrap().unwrap().user.role, TokenRole::Read);
    let mut batch = host.world.db.batch();
    batch.delete(host.world.db.tokens(), &TokenHash(TokenText::parse(token.expose()).unwrap().hash()));
    host.world.db.commit(batch).await.unwrap();
    assert!(control.session(&by_token.cookie).unwrap().is_none());

    control.sign_out(&session).await.unwrap();
    assert!(control.session(&by_password.cookie).unwrap().is_none());
    let other = control.sign_in("bob", PASSWORD, FROM).await.unwrap().unwrap();
    host.world.clock.advance(SESSION_LIFE - 1);
    assert!(control.session(&other.cookie).unwrap().is_some());
    host.world.clock.advance(1);
    assert!(control.session(&other.cookie).unwrap().is_none());
    let last = control.sign_in("bob", PASSWORD, FROM).await.unwrap().unwrap();
    control.sign_out_everywhere(host.bob.user.id).await.unwrap();
    assert!(control.session(&last.cookie).unwrap().is_none());
}

/// What the command line sends.
fn polling(device_code: &str) -> TokenRequest {
    TokenRequest {
        grant_type: Some("urn:ietf:params:oauth:grant-type:device_code".into()),
        device_code: Some(device_code.into()),
        client_id: Some("26be6b09-91c5-47da-9861-d2d2bb7a7e36".into()),
        ..TokenRequest::default()
    }
}

#[tokio::test]
async fn the_command_line_waits_for_an_answer_and_is_given_tokens_once() {
    let host = Provider::start(APP).await;
    let (control, clock) = (&host.control, &host.world.clock);
    for client in ["", "nonsense", &host.space.id.to_string()] {
        assert_eq!(control.device_code(client).unwrap_err().code(), "invalid_client", "{client}");
    }
    let client = "26be6b09-91c5-47da-9861-d2d2bb7a7e36";
    let device = control.device_code(client).unwrap();
    assert_eq!(host.refused(polling(&device.device_code)).await, "authorization_pending");
    assert_eq!(host.refused(polling(&device.device_code)).await, "slow_down");
    clock.advance(5_000);
    assert_eq!(host.refused(polling(&device.device_code)).await, "slow_down", "ten seconds by now");
    assert_eq!(host.refused(polling("guessed")).await, "expired_token");
    assert!(control.device_question("AAAA-AAAA").is_none());
    let typed = device.user_code.to_lowercase().replace('-', " ");
    let question = control.device_question(&typed).unwrap();
    assert_eq!(question.scopes.to_string(), "openid profile read-repos write-repos manage-repos");
    assert!(control.answer_device(&host.bob, &typed, true));
    assert!(!control.answer_device(&host.bob, &typed, true), "it is answered");
    let given = control.oauth_tokens(polling(&device.device_code)).await.unwrap();
    let signed = control.accounts().authenticate(&given.access_token).unwrap().unwrap();
    assert_eq!((signed.user.name.as_str(), signed.user.role), ("bob", TokenRole::Write));
    assert_eq!(host.refused(polling(&device.device_code)).await, "expired_token", "once");
    let refresh =
        TokenRequest { client_id: Some(client.into()), client_secret: None, ..host.refresh(&given.refresh_token) };
    let next = control.oauth_tokens(refresh).await.unwrap();
    let apps = control.connected_apps(&host.bob).unwrap();
    assert_eq!((apps.len(), apps[0].path.as_ref()), (1, None));
    control.disconnect_app(&host.bob, &apps[0].id).await.unwrap();
    assert!(!host.is_known(&next.access_token));

    let declined = control.device_code(client).unwrap();
    assert!(control.answer_device(&host.bob, &declined.user_code, false));
    assert_eq!(host.refused(polling(&declined.device_code)).await, "access_denied");
    let late = control.device_code(client).unwrap();
    clock.advance(late.expires_in * 1000);
    assert!(
        control.device_question(&late.user_code).is_none() && !control.answer_device(&host.bob, &late.user_code, true)
    );
    assert_eq!(host.refused(polling(&late.device_code)).await, "expired_token");
}

#[tokio::test]
async fn programs_that_wait_are_bounded_and_make_room_when_they_are_late() {
    let host = Provider::start(APP).await;
    let client = "26be6b09-91c5-47da-9861-d2d2bb7a7e36";
    let all = std::iter::repeat_with(|| host.control.device_code(client)).take(2000);
    let made = all.take_while(Result::is_ok).count();
    assert_eq!(made, 1000);
    assert_eq!(host.control.device_code(client).unwrap_err().code(), "temporarily_unavailable");
    host.world.clock.advance(15 * 60 * 1000);
    host.control.device_code(client).unwrap();
}

#[tokio::test]
async fn neither_codes_nor_tokens_nor_secrets_lie_on_disk_in_the_clear() {
    let host = Provider::start(APP).await;
    let cookie = host.control.sign_in("bob", PASSWORD, FROM).await.unwrap().unwrap().cookie;
    let code = host.code().await;
    let tokens = host.control.oauth_tokens(host.exchange(&code)).await.unwrap();
    for text in [&cookie, &code, &tokens.access_token, &tokens.refresh_token, &host.secret()] {
        assert_eq!(files_with(host.world.temp.path(), text), Vec::<std::path::PathBuf>::new());
    }
    assert!(!files_with(host.world.temp.path(), "read-repos write-repos").is_empty(), "what is searched is there");
}

fn files_with(dir: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let has_text = |bytes: Vec<u8>| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        if path.is_dir() {
            found.extend(files_with(&path, text));
        } else if std::fs::read(&path).is_ok_and(has_text) {
            found.push(path);
        }
    }
    found
}
