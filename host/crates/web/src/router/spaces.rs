//! A Space: making and removing one, what it is, its settings, and what is talked about it. `hf repos`.

use super::catalogue::EXPAND;
use crate::api;
use crate::document::Kind::{A, Anything, ByName, Integer, Key, Many, Name, OneOf, Switch, Text};
use crate::document::shapes::accounts::{DONE, PERSON};
use crate::document::shapes::repository::{FINDING, REPORT};
use crate::document::shapes::space::{MADE, SECRET, SETTING, SPACE, VARIABLE, VISIBILITY};
use crate::document::{About, Described, Field, needs, takes, takes_null};

/// What kind of repository it is.
const KIND: Field = needs("type", OneOf(&["space"]), "This host has Spaces only.");
/// What sizes of files are told by.
const BLOBS: Field = takes("blobs", Switch, "With the size and the id of each file.");

/// Members by which a Space is made, new or as a copy.
const NEW: [Field; 8] = [
    takes_null("visibility", VISIBILITY, "Who may see it; by default everybody."),
    takes_null("private", Switch, "The same, as older clients say it."),
    takes_null("hardware", Text, "What it runs on, by the name in the list of hardware."),
    takes_null("storageTier", Text, "Its persistent disk."),
    takes_null("sleepTimeSeconds", Integer, "After how long without a visitor it sleeps; -1 for never."),
    takes_null("secrets", Many(&A(&SETTING)), "What only the app may know."),
    takes_null("variables", Many(&A(&SETTING)), "What everybody may know."),
    takes_null("volumes", Many(&Anything), "None can be mounted here: an empty list, if anything."),
];

pub(super) fn routes(routes: Described) -> Described {
    let routes = repositories(routes.group("Repositories"));
    let routes = about_one(routes.group("Spaces"));
    settings(routes.group("Settings"))
}

fn repositories(routes: Described) -> Described {
    routes
        .post(
            "/api/repos/create",
            About::one("Creates a Space. A name that is taken is a 409 with the address of what is there.")
                .answers(A(&MADE))
                .also([404, 409])
                .body(NEW)
                .body_also([
                    KIND,
                    needs("name", Name, "Its name."),
                    takes_null("organization", Name, "The owner, if it is not the caller."),
                    needs(
                        "sdk",
                        Text,
                        "What serves it: static, wasm, or what a plugin or backend of this host offers.",
                    ),
                    takes_null("license", Text, "For its README."),
                    takes_null("template", Text, "A Space to start from."),
                ]),
            api::repos::create,
        )
        .delete(
            "/api/repos/delete",
            About::one("Deletes a Space.").text().also([404, 409]).body([
                KIND,
                needs("name", Text, "Its name, with the owner before it or without."),
                takes_null("organization", Text, "The owner, if it is not the caller."),
            ]),
            api::repos::delete,
        )
        .post(
            "/api/repos/move",
            About::one("Gives a Space another name or owner. The old address leads to the new one.")
                .answers(A(&MADE))
                .also([404, 409])
                .body([KIND, needs("fromRepo", Text, "Its path."), needs("toRepo", Text, "Its path from now on.")]),
            api::moving::move_repo,
        )
        .post(
            "/api/validate-yaml",
            About::one("Checks a README.").answers(A(&REPORT)).open().body([
                takes_null("content", Text, "The README."),
                takes_null("repoType", Text, "Of what it is; anything but space is not looked at."),
            ]),
            api::commit::validate_yaml,
        )
}

fn about_one(routes: Described) -> Described {
    routes
        .get(
            "/api/spaces/{owner}/{name}",
            About::one("A Space at the head of its deploy branch.").answers(A(&SPACE)).query([BLOBS, EXPAND]),
            api::spaces::info,
        )
        .get(
            "/api/spaces/{owner}/{name}/revision/{rev}",
            About::one("A Space at a revision.").answers(A(&SPACE)).query([BLOBS, EXPAND]),
            api::spaces::info_at,
        )
        .post(
            "/api/spaces/{owner}/{name}/duplicate",
            About::one("Copies a Space. A name that is taken is a 409 with the address of what is there.")
                .answers(A(&MADE))
                .also([409])
                .body(NEW)
                .body_also([takes_null(
                    "repository",
                    Text,
                    "Where the copy goes: owner/name, or a name of the caller's.",
                )]),
            api::duplicate::duplicate,
        )
        .post("/api/spaces/{owner}/{name}/like", About::one("Likes a Space.").answers(A(&DONE)), api::likes::like)
        .delete(
            "/api/spaces/{owner}/{name}/like",
            About::one("Likes a Space no more.").answers(A(&DONE)),
            api::likes::unlike,
        )
        .get("/api/spaces/{owner}/{name}/likers", About::array("Who likes a Space.", &A(&PERSON)), api::likes::likers)
        .get("/api/spaces/{owner}/{name}/host", About::one("Where the app answers."), api::spaces::host)
        .get(
            "/api/spaces/{owner}/{name}/scan",
            About::list("Secrets that were found in the repository, those of its head first.")
                .answers(A(&FINDING))
                .signed(),
            api::scan::findings,
        )
        .get(
            "/api/spaces/{owner}/{name}/jwt",
            About::one("A pass to the app, for an address of it: ?__sign= and the token."),
            api::spaces::jwt,
        )
        .get(
            "/api/spaces/{owner}/{name}/auth-check",
            About::one("Whether the caller may see a Space.").text(),
            api::spaces::auth_check,
        )
        .get(
            "/api/spaces/{owner}/{name}/auth-check/write",
            About::one("Whether the caller may change a Space.").text().signed(),
            api::spaces::auth_check_write,
        )
}

fn settings(routes: Described) -> Described {
    let key = || [needs("key", Key, "Its name.")];
    let setting = || SETTING.fields.iter().copied();
    let variables = |summary| About::one(summary).answers(ByName(&A(&VARIABLE)));
    routes
        .put(
            "/api/spaces/{owner}/{name}/settings",
            About::one("Changes who may see a Space, and whether it is talked about.").body([
                takes_null("visibility", VISIBILITY, "Who may see it."),
                takes_null("private", Switch, "The same, as older clients say it."),
                takes_null("gated", Anything, "Spaces are not gated: false, if anything."),
                takes_null("discussionsDisabled", Switch, "Whether there are no discussions."),
            ]),
            api::spaces::change_settings,
        )
        .get(
            "/api/spaces/{owner}/{name}/variables",
            variables("The variables of a Space, by name.").signed(),
            api::settings::variables,
        )
        .post(
            "/api/spaces/{owner}/{name}/variables",
            variables("Sets a variable.").body(setting()).also([409]),
            api::settings::set_variable,
        )
        .delete(
            "/api/spaces/{owner}/{name}/variables",
            variables("Deletes a variable, if it is there.").body(key()),
            api::settings::delete_variable,
        )
        .get(
            "/api/spaces/{owner}/{name}/secrets",
            About::one("The secrets of a Space, by name, without their values.").answers(ByName(&A(&SECRET))).signed(),
            api::settings::secrets,
        )
        .post(
            "/api/spaces/{owner}/{name}/secrets",
            About::one("Sets a secret.").body(setting()).also([409]),
            api::settings::set_secret,
        )
        .delete(
            "/api/spaces/{owner}/{name}/secrets",
            About::one("Deletes a secret, if it is there.").body(key()),
            api::settings::delete_secret,
        )
        .post(
            "/api/spaces/{owner}/{name}/oauth/secret",
            About::one("Gives a Space a new secret as an application; the old one is worth nothing any more."),
            api::settings::rotate_oauth_secret,
        )
}
