//! The settings of a Space, for those who may see them. Secrets are written here and never shown.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::Finding;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor};
use spaceport_core::space::Sdk;

use super::super::card::VISIBILITIES;
use super::super::chrome::{Chrome, Reader, show};
use super::super::hardware::{Flavor, Tier, flavors, tiers};
use super::SpaceHead;
use crate::api::time::iso;
use crate::error::ApiResult;
use crate::extract::SpaceAt;
use crate::router::AppState;

/// Times after which a Space sleeps, in seconds and in words; -1 is never, as clients write it.
const SLEEP_TIMES: [(i64, &str); 7] = [
    (300, "5 minutes"),
    (900, "15 minutes"),
    (1800, "30 minutes"),
    (3600, "an hour"),
    (36_000, "10 hours"),
    (172_800, "2 days"),
    (-1, "never"),
];

#[derive(Template)]
#[template(path = "space_settings.html")]
struct SettingsPage {
    chrome: Chrome,
    head: SpaceHead,
    findings: Vec<Found>,
    hardware: Vec<Flavor>,
    current_hardware: String,
    sleep_times: Vec<(i64, String)>,
    sleep_after: i64,
    storage: Vec<Tier>,
    current_storage: String,
    lists: [List; 2],
    visibilities: [(&'static str, &'static str); 3],
    visibility: &'static str,
    has_discussions: bool,
}

/// Variables or secrets.
struct List {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    has_values: bool,
    /// Secrets of a Space that cannot keep any.
    is_exposed: bool,
    settings: Vec<Setting>,
}

struct Setting {
    name: String,
    value: String,
    description: String,
    updated_at: String,
}

struct Found {
    rule: String,
    path: String,
    line: u32,
    excerpt: String,
    found_at: String,
    is_revoked: bool,
    is_in_history: bool,
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        Self {
            rule: finding.rule,
            path: finding.path,
            line: finding.line,
            excerpt: finding.excerpt,
            found_at: iso(finding.found_at),
            is_revoked: finding.is_revoked,
            is_in_history: finding.is_in_history,
        }
    }
}

/// The page.
pub(crate) async fn settings_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Response> {
    let (control, actor) = (&app.control, &visitor.actor);
    control.space(actor, &path, Action::SeeSettings)?;
    let view = control.view(actor, &path, None).await?;
    let head = SpaceHead::of(&app, &visitor, &view, "Settings")?;
    let runtime = &view.runtime;
    let sleep_after = runtime.sleep_after.map_or(-1, |after| i64::try_from(after.as_secs()).unwrap_or(i64::MAX));
    let mut sleep_times: Vec<(i64, String)> =
        SLEEP_TIMES.iter().map(|(seconds, words)| (*seconds, (*words).to_owned())).collect();
    if !sleep_times.iter().any(|(seconds, _)| *seconds == sleep_after) {
        sleep_times.insert(0, (sleep_after, format!("{sleep_after} seconds")));
    }
    let page = SettingsPage {
        chrome,
        findings: control.findings(actor, &path)?.into_iter().map(Found::from).collect(),
        hardware: flavors(&app),
        current_hardware: runtime.hardware.clone(),
        sleep_times,
        sleep_after,
        storage: tiers(&app),
        current_storage: runtime.storage.clone().unwrap_or_default(),
        lists: [variables(&app, &visitor.actor, &path)?, secrets(&app, &visitor.actor, &path, view.sdk)?],
        visibilities: VISIBILITIES,
        visibility: view.space.visibility.as_str(),
        has_discussions: !view.discussions_disabled,
        head,
    };
    show(&app, StatusCode::OK, &page)
}

fn variables(app: &AppState, actor: &Actor, path: &SpacePath) -> ApiResult<List> {
    let settings = app.control.variables(actor, path)?.into_iter().map(|(name, variable)| Setting {
        name,
        value: variable.value,
        description: variable.description.unwrap_or_default(),
        updated_at: iso(variable.updated_at),
    });
    Ok(List {
        name: "variables",
        title: "Variables",
        about: "In the app's environment, and in window.huggingface.variables of a static Space. Everybody who sees the \
                settings reads them.",
        has_values: true,
        is_exposed: false,
        settings: settings.collect(),
    })
}

fn secrets(app: &AppState, actor: &Actor, path: &SpacePath, sdk: Sdk) -> ApiResult<List> {
    let settings = app.control.secrets(actor, path)?.into_iter().map(|(name, secret)| Setting {
        name,
        value: String::new(),
        description: secret.description.unwrap_or_default(),
        updated_at: iso(secret.updated_at),
    });
    Ok(List {
        name: "secrets",
        title: "Secrets",
        about: "In the app's environment, and shown nowhere: to change one, set it again.",
        has_values: false,
        is_exposed: sdk == Sdk::Static,
        settings: settings.collect(),
    })
}
