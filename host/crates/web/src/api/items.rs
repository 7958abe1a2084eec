//! Lists of our own: `{"items": […], "next": url or null}`.

use axum::Json;
use axum::extract::FromRequestParts;
use http::request::Parts;
use serde_json::{Value, json};

use super::origin;
use super::page::Page;
use crate::error::ApiError;
use crate::extract::QueryPairs;
use crate::router::AppState;

/// Items on a page.
const PAGE: usize = 100;

/// A list that is asked for: its address and which part of it.
pub(crate) struct ListAt {
    address: String,
    pub(crate) query: QueryPairs,
}

impl ListAt {
    /// The most items that are wanted.
    pub(crate) fn limit(&self) -> usize {
        Page::of(&self.query, PAGE).limit
    }

    /// The part of a list that is wanted.
    pub(crate) fn part<T>(&self, all: impl IntoIterator<Item = T>, item: impl Fn(T) -> Value) -> Json<Value> {
        let page = Page::of(&self.query, PAGE);
        let mut rest = all.into_iter().skip(page.start);
        let items: Vec<Value> = rest.by_ref().take(page.limit).map(item).collect();
        let next = rest.next().map(|_| (page.start + items.len()).to_string());
        self.answer(items, next.as_deref())
    }

    /// Items that are a page already, and where the next begins.
    pub(crate) fn answer(&self, items: Vec<Value>, next: Option<&str>) -> Json<Value> {
        let next = next.map(|cursor| format!("{}?{}", self.address, self.query.with("cursor", cursor)));
        Json(json!({ "items": items, "next": next }))
    }
}

impl FromRequestParts<AppState> for ListAt {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        let address = format!("{}{}", origin(app, &parts.headers), parts.uri.path());
        Ok(Self { address, query: QueryPairs::parse(parts.uri.query().unwrap_or_default()) })
    }
}
