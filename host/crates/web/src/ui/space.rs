//! The pages of a Space: the head that all have, and the page with its app.

pub(super) mod community;
pub(super) mod files;
pub(super) mod settings;
pub(super) mod watch;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use spaceport_control::service::SpaceView;
use spaceport_core::name::SpacePath;
use spaceport_core::permission::{Action, Actor, Subject, can};
use spaceport_core::space::Visibility;
use spaceport_core::stage::Stage;

use super::card::Card;
use super::chrome::{Chrome, Reader, show};
use super::shown::{Shown, is_starting};
use crate::error::ApiResult;
use crate::extract::SpaceAt;
use crate::router::AppState;
use crate::session::Visitor;

const CROSS_ORIGIN_EMBEDDER_POLICY: HeaderName = HeaderName::from_static("cross-origin-embedder-policy");
/// Characters of a commit's id that tell it from others.
const SHORT_ID: usize = 7;

/// The head of a Space's pages.
pub(super) struct SpaceHead {
    pub(super) card: Card,
    /// What happens in it now.
    shown: Shown,
    /// Its name without its owner.
    pub(super) name: String,
    pub(super) app_url: String,
    /// The app's address for the frame: with a pass, where not everybody may visit.
    pub(super) frame_url: String,
    pub(super) hub_url: String,
    pub(super) clone_url: String,
    pub(super) ssh_url: Option<String>,
    pub(super) is_liked: bool,
    pub(super) may_write: bool,
    sees_settings: bool,
    has_discussions: bool,
    /// The tab that is shown.
    pub(super) tab: &'static str,
}

impl SpaceHead {
    /// The head of a page with this tab, for a visitor who may see the Space.
    pub(super) fn of(app: &AppState, visitor: &Visitor, view: &SpaceView, tab: &'static str) -> ApiResult<Self> {
        let (space, actor) = (&view.space, &visitor.actor);
        let may = |action| can(actor, action, Subject::of(space)).is_ok();
        let hub_url = app.control.addresses().hub_url();
        let app_url = view.app_url.clone();
        let needs_pass = space.visibility == Visibility::Private && matches!(actor, Actor::User(_));
        let frame_url = match needs_pass {
            true => format!("{app_url}/?__sign={}", app.control.visitor_pass(actor, &space.path)?),
            false => format!("{app_url}/"),
        };
        Ok(Self {
            card: Card::of(view),
            shown: Shown::of(&view.runtime),
            name: space.path.name.to_string(),
            frame_url,
            app_url,
            clone_url: format!("{hub_url}/spaces/{}", space.path),
            ssh_url: app.ssh.as_ref().map(|door| door.clone_url(&space.path)),
            hub_url,
            is_liked: app.control.is_liked(actor, space.id)?,
            may_write: may(Action::Write),
            sees_settings: may(Action::SeeSettings),
            has_discussions: !view.discussions_disabled,
            tab,
        })
    }

    /// The same by the Space's path.
    pub(super) async fn at(app: &AppState, visitor: &Visitor, path: &SpacePath, tab: &'static str) -> ApiResult<Self> {
        let view = app.control.view(&visitor.actor, path, None).await?;
        Self::of(app, visitor, &view, tab)
    }

    /// The tabs that the visitor may see, with where they are.
    pub(super) fn tabs(&self) -> Vec<(&'static str, &'static str)> {
        let all = [
            ("App", "", true),
            ("Files", "/tree/main", true),
            ("Community", "/discussions", self.has_discussions),
            ("Logs", "/logs", self.sees_settings),
            ("Metrics", "/metrics", self.sees_settings),
            ("Releases", "/releases", self.sees_settings),
            ("Settings", "/settings", self.sees_settings),
        ];
        all.into_iter().filter(|(.., is_shown)| *is_shown).map(|(name, place, _)| (name, place)).collect()
    }
}

#[derive(Template)]
#[template(path = "space_app.html")]
struct AppPage {
    chrome: Chrome,
    head: SpaceHead,
    reason: Reason,
    message: Option<String>,
    is_empty: bool,
    is_paused: bool,
}

/// Why there is no app to show.
struct Reason {
    title: &'static str,
    words: &'static str,
}

/// A Space's app in a frame, or why there is none.
pub(crate) async fn app_page(
    State(app): State<AppState>,
    Reader { visitor, chrome }: Reader,
    SpaceAt(path): SpaceAt,
) -> ApiResult<Response> {
    let view = app.control.view(&visitor.actor, &path, None).await?;
    let stage = view.runtime.stage;
    let page = AppPage {
        head: SpaceHead::of(&app, &visitor, &view, "App")?,
        reason: reason(stage),
        message: view.runtime.error_message.clone().filter(|_| !is_starting(stage)),
        is_empty: stage == Stage::NoAppFile,
        is_paused: stage == Stage::Paused,
        chrome,
    };
    let mut response = show(&app, StatusCode::OK, &page)?;
    if let Some(policy) = isolation(&view) {
        response.headers_mut().insert(CROSS_ORIGIN_EMBEDDER_POLICY, policy);
    }
    Ok(response)
}

/// How the page of an app embeds what is on it, where its author wants it isolated, which memory shared by threads takes: a
/// browser isolates what is in a frame only if what is around is isolated, too. It then shows no app that does not say that
/// other sites may embed it, so such an app is shown as ever.
fn isolation(view: &SpaceView) -> Option<HeaderValue> {
    let card = view.card_json();
    let wants = |name: &str| card.get("custom_headers")?.get(name)?.as_str();
    let may_be_embedded = wants("cross-origin-resource-policy") == Some("cross-origin");
    let policy = wants("cross-origin-embedder-policy").filter(|policy| *policy != "unsafe-none" && may_be_embedded)?;
    HeaderValue::from_str(policy).ok()
}

fn reason(stage: Stage) -> Reason {
    let (title, words) = match stage {
        Stage::NoAppFile => ("No app yet", "The repository has no app file."),
        Stage::ConfigError => ("The README cannot be used", "Its front matter says how the Space is built and run."),
        Stage::Building => ("Building", "The app shows here as soon as it is built and answers."),
        Stage::BuildError => ("The build failed", "The next commit is built anew."),
        Stage::AppStarting => ("Starting", "The app shows here as soon as it answers."),
        Stage::RuntimeError => ("The app does not run", "It could not be started, or has stopped by itself."),
        Stage::Paused => ("Paused", "Its owner has paused it; visits do not wake it."),
        Stage::Deleting => ("Being deleted", "The Space and all that it holds goes."),
        Stage::Running | Stage::RunningBuilding | Stage::RunningAppStarting | Stage::Sleeping => ("Running", ""),
    };
    Reason { title, words }
}
