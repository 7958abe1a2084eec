//! Usage, grants and the admin API.

use axum::Router;

use super::AppState;
use crate::api::{admin, grants, usage};
use crate::document::Kind::{Number, Switch, Text, Time};
use crate::document::{About, Described, Field, needs, takes, takes_null};

/// The days of a report.
const DAYS: [Field; 2] = [
    takes("from", Time, "The first day, in UTC; by default that of this month."),
    takes("to", Time, "The last day, in UTC; by default today."),
];

pub(super) fn routes() -> Router<AppState> {
    let routes = spaces(Described::new("Spaces"));
    let routes = users(routes.group("Users"));
    host(routes.group("Host")).finish()
}

fn spaces(routes: Described) -> Described {
    routes
        .get(
            "/api/spaces/{owner}/{name}/usage",
            About::one("What a Space has used and what it costs.").query(DAYS),
            usage::of_space,
        )
        .get("/api/settings/usage", About::one("What the caller's Spaces have used.").query(DAYS), usage::own)
        .get("/api/spaces/{owner}/{name}/grants", About::list("The grants of a Space, newest first."), grants::list)
        .post(
            "/api/spaces/{owner}/{name}/grants",
            About::one("Asks for hardware to cost nothing.").body([
                needs("flavor", Text, "The hardware."),
                needs("reason", Text, "What the Space shows and why it needs it."),
            ]),
            grants::ask,
        )
}

fn users(routes: Described) -> Described {
    routes
        .get("/api/admin/users", About::list("Every user, by name."), admin::users::list)
        .post(
            "/api/admin/users",
            About::one("Creates a user.").body([
                needs("name", Text, "Its name."),
                takes("isAdmin", Switch, "Whether it administers this host."),
                takes_null("password", Text, "Without one it signs in by token only."),
            ]),
            admin::users::create,
        )
        .get("/api/admin/users/{param}", About::one("A user."), admin::users::get)
        .patch(
            "/api/admin/users/{param}",
            About::one("Changes a user.").body([
                takes("isAdmin", Switch, "Whether it administers this host."),
                takes_null("password", Text, "Its new password; null: it has none any more."),
            ]),
            admin::users::change,
        )
        .delete("/api/admin/users/{param}", About::one("Deletes a user who owns nothing."), admin::users::delete)
        .put(
            "/api/admin/users/{param}/email",
            About::one("Sets the e-mail address that applications are told of a user who lets them.").body([
                needs("address", Text, "The address."),
                takes("verified", Switch, "Whether you have made sure that it is the user's."),
            ]),
            admin::users::set_email,
        )
        .delete(
            "/api/admin/users/{param}/email",
            About::one("Forgets a user's e-mail address."),
            admin::users::remove_email,
        )
        .get(
            "/api/admin/users/{param}/tokens",
            About::list("The tokens of a user, without the tokens."),
            admin::users::tokens,
        )
        .post(
            "/api/admin/users/{param}/tokens",
            About::one("Creates a token for a user; it is told this once.")
                .body([needs("role", Text, "read, write or admin."), takes("name", Text, "What it is for.")]),
            admin::users::create_token,
        )
        .get(
            "/api/admin/tokens",
            About::list("Every token, without the tokens, newest first."),
            admin::users::all_tokens,
        )
        .get("/api/admin/tokens/{param}", About::one("A token, by its id."), admin::users::token)
        .delete("/api/admin/tokens/{param}", About::one("Ends a token, by its id."), admin::users::revoke_token)
}

fn host(routes: Described) -> Described {
    routes
        .get("/api/admin/hardware", About::list("The hardware on offer and what is in use."), admin::host::hardware)
        .get("/api/admin/hardware/{param}", About::one("A row of it, by its name."), admin::host::flavor)
        .get("/api/admin/plugins/{param}", About::one("A plugin or backend."), admin::host::plugin)
        .post(
            "/api/admin/plugins/{param}/enable",
            About::one("Lets a plugin build and start Spaces."),
            admin::host::enable,
        )
        .post(
            "/api/admin/plugins/{param}/disable",
            About::one("Has a plugin build and start nothing more. What runs goes on until it is stopped."),
            admin::host::disable,
        )
        .get("/api/admin/plugins", About::list("Plugins and backends with their health."), admin::host::plugins)
        .get("/api/admin/quotas", About::list("The owners that have a quota."), admin::quotas::list)
        .get("/api/admin/quotas/{param}", About::one("An owner's quota and what of it is used."), admin::quotas::get)
        .put(
            "/api/admin/quotas/{param}",
            About::one("Sets an owner's quota.").body([
                takes_null("spaces", Number, "The most Spaces."),
                takes_null("storageBytes", Number, "The most bytes of repositories, without large files."),
                takes_null("lfsBytes", Number, "The most bytes of large files."),
            ]),
            admin::quotas::set,
        )
        .delete("/api/admin/quotas/{param}", About::one("Removes an owner's quota."), admin::quotas::remove)
        .get(
            "/api/admin/grants",
            About::list("Every grant, newest first.").query([takes(
                "status",
                Text,
                "Only those: pending, approved, denied or ended.",
            )]),
            admin::grants::list,
        )
        .get("/api/admin/grants/{param}", About::one("A grant."), admin::grants::get)
        .post(
            "/api/admin/grants/{param}/approve",
            About::one("Approves a grant: its hardware is free from now on."),
            admin::grants::approve,
        )
        .post(
            "/api/admin/grants/{param}/deny",
            About::one("Denies a grant, or ends one that was approved.").body([needs("reason", Text, "Why.")]),
            admin::grants::deny,
        )
        .get(
            "/api/admin/usage",
            About::one("What everybody has used.").query(DAYS).query([
                takes("by", Text, "space, or owner."),
                takes("owner", Text, "Only of this owner, by name or id."),
            ]),
            admin::usage::usage,
        )
        .get(
            "/api/admin/audit",
            About::list("Who has changed what, newest first.").query([
                takes("actor", Text, "Only what this user did, or shell, or host."),
                takes("space", Text, "Only what was done to this Space."),
                takes("before", Time, "Only what was done before."),
            ]),
            admin::audit::list,
        )
}
