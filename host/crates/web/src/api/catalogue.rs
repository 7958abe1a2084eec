//! What this host offers, beside hardware: Spaces to start from, a search by words, and the GPU time that there is none of.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use spaceport_control::service::{SpaceFilter, SpaceQuery, SpaceView};
use spaceport_core::space::Visibility;

use super::types::Runtime;
use crate::auth::{Caller, Signed};
use crate::error::{ApiError, ApiResult};
use crate::extract::QueryPairs;
use crate::router::AppState;

/// The tag by which an author offers a Space as one to start from.
pub(crate) const TEMPLATE_TAG: &str = "template";

/// Spaces that are tagged as templates.
pub(crate) async fn templates(State(app): State<AppState>, Caller(actor): Caller) -> ApiResult<Json<Value>> {
    let filter = SpaceFilter { tags: vec![TEMPLATE_TAG.to_owned()], ..SpaceFilter::default() };
    let views = app.control.spaces(&actor, &filter)?;
    let list: Value = views
        .iter()
        .map(|view| {
            json!({
                "name": name(view),
                "repoId": view.space.path.to_string(),
                "sdk": view.sdk.as_str(),
                "preferredPrivate": view.space.visibility == Visibility::Private,
            })
        })
        .collect();
    Ok(Json(json!({ "templates": list })))
}

/// Spaces by the words of a query, best first.
pub(crate) async fn search(
    State(app): State<AppState>,
    Caller(actor): Caller,
    query: QueryPairs,
) -> ApiResult<Json<Value>> {
    let text = query.get("q").map(str::trim).filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| ApiError::bad_request("\"q\" says what is looked for"))?;
    let wanted = SpaceQuery {
        text: text.to_owned(),
        tags: query.all("filter").into_iter().map(str::to_owned).collect(),
        sdk: query.get("sdk").map(str::to_owned),
        is_any_stage: query.is_set("includeNonRunning"),
    };
    let found = app.control.search_spaces(&actor, &wanted)?;
    Ok(Json(found.iter().map(|(view, relevance)| found_json(view, *relevance)).collect()))
}

/// No Space of this host shares GPUs by the second, so there is no time to be used up.
pub(crate) async fn gpu_quota(_: Signed) -> Json<Value> {
    Json(json!({ "base": 0, "current": 0, "resetsAt": null, "overquotaUsed": 0 }))
}

fn found_json(view: &SpaceView, relevance: f64) -> Value {
    let card = view.card_json();
    let member = |key: &str| card.get(key).cloned().unwrap_or(Value::Null);
    json!({
        "id": view.space.path.to_string(),
        "author": view.space.path.owner.as_str(),
        "title": name(view),
        "emoji": member("emoji"),
        "colorFrom": member("colorFrom"),
        "colorTo": member("colorTo"),
        "sdk": view.sdk.as_str(),
        "likes": view.likes.total,
        "private": view.space.visibility == Visibility::Private,
        "tags": view.tags(),
        "runtime": Runtime::from(&view.runtime),
        "ai_short_description": member("short_description"),
        "ai_category": null,
        "shortDescription": member("short_description"),
        "semanticRelevancyScore": relevance,
        "trendingScore": view.likes.recent,
    })
}

fn name(view: &SpaceView) -> String {
    view.title().unwrap_or_else(|| view.space.path.name.to_string())
}
