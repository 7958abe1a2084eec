//! Usage, grants and the admin API.

use crate::api::{admin, grants, usage};
use crate::document::Kind::{A, Amount, Name, Number, OneOf, Switch, Text, Time};
use crate::document::shapes::host::{
    AUDIT_ENTRY, GPU_ROW, GRANT, HARDWARE_IN_USE, NEW_TOKEN, PLUGIN, QUOTA, SPACE_USAGE, USAGE, USER, USER_TOKEN,
};
use crate::document::{About, Described, Field, needs, takes, takes_null};

/// The days of a report.
const DAYS: [Field; 2] = [
    takes("from", Time, "The first day, in UTC; by default that of this month."),
    takes("to", Time, "The last day, in UTC; by default today."),
];

pub(super) fn routes(routes: Described) -> Described {
    let routes = spaces(routes.group("Usage"));
    let routes = tokens(users(routes.group("Administration")));
    owners(plugins(hardware(routes)))
}

fn spaces(routes: Described) -> Described {
    routes
        .get(
            "/api/spaces/{owner}/{name}/usage",
            About::one("What a Space has used and what it costs.").answers(A(&SPACE_USAGE)).query(DAYS).signed(),
            usage::of_space,
        )
        .get(
            "/api/settings/usage",
            About::one("What the caller's Spaces have used.").answers(A(&USAGE)).query(DAYS),
            usage::own,
        )
        .get(
            "/api/spaces/{owner}/{name}/grants",
            About::list("The grants of a Space, newest first.").answers(A(&GRANT)).signed(),
            grants::list,
        )
        .post(
            "/api/spaces/{owner}/{name}/grants",
            About::one("Asks for hardware to cost nothing.")
                .answers(A(&GRANT))
                .body([
                    needs("flavor", Text, "The hardware."),
                    needs("reason", Text, "What the Space shows and why it needs it."),
                ])
                .exact()
                .also([409]),
            grants::ask,
        )
}

fn users(routes: Described) -> Described {
    routes
        .get("/api/admin/users", About::list("Every user, by name.").answers(A(&USER)), admin::users::list)
        .post(
            "/api/admin/users",
            About::one("Creates a user.")
                .answers(A(&USER))
                .body([
                    needs("name", Name, "Its name."),
                    takes("isAdmin", Switch, "Whether it administers this host."),
                    takes_null("password", Text, "Without one it signs in by token only."),
                ])
                .exact()
                .also([409]),
            admin::users::create,
        )
        .get("/api/admin/users/{param}", About::one("A user.").answers(A(&USER)), admin::users::get)
        .patch(
            "/api/admin/users/{param}",
            About::one("Changes a user.")
                .answers(A(&USER))
                .body([
                    takes_null("isAdmin", Switch, "Whether it administers this host."),
                    takes_null("password", Text, "Its new password; null: it has none any more."),
                ])
                .exact()
                .also([409]),
            admin::users::change,
        )
        .delete(
            "/api/admin/users/{param}",
            About::one("Deletes a user who owns nothing.").also([409]),
            admin::users::delete,
        )
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
}

fn tokens(routes: Described) -> Described {
    routes
        .get(
            "/api/admin/users/{param}/tokens",
            About::list("The tokens of a user, without the tokens.").answers(A(&USER_TOKEN)),
            admin::users::tokens,
        )
        .post(
            "/api/admin/users/{param}/tokens",
            About::one("Creates a token for a user; it is told this once.")
                .answers(A(&NEW_TOKEN))
                .body([
                    needs("role", OneOf(&["read", "write", "admin"]), "What it may do."),
                    takes("name", Text, "What it is for."),
                ])
                .exact()
                .also([409]),
            admin::users::create_token,
        )
        .get(
            "/api/admin/tokens",
            About::list("Every token, without the tokens, newest first."),
            admin::users::all_tokens,
        )
        .get("/api/admin/tokens/{param}", About::one("A token, by its id."), admin::users::token)
        .patch(
            "/api/admin/tokens/{param}",
            About::one("Changes a token, by its id.")
                .body([
                    takes_null("role", OneOf(&["read", "write", "admin"]), "What it may do."),
                    takes_null("name", Text, "What it is for."),
                ])
                .exact()
                .also([409]),
            admin::users::change_token,
        )
        .delete("/api/admin/tokens/{param}", About::one("Ends a token, by its id."), admin::users::revoke_token)
}

fn hardware(routes: Described) -> Described {
    routes
        .get(
            "/api/admin/hardware",
            About::list("The hardware on offer and what is in use.").answers(A(&HARDWARE_IN_USE)),
            admin::hardware::list,
        )
        .get(
            "/api/admin/hardware/{param}",
            About::one("A row of it, by its name.").answers(A(&HARDWARE_IN_USE)),
            admin::hardware::get,
        )
        .post(
            "/api/admin/hardware",
            About::one("Makes a row of hardware, which Spaces can be given at once.")
                .answers(A(&HARDWARE_IN_USE))
                .body([
                    needs("name", Text, "The flavor, as clients send it."),
                    takes_null("prettyName", Text, "Its name for people; by default the flavor."),
                    needs("vcpu", Amount, "vCPUs; may be a fraction."),
                    needs("memory", Text, "Memory of all instances of a Space together, such as 512MiB or 16GB."),
                    needs("disk", Text, "Disk that is lost at a restart."),
                    takes_null("pricePerHour", Amount, "US dollars; by default it is free."),
                    takes_null("gpu", A(&GPU_ROW), "The accelerator; needs a container backend."),
                    takes_null("requestFuel", Number, "Fuel one request may use, if less than the vCPUs can burn."),
                ])
                .exact()
                .also([409]),
            admin::hardware::create,
        )
        .patch(
            "/api/admin/hardware/{param}",
            About::one("Changes a row of hardware. What runs on it keeps what it has until it is started again.")
                .answers(A(&HARDWARE_IN_USE))
                .body([
                    takes_null("prettyName", Text, "Its name for people."),
                    takes_null("vcpu", Amount, "vCPUs; may be a fraction."),
                    takes_null("memory", Text, "Memory of all instances of a Space together."),
                    takes_null("disk", Text, "Disk that is lost at a restart."),
                    takes_null("pricePerHour", Amount, "US dollars."),
                    takes_null("gpu", A(&GPU_ROW), "The accelerator; null: none."),
                    takes_null("requestFuel", Number, "Fuel one request may use; null: what the vCPUs can burn."),
                ])
                .exact(),
            admin::hardware::change,
        )
        .delete(
            "/api/admin/hardware/{param}",
            About::one("Takes a row of hardware back to which no Space is set.").also([409]),
            admin::hardware::delete,
        )
}

fn plugins(routes: Described) -> Described {
    routes
        .get(
            "/api/admin/plugins",
            About::list("Plugins and backends with their health.").answers(A(&PLUGIN)),
            admin::host::plugins,
        )
        .post(
            "/api/admin/plugins",
            About::one("Installs a component that serves a kind of Spaces, in place of the one that does now.")
                .answers(A(&PLUGIN))
                .component()
                .also([409, 413]),
            admin::host::install,
        )
        .delete(
            "/api/admin/plugins/{param}",
            About::one("Removes a component of whose kind there is no Space.").also([409]),
            admin::host::remove,
        )
        .get("/api/admin/plugins/{param}", About::one("A plugin or backend.").answers(A(&PLUGIN)), admin::host::plugin)
        .post(
            "/api/admin/plugins/{param}/enable",
            About::one("Lets a plugin build and start Spaces.").answers(A(&PLUGIN)),
            admin::host::enable,
        )
        .post(
            "/api/admin/plugins/{param}/disable",
            About::one("Has a plugin build and start nothing more. What runs goes on until it is stopped.")
                .answers(A(&PLUGIN)),
            admin::host::disable,
        )
}

/// What owners may have and use, and what they did.
fn owners(routes: Described) -> Described {
    routes
        .get("/api/admin/quotas", About::list("The owners that have a quota.").answers(A(&QUOTA)), admin::quotas::list)
        .get(
            "/api/admin/quotas/{param}",
            About::one("An owner's quota and what of it is used.").answers(A(&QUOTA)),
            admin::quotas::get,
        )
        .put(
            "/api/admin/quotas/{param}",
            About::one("Sets an owner's quota.")
                .answers(A(&QUOTA))
                .body([
                    takes_null("spaces", Number, "The most Spaces."),
                    takes_null("storageBytes", Number, "The most bytes of repositories, without large files."),
                    takes_null("lfsBytes", Number, "The most bytes of large files."),
                ])
                .exact(),
            admin::quotas::set,
        )
        .delete(
            "/api/admin/quotas/{param}",
            About::one("Removes an owner's quota.").answers(A(&QUOTA)),
            admin::quotas::remove,
        )
        .get(
            "/api/admin/grants",
            About::list("Every grant, newest first.").answers(A(&GRANT)).query([takes(
                "status",
                OneOf(&["pending", "approved", "denied", "ended"]),
                "Only those.",
            )]),
            admin::grants::list,
        )
        .get("/api/admin/grants/{param}", About::one("A grant."), admin::grants::get)
        .post(
            "/api/admin/grants/{param}/approve",
            About::one("Approves a grant: its hardware is free from now on.").answers(A(&GRANT)).also([409]),
            admin::grants::approve,
        )
        .post(
            "/api/admin/grants/{param}/deny",
            About::one("Denies a grant, or ends one that was approved.")
                .answers(A(&GRANT))
                .body([needs("reason", Text, "Why.")])
                .exact()
                .also([409]),
            admin::grants::deny,
        )
        .get(
            "/api/admin/usage",
            About::one("What everybody has used.").answers(A(&USAGE)).query(DAYS).also([404]).query([
                takes("by", OneOf(&["space", "owner"]), "What each part of it is about."),
                takes("owner", Text, "Only of this owner, by name or id."),
            ]),
            admin::usage::usage,
        )
        .get(
            "/api/admin/audit",
            About::list("Who has changed what, newest first.").answers(A(&AUDIT_ENTRY)).query([
                takes("actor", Text, "Only what this user did, or shell, or host."),
                takes("space", Text, "Only what was done to this Space."),
                takes("before", Time, "Only what was done before."),
            ]),
            admin::audit::list,
        )
}
