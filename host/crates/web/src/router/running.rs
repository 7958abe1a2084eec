//! How a Space runs.

use crate::api;
use crate::document::Kind::{A, Anything, Integer, Many, Number, Switch, Text};
use crate::document::shapes::space::{LOG_LINE, MINUTE, PREVIEW, READING, RELEASE, RUNTIME, RUNTIME_EVENT};
use crate::document::{About, Described, Field, needs, takes, takes_null};

/// A ref that is run beside the Space.
const REFERENCE: [Field; 1] = [needs("ref", Text, "A branch, or refs/pr/ and a number.")];

pub(super) fn routes(routes: Described) -> Described {
    not_offered(built(watched(started(routes.group("Runtime")))))
}

/// What answers with how the Space runs then.
fn runtime(summary: &'static str) -> About {
    About::one(summary).answers(A(&RUNTIME))
}

fn started(routes: Described) -> Described {
    routes
        .get("/api/spaces/{owner}/{name}/runtime", runtime("How a Space runs now."), api::running::runtime)
        .post(
            "/api/spaces/{owner}/{name}/hardware",
            runtime("Moves a Space to other hardware.").also([409]).body([
                needs("flavor", Text, "Its name in the list of hardware."),
                takes_null("sleepTimeSeconds", Integer, "After how long without a visitor it sleeps; -1 for never."),
            ]),
            api::hardware::request,
        )
        .post(
            "/api/spaces/{owner}/{name}/sleeptime",
            runtime("Sets when a Space sleeps.").body([needs(
                "seconds",
                Integer,
                "After how long without a visitor; -1 for never.",
            )]),
            api::hardware::set_sleep_time,
        )
        .post(
            "/api/spaces/{owner}/{name}/storage",
            runtime("Gives a Space a persistent disk.").also([409]).body([needs("tier", Text, "How large.")]),
            api::hardware::set_storage,
        )
        .delete(
            "/api/spaces/{owner}/{name}/storage",
            runtime("Takes a Space's persistent disk away, with what is on it.").also([409]),
            api::hardware::delete_storage,
        )
        .post(
            "/api/spaces/{owner}/{name}/pause",
            runtime("Stops a Space until its owner starts it.").also([409]),
            api::running::pause,
        )
        .post(
            "/api/spaces/{owner}/{name}/restart",
            runtime("Starts a Space anew.").also([409]).query([takes("factory", Switch, "Builds it anew, too.")]),
            api::running::restart,
        )
}

fn watched(routes: Described) -> Described {
    routes
        .get(
            "/api/spaces/{owner}/{name}/logs/{param}",
            About::one("A log, from its start on, for as long as somebody listens.")
                .events(A(&LOG_LINE))
                .signed()
                .query([
                    takes("tail", Number, "Only so many of the lines that are there, and those to come."),
                    takes("preview", Text, "The log of the preview of this ref."),
                ]),
            api::running::logs,
        )
        .get(
            "/api/spaces/{owner}/{name}/events",
            About::one("How a Space runs, now and after every change.").events(A(&RUNTIME_EVENT)).query([takes(
                "shown",
                Switch,
                "Also what pages show of it, in words.",
            )]),
            api::running::events,
        )
        .get(
            "/api/spaces/{owner}/{name}/metrics",
            About::one("What a Space uses, every second.").events(A(&READING)).signed(),
            api::metrics::metrics,
        )
        .get(
            "/api/spaces/{owner}/{name}/metrics/history",
            About::one("What a Space did by the minute, oldest first.")
                .items(A(&MINUTE))
                .query([takes("minutes", Integer, "How many of the last minutes, at most 1440: all that is kept.")])
                .signed(),
            api::metrics::history,
        )
}

fn built(routes: Described) -> Described {
    routes
        .get(
            "/api/spaces/{owner}/{name}/releases",
            About::one("What was built, newest first.").items(A(&RELEASE)),
            api::running::releases,
        )
        .post(
            "/api/spaces/{owner}/{name}/releases/{param}/rollback",
            runtime("Goes back to a release.").also([409]),
            api::running::roll_back,
        )
        .get(
            "/api/spaces/{owner}/{name}/previews",
            About::one("The previews of a Space.").items(A(&PREVIEW)),
            api::previews::list,
        )
        .post(
            "/api/spaces/{owner}/{name}/previews",
            About::one("Builds and runs a ref beside the Space.").answers(A(&PREVIEW)).also([409]).body(REFERENCE),
            api::previews::open,
        )
        .delete(
            "/api/spaces/{owner}/{name}/previews",
            About::one("Ends a preview.").nothing(200).also([409]).body(REFERENCE),
            api::previews::end,
        )
}

/// What is here to say that it is not.
fn not_offered(routes: Described) -> Described {
    routes
        .post(
            "/api/spaces/{owner}/{name}/dev-mode",
            runtime("Dev mode, which is not offered.").body([needs("enabled", Switch, "false.")]),
            api::not_offered::dev_mode,
        )
        .post(
            "/api/spaces/{owner}/{name}/replicas",
            runtime("The number of replicas, which is one.").body([needs("replicas", Number, "1.")]),
            api::not_offered::replicas,
        )
        .put(
            "/api/spaces/{owner}/{name}/volumes",
            runtime("Volumes, which are not offered.").body([needs("volumes", Many(&Anything), "An empty list.")]),
            api::not_offered::set_volumes,
        )
        .delete(
            "/api/spaces/{owner}/{name}/volumes",
            About::one("Removes volumes, of which there are none.").never(),
            api::not_offered::delete_volumes,
        )
}
