//! A Space's question to a user: checked, asked once, answered by sending the browser back.

use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use spaceport_control::service::{
    Authorization, AuthorizeRefusal, AuthorizeRequest, Granted, OauthError, Prompt, Session,
};
use url::Url;

use super::words;
use crate::error::ApiError;
use crate::extract::{Form, QueryPairs};
use crate::router::AppState;
use crate::session::{self, Visitor};
use crate::ui::{consent_page, refusal_page, see_other};

/// Every parameter that is read.
const NAMES: [&str; 13] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "max_age",
    "request",
    "request_uri",
];

/// Sends the user back with a code, or asks the user to sign in or to agree.
pub(crate) async fn ask(State(app): State<AppState>, visitor: Visitor, OriginalUri(uri): OriginalUri) -> Response {
    let query = uri.query().unwrap_or_default();
    match decide(&app, visitor.session, query).await {
        Ok(response) => response,
        Err(refusal) => refuse(&app, refusal),
    }
}

/// Takes the user's answer.
pub(crate) async fn answer(
    State(app): State<AppState>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form,
) -> Result<Response, ApiError> {
    let query = form.get("request").unwrap_or_default();
    let Some(session) = visitor.session else { return Ok(see_other(&sign_in(query))) };
    session::check_form(&headers, &app, &session, form.get("form").unwrap_or_default())?;
    let has_agreed = form.get("answer") == Some("yes");
    let sent = match app.control.authorization(read(query)) {
        Ok(asked) if has_agreed => match app.control.grant(&session, &asked).await {
            Ok(code) => Ok(back(&app, &asked, &code)),
            Err(error) => Err(asked.refuse(error)),
        },
        Ok(asked) => Err(asked.refuse(OauthError::AccessDenied("the user said no".to_owned()))),
        Err(refusal) => Err(refusal),
    };
    Ok(sent.unwrap_or_else(|refusal| refuse(&app, refusal)))
}

async fn decide(app: &AppState, session: Option<Session>, query: &str) -> Result<Response, AuthorizeRefusal> {
    let asked = app.control.authorization(read(query))?;
    let is_quiet = asked.prompt == Prompt::None;
    let fresh = session.filter(|session| !app.control.must_sign_in_again(session, &asked));
    let Some(session) = fresh else {
        return match is_quiet {
            true => Err(asked.refuse(OauthError::LoginRequired)),
            false => Ok(see_other(&sign_in(&once_signed_in(query, &asked)))),
        };
    };
    if asked.prompt == Prompt::Login {
        return Ok(see_other(&sign_in(&once_signed_in(query, &asked))));
    }
    match app.control.authorize(&session, &asked).await {
        Ok(Granted::Code(code)) => Ok(back(app, &asked, &code)),
        Ok(Granted::Ask) if is_quiet => Err(asked.refuse(OauthError::ConsentRequired)),
        Ok(Granted::Ask) => Ok(consent_page(app, &session, &asked, query)),
        Err(error) => Err(asked.refuse(error)),
    }
}

/// What a query asks for.
fn read(query: &str) -> AuthorizeRequest {
    let pairs = QueryPairs::parse(query);
    let get = |name: &str| pairs.get(name).map(str::to_owned);
    AuthorizeRequest {
        client_id: get("client_id"),
        redirect_uri: get("redirect_uri"),
        response_type: get("response_type"),
        response_mode: get("response_mode"),
        scope: get("scope"),
        state: get("state"),
        nonce: get("nonce"),
        code_challenge: get("code_challenge"),
        code_challenge_method: get("code_challenge_method"),
        prompt: get("prompt"),
        max_age: get("max_age"),
        is_repeated: NAMES.iter().any(|name| pairs.all(name).len() > 1),
        has_object: get("request").or_else(|| get("request_uri")).is_some(),
    }
}

/// Where one signs in to come back to this question.
fn sign_in(query: &str) -> String {
    let next = format!("/oauth/authorize?{query}");
    format!("/login?{}", url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish())
}

/// The same question, less what signing in has answered; how long ago that was the application reads in its token.
fn once_signed_in(query: &str, asked: &Authorization) -> String {
    let is_answered = |name: &str| name == "max_age" || (name == "prompt" && asked.prompt == Prompt::Login);
    let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| !is_answered(name));
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
}

/// Sends the user back with a code.
fn back(app: &AppState, asked: &Authorization, code: &str) -> Response {
    send_back(app, &asked.redirect_uri, asked.state.as_deref(), &[("code", code)])
}

fn refuse(app: &AppState, refusal: AuthorizeRefusal) -> Response {
    match refusal {
        AuthorizeRefusal::Untrusted(message) => refusal_page(app, &message),
        AuthorizeRefusal::Told { redirect_uri, state, error } => {
            if let OauthError::Service(error) = &error {
                tracing::error!(?error, "a sign-in at a Space failed");
            }
            let pairs = [("error", error.code()), ("error_description", &words(&error))];
            send_back(app, &redirect_uri, state.as_deref(), &pairs)
        }
        AuthorizeRefusal::Failed(error) => ApiError::from(error).into_response(),
    }
}

fn send_back(app: &AppState, address: &str, state: Option<&str>, pairs: &[(&str, &str)]) -> Response {
    let Ok(mut url) = Url::parse(address) else { return ApiError::bad_request("no address").into_response() };
    let hub = app.control.addresses().hub_url();
    url.query_pairs_mut()
        .extend_pairs(pairs)
        .extend_pairs(state.map(|state| ("state", state)))
        .append_pair("iss", &hub);
    see_other(url.as_str())
}
