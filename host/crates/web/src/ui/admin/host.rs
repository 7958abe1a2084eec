//! What this machine has, and what builds and runs Spaces on it.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use spaceport_control::service::{HardwareInUse, PluginKindView, PluginView};
use spaceport_core::hardware::DEFAULT_FLAVOR;
use spaceport_core::limits::Bytes;

use super::super::chrome::{Chrome, show};
use super::super::hardware::{Flavor, Tier, size, tiers};
use super::super::settings::Frame;
use super::{Administrator, frame};
use crate::error::ApiResult;
use crate::router::AppState;

#[derive(Template)]
#[template(path = "admin_hardware.html")]
struct HardwarePage {
    chrome: Chrome,
    frame: Frame,
    rows: Vec<(Flavor, InUse)>,
    storage: Vec<Tier>,
    /// What all Spaces hold, and what they may.
    memory: String,
    memory_limit: String,
    running: usize,
    builds_waiting: usize,
    builds_running: usize,
}

struct InUse {
    /// Whether every Space starts on it.
    is_default: bool,
    spaces: usize,
    running: usize,
    memory: String,
}

#[derive(Template)]
#[template(path = "admin_plugins.html")]
struct PluginsPage {
    chrome: Chrome,
    frame: Frame,
    plugins: Vec<PluginRow>,
    sdks: Vec<String>,
}

struct PluginRow {
    name: String,
    kind: &'static str,
    about: String,
    problem: Option<String>,
    is_component: bool,
    is_enabled: bool,
}

impl PluginRow {
    fn of(plugin: PluginView) -> Self {
        let is_component = matches!(plugin.kind, PluginKindView::Component(_));
        let (kind, about, problem) = match plugin.kind {
            PluginKindView::Component(app_file) => ("component", format!("serves {app_file}"), None),
            PluginKindView::Program(program) => {
                ("program", format!("started again {} times", program.restarts), program.problem)
            }
        };
        Self { name: plugin.name, kind, about, problem, is_component, is_enabled: plugin.is_enabled }
    }
}

/// Hardware with what is in use of it.
pub(super) async fn hardware(
    State(app): State<AppState>,
    Administrator { actor, chrome }: Administrator,
) -> ApiResult<Response> {
    let capacity = app.control.capacity(&actor)?;
    let in_use = |found: &HardwareInUse| {
        let memory = size(Bytes(found.memory_bytes));
        (
            Flavor::of(&found.row),
            InUse {
                is_default: found.row.name == DEFAULT_FLAVOR,
                spaces: found.spaces,
                running: found.running,
                memory,
            },
        )
    };
    let memory = capacity.hardware.iter().map(|found| found.memory_bytes).sum();
    let (builds_waiting, builds_running) = capacity.builds;
    let page = HardwarePage {
        chrome,
        frame: frame("Hardware"),
        rows: capacity.hardware.iter().map(in_use).collect(),
        storage: tiers(&app),
        memory: size(Bytes(memory)),
        memory_limit: capacity.memory_limit.map_or_else(|| "no limit".to_owned(), |limit| size(Bytes(limit))),
        running: capacity.hardware.iter().map(|found| found.running).sum(),
        builds_waiting,
        builds_running,
    };
    show(&app, StatusCode::OK, &page)
}

/// Plugins with their health.
pub(super) async fn plugins(
    State(app): State<AppState>,
    Administrator { actor, chrome }: Administrator,
) -> ApiResult<Response> {
    let page = PluginsPage {
        chrome,
        frame: frame("Plugins"),
        plugins: app.control.plugins_of_host(&actor)?.into_iter().map(PluginRow::of).collect(),
        sdks: app.control.sdks(&actor)?,
    };
    show(&app, StatusCode::OK, &page)
}
