//! The list of Spaces: all that the visitor may see, or those of one owner.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{Listing, SortBy, SpaceFilter};
use spaceport_core::name::OwnerName;

use super::card::Card;
use super::chrome::{Chrome, Reader, show};
use crate::error::ApiResult;
use crate::extract::{OwnerAt, QueryPairs};
use crate::router::AppState;

/// Spaces on a page: it stays well under 100 KB with them.
const PER_PAGE: usize = 48;
/// The orders, as they are asked for and in words.
const SORTS: [(&str, &str); 4] =
    [("trending", "Trending"), ("likes", "Most liked"), ("modified", "Last changed"), ("created", "Newest")];

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    chrome: Chrome,
    title: String,
    asked: Asked,
    sdks: Vec<String>,
    /// Names of flavors, and what people call them.
    hardware: Vec<(String, String)>,
    sorts: [(&'static str, &'static str); 4],
    total: usize,
    cards: Vec<Card>,
    before: Option<String>,
    after: Option<String>,
}

/// What was asked for, as the form shows it.
struct Asked {
    search: String,
    sdk: String,
    tag: String,
    hardware: String,
    sort: &'static str,
    /// The owner, where one may be asked for.
    owner_field: Option<String>,
    owner: String,
    skip: usize,
}

/// The front page.
pub(crate) async fn front_page(State(app): State<AppState>, reader: Reader, query: QueryPairs) -> ApiResult<Response> {
    let owner = query.get("owner").unwrap_or_default().trim().to_owned();
    list(&app, reader, &query, "Spaces".to_owned(), owner, true)
}

/// The Spaces of an owner.
pub(crate) async fn owner_page(
    State(app): State<AppState>,
    reader: Reader,
    OwnerAt(owner): OwnerAt,
    query: QueryPairs,
) -> ApiResult<Response> {
    let account = app.control.accounts().account(&owner)?;
    let title = account.name.to_string();
    list(&app, reader, &query, title.clone(), title, false)
}

fn list(
    app: &AppState,
    Reader { visitor, chrome }: Reader,
    query: &QueryPairs,
    title: String,
    owner: String,
    has_owner_field: bool,
) -> ApiResult<Response> {
    let asked = Asked::of(query, owner, has_owner_field);
    let found = match asked.filter() {
        Some(filter) => app.control.list(&visitor.actor, &filter, asked.skip, PER_PAGE)?,
        // No owner has such a name.
        None => Listing { total: 0, views: Vec::new() },
    };
    let at = |skip: usize| format!("?{}", query.with("skip", &skip.to_string()));
    let end = asked.skip.saturating_add(found.views.len());
    let catalogue = app.control.catalogue();
    let page = HomePage {
        chrome,
        title,
        sdks: app.control.kinds(),
        hardware: catalogue.hardware.iter().map(|flavor| (flavor.name.clone(), flavor.pretty_name.clone())).collect(),
        sorts: SORTS,
        total: found.total,
        cards: found.views.iter().map(Card::of).collect(),
        before: (asked.skip > 0).then(|| at(asked.skip.saturating_sub(PER_PAGE))),
        after: (end < found.total).then(|| at(end)),
        asked,
    };
    show(app, StatusCode::OK, &page)
}

impl Asked {
    fn of(query: &QueryPairs, owner: String, has_owner_field: bool) -> Self {
        let text = |name: &str| query.get(name).unwrap_or_default().trim().to_owned();
        let named = SORTS.iter().map(|(name, _)| *name).find(|name| *name == text("sort"));
        Self {
            search: text("search"),
            sdk: text("sdk"),
            tag: text("tag"),
            hardware: text("hardware"),
            sort: named.unwrap_or("trending"),
            owner_field: has_owner_field.then(|| owner.clone()),
            owner,
            skip: text("skip").parse().unwrap_or(0),
        }
    }

    /// Whether the list is narrowed at all.
    fn is_narrowed(&self) -> bool {
        let owner = self.owner_field.as_deref().unwrap_or_default();
        [&self.search, &self.sdk, &self.tag, &self.hardware].iter().any(|text| !text.is_empty()) || !owner.is_empty()
    }

    /// The same as the operations know it; `None` if nothing can be like that.
    fn filter(&self) -> Option<SpaceFilter> {
        let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        let owner: Option<Result<OwnerName, _>> = some(&self.owner).map(|owner| owner.parse());
        Some(SpaceFilter {
            owner: owner.transpose().ok()?,
            search: some(&self.search),
            tags: [&self.sdk, &self.tag].into_iter().filter_map(some).collect(),
            hardware: some(&self.hardware),
            is_pinned_first: true,
            sort: match self.sort {
                "likes" => SortBy::Likes,
                "modified" => SortBy::LastModified,
                "created" => SortBy::CreatedAt,
                _ => SortBy::Trending,
            },
            ..SpaceFilter::default()
        })
    }
}
