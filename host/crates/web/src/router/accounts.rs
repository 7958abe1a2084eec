//! `hf auth`: who the caller is, what is told of users, and what the caller has.

use super::AppState;
use crate::api;
use crate::document::Kind::{A, Many, Object, OneOf, Text};
use crate::document::shapes::accounts::{
    DELIVERY, DONE, KEY, LIKED, ORGANIZATION_OVERVIEW, USER_OVERVIEW, WATCHED, WEBHOOK, WHOAMI, WRAPPED_WEBHOOK,
};
use crate::document::shapes::space::OWNED;
use crate::document::{About, Described, Field, needs, takes, takes_null};

/// What a webhook can be told of.
const DOMAINS: crate::document::Kind = OneOf(&["repo", "discussion"]);
/// The members by which a webhook is made or changed.
const HOOK: [Field; 4] = [
    takes_null("url", Text, "Where messages are sent to; needed for a new one."),
    takes_null("watched", Many(&A(&WATCHED)), "What it looks at; needed for a new one."),
    takes_null("domains", Many(&DOMAINS), "Of what it is told: repo, discussion or both."),
    takes_null("secret", Text, "What messages carry in X-Webhook-Secret, so that their receiver knows who sends them."),
];

pub(super) fn routes(routes: Described, state: &AppState) -> Described {
    let routes = own(routes.group("Account"));
    let routes = api::browsers::routes(api::tokens::routes(routes));
    let routes = webhooks(routes.group("Webhooks"));
    let routes = profiles(routes.group("Profiles"));
    api::organizations::routes(routes.group("Organizations"), state)
}

fn own(routes: Described) -> Described {
    routes
        .get(
            "/api/whoami-v2",
            About::one("The signed-in user, with the token at hand.").answers(A(&WHOAMI)).signed(),
            api::accounts::whoami,
        )
        .get(
            "/api/settings/repositories",
            About::array("The caller's repositories and what they take on disk.", &A(&OWNED)),
            api::profiles::repositories,
        )
        .get("/api/settings/keys", About::one("The caller's keys for SSH.").items(A(&KEY)), api::ssh::keys)
        .post(
            "/api/settings/keys",
            About::one("Adds a key for SSH.").answers(A(&KEY)).status(201).also([409]).body([
                needs("key", Text, "The public key, as its file has it."),
                takes("title", Text, "What it is called; by default, the comment in it."),
            ]),
            api::ssh::add_key,
        )
        .delete(
            "/api/settings/keys/{param}",
            About::one("Removes a key for SSH.").answers(A(&DONE)),
            api::ssh::delete_key,
        )
}

fn webhooks(routes: Described) -> Described {
    routes
        .get(
            "/api/settings/webhooks",
            About::one("The caller's webhooks.").answers(Many(&A(&WEBHOOK))),
            api::webhooks::list,
        )
        .post(
            "/api/settings/webhooks",
            About::one("Makes a webhook.").answers(A(&WRAPPED_WEBHOOK)).body(HOOK).also([409]),
            api::webhooks::create,
        )
        .get(
            "/api/settings/webhooks/{param}",
            About::one("A webhook.").answers(A(&WRAPPED_WEBHOOK)),
            api::webhooks::show,
        )
        .post(
            "/api/settings/webhooks/{param}",
            About::one("Changes a webhook: what is left out stays.").answers(A(&WRAPPED_WEBHOOK)).body(HOOK),
            api::webhooks::update,
        )
        .delete("/api/settings/webhooks/{param}", About::one("Deletes a webhook."), api::webhooks::delete)
        .post(
            "/api/settings/webhooks/{param}/enable",
            About::one("Has a webhook told again.").answers(A(&WRAPPED_WEBHOOK)),
            api::webhooks::enable,
        )
        .post(
            "/api/settings/webhooks/{param}/disable",
            About::one("Has a webhook told no more.").answers(A(&WRAPPED_WEBHOOK)),
            api::webhooks::disable,
        )
        .get(
            "/api/settings/webhooks/{param}/deliveries",
            About::one("What became of the last messages to a webhook, newest first.").items(A(&DELIVERY)),
            api::webhooks::deliveries,
        )
}

fn profiles(routes: Described) -> Described {
    let nobody = |summary| About::one(summary).answers(Many(&Object));
    routes
        .get(
            "/api/users/{param}/overview",
            About::one("What is told of a user.").answers(A(&USER_OVERVIEW)),
            api::profiles::user,
        )
        .get(
            "/api/users/{param}/likes",
            About::array("What a user likes, as far as the caller may see it.", &A(&LIKED)),
            api::likes::liked_by,
        )
        .get(
            "/api/users/{param}/followers",
            nobody("Who follows a user: nobody does here."),
            api::profiles::nobody_of_user,
        )
        .get("/api/users/{param}/following", nobody("Whom a user follows: nobody."), api::profiles::nobody_of_user)
        .get(
            "/api/organizations/{param}/overview",
            About::one("What is told of an organization.").answers(A(&ORGANIZATION_OVERVIEW)),
            api::profiles::organization,
        )
        .get(
            "/api/organizations/{param}/followers",
            nobody("Who follows an organization: nobody does here."),
            api::profiles::nobody_of_organization,
        )
        .get(
            "/api/organizations/{param}/settings/repositories",
            About::array("An organization's repositories and what they take on disk.", &A(&OWNED)).signed(),
            api::profiles::repositories_of_organization,
        )
}
