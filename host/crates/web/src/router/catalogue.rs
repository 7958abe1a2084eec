//! The host: whether it is well, what it offers, and Spaces as a list.

use crate::api;
use crate::document::Kind::{A, Many, OneOf, Switch, Text};
use crate::document::shapes::host::{HARDWARE, SSH};
use crate::document::shapes::space::{FOUND, SPACE, TEMPLATES};
use crate::document::{About, Described, Field, needs, takes};

/// What says which members of a Space are told.
pub(super) const EXPAND: Field =
    takes("expand", Many(&Text), "Only these members, beside the ids; siblings reads the repository.");
/// The tags that a listed Space must have.
const FILTER: Field = takes("filter", Many(&Text), "Only Spaces with these tags.");

pub(super) fn routes(routes: Described) -> Described {
    listed(routes.group("Host"))
        .get("/healthz", About::one("Whether the process runs and takes requests.").text().open(), api::probes::alive)
        .get("/readyz", About::one("Whether changes can be stored.").text().open(), api::probes::ready)
        .get(
            "/api/ssh",
            About::one("Where this host listens for SSH, and by which key it is recognised.").answers(A(&SSH)).open(),
            api::ssh::door,
        )
        .get(
            "/api/spaces/hardware",
            About::one("The hardware on offer.").answers(Many(&A(&HARDWARE))).open(),
            api::hardware::list,
        )
        .get(
            "/api/spaces/templates",
            About::one("Spaces to start from.").answers(A(&TEMPLATES)),
            api::catalogue::templates,
        )
        .get(
            "/api/spaces/zero-gpu/quota",
            About::one("The time of shared GPUs that is left: none is there to be used.").signed(),
            api::catalogue::gpu_quota,
        )
}

fn listed(routes: Described) -> Described {
    routes
        .get(
            "/api/spaces",
            About::array("The Spaces that the caller may see.", &A(&SPACE)).query([
                takes("author", Text, "Only those of this user or organization."),
                takes("search", Text, "Only those with this in their path or title."),
                FILTER,
                takes("models", Many(&Text), "Only those that name these models."),
                takes("datasets", Many(&Text), "Only those that name these data sets."),
                takes("linked", Switch, "Only those that name a model or a data set."),
                takes(
                    "sort",
                    OneOf(&["lastModified", "createdAt", "likes", "trendingScore"]),
                    "By what they are sorted.",
                ),
                takes("direction", OneOf(&["1", "-1"]), "1: the least first; by default the most."),
                takes("full", Switch, "With their files."),
                EXPAND,
            ]),
            api::spaces::list,
        )
        .get(
            "/api/spaces/semantic-search",
            About::one("Spaces by the words of a query, best first.").answers(Many(&A(&FOUND))).query([
                needs("q", Text, "What is looked for."),
                FILTER,
                takes("sdk", Text, "Only those of this sdk."),
                takes("includeNonRunning", Switch, "Also those that do not run."),
            ]),
            api::catalogue::search,
        )
        .get(
            "/api/spaces/by-subdomain/{param}",
            About::one("The Space whose app answers at a subdomain.").answers(A(&SPACE)),
            api::spaces::by_subdomain,
        )
}
