//! The form by which a Space is created. What it sends is what `hf repos create` sends.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::SpaceFilter;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::Actor;

use super::card::VISIBILITIES;
use super::chrome::{Chrome, Reader, show};
use super::form::{NameNote, see_other};
use super::hardware::{Flavor, flavors};
use crate::api::catalogue::TEMPLATE_TAG;
use crate::error::ApiResult;
use crate::extract::QueryPairs;
use crate::router::AppState;

/// Licences that most choose; the field takes any other, too.
const LICENCES: [&str; 8] =
    ["apache-2.0", "mit", "bsd-3-clause", "gpl-3.0", "agpl-3.0", "cc-by-4.0", "openrail", "unlicense"];
/// Kinds whose names do not say what they are.
const KINDS: [(&str, &str); 4] = [
    ("static", "Files of a web page, served as they are"),
    ("wasm", "A component for wasi:http, compiled before it is pushed"),
    ("docker", "A Dockerfile; needs the container backend"),
    ("gradio", "A Python app with Gradio; needs the container backend"),
];

#[derive(Template)]
#[template(path = "new_space.html")]
struct NewSpacePage {
    chrome: Chrome,
    owners: Vec<String>,
    /// Kinds and what they are.
    kinds: Vec<(String, &'static str)>,
    licences: [&'static str; 8],
    visibilities: [(&'static str, &'static str); 3],
    /// Spaces to start from: path and title.
    templates: Vec<(String, String)>,
    hardware: Vec<Flavor>,
    /// The template that was asked for.
    template: String,
    note: Option<NameNote>,
}

/// The form.
pub(crate) async fn form(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    query: QueryPairs,
) -> ApiResult<Response> {
    let Actor::User(user) = &visitor.actor else { return Ok(see_other("/login?next=/new-space")) };
    let mut owners = vec![user.name.to_string()];
    owners.extend(app.control.organizations_to_create_in(user)?.iter().map(ToString::to_string));
    let tagged = SpaceFilter { tags: vec![TEMPLATE_TAG.to_owned()], ..SpaceFilter::default() };
    let templates = app.control.spaces(&visitor.actor, &tagged)?;
    let about = |kind: &str| KINDS.iter().find(|(name, _)| *name == kind).map_or("By a plugin of this host", |it| it.1);
    let note = match wanted(&query) {
        // A Space that the visitor may see has it, or had it and is found by it.
        Some(path) => Some(match app.control.view(&visitor.actor, &path, None).await {
            Ok(_) => NameNote::taken(format!("{path} is there already.")),
            Err(_) => NameNote::free(&path),
        }),
        None => None,
    };
    let page = NewSpacePage {
        chrome,
        note,
        owners,
        kinds: app.control.kinds().into_iter().map(|kind| (kind.clone(), about(&kind))).collect(),
        licences: LICENCES,
        visibilities: VISIBILITIES,
        templates: templates
            .iter()
            .map(|view| (view.space.path.to_string(), view.title().unwrap_or_else(|| view.space.path.to_string())))
            .collect(),
        hardware: flavors(&app),
        template: query.get("template").unwrap_or_default().to_owned(),
    };
    show(&app, StatusCode::OK, &page)
}

/// The path that is asked about, if it is one.
fn wanted(query: &QueryPairs) -> Option<SpacePath> {
    format!("{}/{}", query.get("owner")?, query.get("name")?.trim()).parse().ok()
}
