//! Reading Spaces and changing who may see them.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use spaceport_control::service::{Listing, SortBy, SpaceChanges, SpaceFilter, SpaceView};
use spaceport_core::permission::Action;

use super::page::Page;
use super::types::{Detail, space_json, visibility};
use super::{origin, told_to};
use crate::auth::Caller;
use crate::error::{ApiError, ApiResult};
use crate::extract::{JsonBody, Param, QueryPairs, RevisionName, SpaceAt};
use crate::router::AppState;

/// Spaces on a page of the list.
const PAGE: usize = 100;
/// The most that may be asked for.
const MAX_PAGE: usize = 1000;
/// The same where each is told with its files, for which its repository is read.
const FULL_PAGE: usize = 100;
/// Repositories read for it at the same time: git has more to do.
const REPOSITORIES: usize = 4;

/// The body of `PUT …/settings`.
#[derive(Deserialize)]
pub(crate) struct ChangeSettings {
    visibility: Option<String>,
    private: Option<bool>,
    gated: Option<Value>,
    #[serde(rename = "discussionsDisabled")]
    discussions_disabled: Option<bool>,
}

/// Lists the Spaces that the caller may see: a bare array, with the address of the next page in `Link`.
pub(crate) async fn list(
    State(app): State<AppState>,
    Caller(actor): Caller,
    query: QueryPairs,
    headers: HeaderMap,
) -> ApiResult<Response> {
    let Some(filter) = filter(&query)? else { return Ok(Json(json!([])).into_response()) };
    let detail = detail(&query);
    let needs_repositories = query.is_set("full") || detail.expand.iter().any(|name| name == "siblings");
    let most = if needs_repositories { FULL_PAGE } else { MAX_PAGE };
    let page = Page::of(&query, most).unless_said(&query, PAGE);

    let Listing { total, views } = app.control.list(&actor, &filter, page.start, page.limit)?;
    let shown = views.into_iter();
    let list: Vec<Value> = match needs_repositories {
        true => stream::iter(shown).map(|view| whole(&app, view)).buffered(REPOSITORIES).collect::<Vec<_>>().await,
        false => shown.collect(),
    }
    .iter()
    .map(|view| space_json(view, &detail))
    .collect();
    let address = format!("{}/api/spaces", origin(&app, &headers));
    Ok(page.answer(&address, &query, Value::Array(list), total))
}

/// The filter of a query; `None` if nothing can pass it.
fn filter(query: &QueryPairs) -> ApiResult<Option<SpaceFilter>> {
    let texts = |name: &str| query.all(name).into_iter().map(str::to_owned).collect();
    let owner = match query.get("author").map(str::parse) {
        // A name that nobody can have has no Spaces.
        Some(Err(_)) => return Ok(None),
        Some(Ok(owner)) => Some(owner),
        None => None,
    };
    let sort = match query.get("sort") {
        None | Some("lastModified" | "last_modified") => SortBy::LastModified,
        Some("createdAt" | "created_at") => SortBy::CreatedAt,
        Some("likes") => SortBy::Likes,
        Some("trendingScore" | "trending_score") => SortBy::Trending,
        Some(other) => {
            let message = format!("sort {other:?} is not known; use lastModified, createdAt, likes or trendingScore");
            return Err(ApiError::bad_request(message));
        }
    };
    Ok(Some(SpaceFilter {
        owner,
        search: query.get("search").map(str::to_owned),
        tags: texts("filter"),
        models: texts("models"),
        datasets: texts("datasets"),
        is_linked: query.is_set("linked"),
        sort,
        is_ascending: query.get("direction") == Some("1"),
        hardware: None,
        is_pinned_first: false,
    }))
}

/// A listed Space with what its repository says; as it is if that cannot be read, since it may be on its way out.
async fn whole(app: &AppState, view: SpaceView) -> SpaceView {
    app.control.with_repository(view.clone(), None).await.unwrap_or(view)
}

/// One Space at the head of its deploy branch.
pub(crate) async fn info(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    query: QueryPairs,
) -> ApiResult<Json<Value>> {
    let view = app.control.view(&actor, &path, None).await.map_err(told_to(&actor))?;
    Ok(Json(space_json(&view, &detail(&query))))
}

/// One Space at a revision.
pub(crate) async fn info_at(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    RevisionName(revision): RevisionName,
    query: QueryPairs,
) -> ApiResult<Json<Value>> {
    let view = app.control.view(&actor, &path, Some(&revision)).await.map_err(told_to(&actor))?;
    Ok(Json(space_json(&view, &detail(&query))))
}

/// Changes who may see a Space.
pub(crate) async fn change_settings(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
    JsonBody(body): JsonBody<ChangeSettings>,
) -> ApiResult<Json<Value>> {
    if body.gated.is_some_and(|gated| gated != Value::Bool(false)) {
        return Err(ApiError::bad_request("Spaces are not gated: send \"gated\": false, or leave it out"));
    }
    let changes = SpaceChanges { visibility: visibility(body.visibility.as_deref(), body.private)? };
    if let Some(is_disabled) = body.discussions_disabled {
        app.control.set_discussions(&actor, &path, is_disabled).await.map_err(told_to(&actor))?;
    }
    let space = app.control.update_space(&actor, &path, changes).await.map_err(told_to(&actor))?;
    Ok(Json(json!({ "visibility": space.visibility.as_str() })))
}

/// Where the app answers.
pub(crate) async fn host(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    let space = app.control.space(&actor, &path, Action::VisitApp).map_err(told_to(&actor))?;
    let url = app.control.app_url(&space);
    Ok(Json(json!({ "subdomain": space.subdomain.as_str(), "host": url })))
}

/// A pass to the app, for an address: `?__sign=<token>`.
pub(crate) async fn jwt(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Json<Value>> {
    let token = app.control.visitor_pass(&actor, &path).map_err(told_to(&actor))?;
    Ok(Json(json!({ "token": token })))
}

/// The Space whose app answers at a subdomain.
pub(crate) async fn by_subdomain(
    State(app): State<AppState>,
    Caller(actor): Caller,
    Param(subdomain): Param,
) -> ApiResult<Json<Value>> {
    let path = app.control.by_subdomain(&actor, &subdomain).map_err(told_to(&actor))?;
    let view = app.control.view(&actor, &path, None).await.map_err(told_to(&actor))?;
    Ok(Json(space_json(&view, &Detail::default())))
}

/// Whether the caller may see a Space.
pub(crate) async fn auth_check(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<&'static str> {
    app.control.space(&actor, &path, Action::See).map_err(told_to(&actor))?;
    Ok("OK")
}

/// Whether the caller may change a Space.
pub(crate) async fn auth_check_write(
    State(app): State<AppState>,
    Caller(actor): Caller,
    SpaceAt(path): SpaceAt,
) -> ApiResult<&'static str> {
    app.control.space(&actor, &path, Action::Write).map_err(told_to(&actor))?;
    Ok("OK")
}

fn detail(query: &QueryPairs) -> Detail {
    let expand = query.all("expand").into_iter().flat_map(|names| names.split(',')).map(str::to_owned).collect();
    Detail { has_blobs: query.is_set("blobs"), expand }
}
