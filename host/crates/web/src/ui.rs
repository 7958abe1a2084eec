//! The pages: what people see in a browser. Each is rendered here, from what the operations tell; scripts only make it livelier,
//! and act by the public API.

mod admin;
mod assets;
mod avatar;
mod card;
mod chrome;
mod consent;
mod device;
mod form;
mod hardware;
mod highlight;
mod home;
mod join;
mod new_space;
mod settings;
mod setup;
mod shown;
mod sign_in;
mod space;
#[cfg(test)]
mod tests;
mod visitor;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;

use crate::router::AppState;
pub(crate) use consent::{consent_page, refusal_page};
pub(crate) use device::{DeviceAsked, device_answered, device_page};
pub(crate) use form::see_other;
pub(crate) use shown::Shown;

/// Everything for people, where errors are pages, too.
pub(crate) fn routes(state: &AppState) -> Router<AppState> {
    Router::new()
        .route("/", get(home::front_page))
        .route("/{param}", get(home::owner_page))
        .route("/new-space", get(new_space::form))
        .route("/spaces/{owner}/{name}", get(space::app_page))
        .route("/spaces/{owner}/{name}/tree/{rev}", get(space::files::tree_page))
        .route("/spaces/{owner}/{name}/tree/{rev}/{*path}", get(space::files::tree_page))
        .route("/spaces/{owner}/{name}/blob/{rev}/{*path}", get(space::files::blob_page))
        .route("/spaces/{owner}/{name}/edit/{rev}", get(space::files::edit_page))
        .route("/spaces/{owner}/{name}/edit/{rev}/{*path}", get(space::files::edit_page))
        .route("/spaces/{owner}/{name}/commits/{rev}", get(space::files::commits_page))
        .route("/spaces/{owner}/{name}/commit/{rev}", get(space::files::commit_page))
        .route("/spaces/{owner}/{name}/discussions", get(space::community::list_page))
        .route("/spaces/{owner}/{name}/discussions/{number}", get(space::community::discussion_page))
        .route("/spaces/{owner}/{name}/settings", get(space::settings::settings_page))
        .route("/spaces/{owner}/{name}/logs", get(space::watch::logs_page))
        .route("/spaces/{owner}/{name}/metrics", get(space::watch::metrics_page))
        .route("/spaces/{owner}/{name}/releases", get(space::watch::releases_page))
        .merge(sign_in_routes())
        .merge(settings::routes())
        .merge(admin::routes())
        .layer(from_fn_with_state(state.clone(), chrome::error_pages))
        .route(assets::ROUTE, get(assets::file))
}

/// The pages on which people sign in, up and out, and see at which Spaces they have.
fn sign_in_routes() -> Router<AppState> {
    Router::new()
        .route("/login", get(sign_in::form).post(sign_in::submit))
        .route("/join", get(join::form).post(join::submit))
        .route("/setup", get(setup::page).post(setup::submit))
        .route("/logout", get(sign_in::leaving).post(sign_in::leave))
        .route("/avatars/{param}", get(avatar::avatar))
}
