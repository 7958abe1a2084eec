//! Spaces and how they run.

use super::super::Kind::{A, Amount, Anything, Integer, Key, Many, Moment, Number, Object, OneOf, Switch, Text};
use super::super::{Field, Shape, has, has_null, may, may_null, needs, takes_null};

/// Who may see a Space.
pub(crate) const VISIBILITY: super::super::Kind = OneOf(&["public", "protected", "private"]);

/// A Space. With `expand`, only the members that are asked for are there, beside both ids.
pub(crate) const SPACE: Shape = Shape {
    name: "Space",
    fields: &[
        has("_id", Text),
        has("id", Text),
        may("author", Text),
        may_null("sha", Text),
        may("lastModified", Moment),
        may("createdAt", Moment),
        may("private", Switch),
        may("visibility", VISIBILITY),
        may("gated", Switch),
        may("disabled", Switch),
        may("likes", Number),
        may("trendingScore", Number),
        may("discussionsDisabled", Switch),
        may("tags", Many(&Text)),
        may("sdk", Text),
        may("subdomain", Text),
        may("host", Text),
        may("models", Many(&Anything)),
        may("datasets", Many(&Anything)),
        may("runtime", A(&RUNTIME)),
        may("xetEnabled", Switch),
        may("usedStorage", Number),
        may("siblings", Many(&A(&SIBLING))),
        may("cardData", Object),
    ],
};

const SIBLING: Shape = Shape {
    name: "Sibling",
    fields: &[has("rfilename", Text), may("size", Number), may("blobId", Text), may("lfs", A(&SIBLING_LFS))],
};

const SIBLING_LFS: Shape =
    Shape { name: "SiblingLfs", fields: &[has("sha256", Text), has("size", Number), has("pointerSize", Number)] };

pub(crate) const RUNTIME: Shape = Shape { name: "Runtime", fields: &RUNTIME_FIELDS };

const RUNTIME_FIELDS: [Field; 10] = [
    has("stage", Text),
    has("hardware", A(&RUNTIME_HARDWARE)),
    has_null("storage", Text),
    may_null("gcTimeout", Number),
    has("replicas", A(&REPLICAS)),
    may("devMode", Switch),
    may("domains", Many(&A(&DOMAIN))),
    may("sha", Text),
    may("errorMessage", Text),
    may("queuePosition", Number),
];

/// How a Space runs, as it is told to who listens.
pub(crate) const RUNTIME_EVENT: Shape = Shape { name: "RuntimeEvent", fields: &RUNTIME_EVENT_FIELDS };

const RUNTIME_EVENT_FIELDS: [Field; 11] = {
    let [a, b, c, d, e, f, g, h, i, j] = RUNTIME_FIELDS;
    [a, b, c, d, e, f, g, h, i, j, may("shown", A(&SHOWN))]
};

const SHOWN: Shape = Shape {
    name: "RuntimeShown",
    fields: &[
        has("words", Text),
        has("mood", Text),
        has("isServed", Switch),
        has_null("doing", Text),
        has_null("elapsed", Number),
        has_null("usual", Text),
        has_null("notice", Text),
    ],
};

const RUNTIME_HARDWARE: Shape =
    Shape { name: "RuntimeHardware", fields: &[has_null("current", Text), has_null("requested", Text)] };
const REPLICAS: Shape = Shape { name: "Replicas", fields: &[has("requested", Number), may("current", Number)] };
const DOMAIN: Shape = Shape { name: "Domain", fields: &[has("domain", Text), has("stage", Text)] };

/// What making a Space answers.
pub(crate) const MADE: Shape = Shape { name: "Made", fields: &[has("url", Text), has("name", Text), has("id", Text)] };

/// A variable or a secret as it is sent.
pub(crate) const SETTING: Shape = Shape {
    name: "Setting",
    fields: &[
        needs("key", Key, "Its name."),
        needs("value", Text, "What the app finds under the name."),
        takes_null("description", Text, "What it is for."),
    ],
};

pub(crate) const VARIABLE: Shape = Shape {
    name: "Variable",
    fields: &[has("key", Text), has("value", Text), has_null("description", Text), has("updatedAt", Moment)],
};

pub(crate) const SECRET: Shape =
    Shape { name: "Secret", fields: &[has_null("description", Text), has("updatedAt", Moment)] };

/// One of the caller's repositories.
pub(crate) const OWNED: Shape = Shape {
    name: "OwnedRepository",
    fields: &[
        has("id", Text),
        has("type", Text),
        has("updatedAt", Moment),
        has("visibility", VISIBILITY),
        has("storage", Number),
    ],
};

pub(crate) const TEMPLATES: Shape = Shape { name: "Templates", fields: &[has("templates", Many(&A(&TEMPLATE)))] };

const TEMPLATE: Shape = Shape {
    name: "Template",
    fields: &[has("name", Text), has("repoId", Text), has("sdk", Text), has("preferredPrivate", Switch)],
};

/// A Space that a search has found.
pub(crate) const FOUND: Shape = Shape {
    name: "FoundSpace",
    fields: &[
        has("id", Text),
        has("author", Text),
        has("title", Text),
        has("emoji", Anything),
        has("colorFrom", Anything),
        has("colorTo", Anything),
        has("sdk", Text),
        has("likes", Number),
        has("private", Switch),
        has("tags", Many(&Text)),
        has("runtime", A(&RUNTIME)),
        has("ai_short_description", Anything),
        has("ai_category", Anything),
        has("shortDescription", Anything),
        has("semanticRelevancyScore", Amount),
        has("trendingScore", Number),
    ],
};

/// A line of a log.
pub(crate) const LOG_LINE: Shape = Shape { name: "LogLine", fields: &[has("data", Text), has("timestamp", Moment)] };

/// What a Space uses at a moment.
pub(crate) const READING: Shape = Shape {
    name: "Reading",
    fields: &[
        has("cpu_usage_pct", Amount),
        has("cpu_millicores", Number),
        has("memory_used_bytes", Number),
        has("memory_total_bytes", Number),
        has("tx_bps", Number),
        has("instances", Number),
        has("replica", Text),
    ],
};

/// What a Space did in one minute.
pub(crate) const MINUTE: Shape = Shape {
    name: "Minute",
    fields: &[
        has("at", Moment),
        has("requests", Number),
        has("failed", Number),
        has("cacheHits", Number),
        has("sentBytes", Number),
        has("latencyP50Ms", Number),
        has("latencyP99Ms", Number),
        has("cpuMs", Amount),
        has("fuel", Number),
        has("memoryBytes", Number),
        has("instances", Number),
        has("coldStarts", Number),
        has("coldStartMs", Amount),
    ],
};

pub(crate) const RELEASE: Shape = Shape {
    name: "Release",
    fields: &[has("number", Integer), has("revision", Text), has("createdAt", Moment), has("live", Switch)],
};

pub(crate) const PREVIEW: Shape = Shape {
    name: "Preview",
    fields: &[
        has("ref", Text),
        has("url", Text),
        has("stage", Text),
        has_null("sha", Text),
        has_null("errorMessage", Text),
    ],
};
