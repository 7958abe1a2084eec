//! Signing in where there is no browser: what a program asks, and the page into which its user types the code.

use axum::Json;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use serde_json::json;

use super::token::{not_kept, refused};
use crate::edge::RequestContext;
use crate::error::ApiResult;
use crate::extract::{Form, QueryPairs};
use crate::rate::wait_to_sign_in;
use crate::router::AppState;
use crate::session::{self, Visitor};
use crate::ui::{DeviceAsked, device_answered, device_page, see_other};

/// Where the user types the code.
const PAGE: &str = "/oauth/device";

/// A program wants its user to sign in.
pub(super) async fn begin(State(app): State<AppState>, Form(form): Form) -> Response {
    not_kept(match app.control.device_code(form.get("client_id").unwrap_or_default()) {
        Ok(code) => {
            let page = format!("{}{PAGE}", app.control.addresses().hub_url());
            let complete = format!("{page}?user_code={}", code.user_code);
            Json(json!({
                "device_code": code.device_code,
                "user_code": code.user_code,
                "verification_uri": page,
                "verification_uri_complete": complete,
                "expires_in": code.expires_in,
                "interval": code.interval,
            }))
            .into_response()
        }
        Err(error) => refused(&error, false),
    })
}

/// The page for its user.
pub(super) async fn page(State(app): State<AppState>, visitor: Visitor, query: QueryPairs) -> Response {
    let code = query.get("user_code").unwrap_or_default();
    let Some(session) = visitor.session else { return see_other(&sign_in(code)) };
    let question = app.control.device_question(code);
    let is_unknown = !code.is_empty() && question.is_none();
    device_page(&app, &session, &DeviceAsked { code, question, is_unknown })
}

/// The user's answer.
pub(super) async fn answer(
    State(app): State<AppState>,
    context: Option<Extension<RequestContext>>,
    visitor: Visitor,
    headers: HeaderMap,
    Form(form): Form,
) -> ApiResult<Response> {
    let code = form.get("user_code").unwrap_or_default();
    let Some(session) = visitor.session else { return Ok(see_other(&sign_in(code))) };
    session::check_form(&headers, &app, &session, form.get("form").unwrap_or_default())?;
    let Some(answer) = form.get("answer") else {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("user_code", code).finish();
        return Ok(see_other(&format!("{PAGE}?{query}")));
    };
    // Whoever types many codes is guessing.
    let is_guessing = wait_to_sign_in(&app, context.as_ref().map(|Extension(context)| context)).is_some();
    let has_agreed = answer == "yes";
    if is_guessing || !app.control.answer_device(&session, code, has_agreed) {
        return Ok(device_page(&app, &session, &DeviceAsked { code, question: None, is_unknown: true }));
    }
    Ok(device_answered(&app, has_agreed))
}

fn sign_in(code: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("user_code", code).finish();
    let next = format!("{PAGE}?{query}");
    format!("/login?{}", url::form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish())
}
