//! The host and what its administrators look after.

use super::super::Kind::{A, Amount, ByName, Integer, Many, Moment, Number, Object, OneOf, Switch, Text};
use super::super::{Shape, has, has_null, may, may_null, needs, takes};

/// Hardware on offer.
pub(crate) const HARDWARE: Shape = Shape {
    name: "Hardware",
    fields: &[
        has("name", Text),
        has("prettyName", Text),
        has("cpu", Text),
        has("ram", Text),
        has("ephemeralStorage", Text),
        has_null("accelerator", Object),
        has("unitCostMicroUSD", Integer),
        has("unitCostUSD", Amount),
        has("unitLabel", Text),
    ],
};

pub(crate) const HARDWARE_IN_USE: Shape = Shape {
    name: "HardwareInUse",
    fields: &[
        has("name", Text),
        has("prettyName", Text),
        has("unitCostUSD", Amount),
        has("vcpu", Amount),
        has("memory", Text),
        has("disk", Text),
        has("pricePerHour", Amount),
        has_null("gpu", A(&GPU_ROW)),
        has_null("requestFuel", Number),
        has("spaces", Number),
        has("running", Number),
        has("memoryBytes", Number),
    ],
};

/// The accelerator of a row of hardware.
pub(crate) const GPU_ROW: Shape = Shape {
    name: "Gpu",
    fields: &[
        needs("type", Text, "Its model, such as t4."),
        takes("count", Number, "How many; by default one."),
        needs("memory", Text, "The memory of all together, such as 16GiB."),
    ],
};

pub(crate) const PLUGIN: Shape = Shape {
    name: "Plugin",
    fields: &[
        has("name", Text),
        has("kind", OneOf(&["component", "program"])),
        has("healthy", Switch),
        may_null("problem", Text),
        may("restarts", Number),
        may("sdk", Text),
        may("appFile", Text),
    ],
};

/// How this host is reached by SSH, if it is.
pub(crate) const SSH: Shape = Shape {
    name: "Ssh",
    fields: &[
        has("enabled", Switch),
        may("host", Text),
        may("port", Number),
        may("url", Text),
        may("hostKey", Text),
        may("fingerprint", Text),
        may("knownHosts", Text),
    ],
};

pub(crate) const USER: Shape = Shape {
    name: "User",
    fields: &[
        has("id", Text),
        has("name", Text),
        has("isAdmin", Switch),
        has("hasPassword", Switch),
        has("createdAt", Moment),
        may("numSpaces", Number),
    ],
};

/// A token as administrators see it.
pub(crate) const USER_TOKEN: Shape = Shape {
    name: "UserToken",
    fields: &[has("id", Text), has("name", Text), has("role", Text), has("lastFour", Text), has("createdAt", Moment)],
};

/// A token that was just made.
pub(crate) const NEW_TOKEN: Shape = Shape { name: "NewToken", fields: &[has("token", Text)] };

/// An organization as administrators see it; its members only where it is asked for by name.
pub(crate) const ORGANIZATION_ROW: Shape = Shape {
    name: "OrganizationRow",
    fields: &[
        has("id", Text),
        has("name", Text),
        has("createdAt", Moment),
        may("members", Many(&A(&super::accounts::PLACED))),
    ],
};

/// Limits of an owner; `null` is none.
const AMOUNTS: Shape = Shape {
    name: "Amounts",
    fields: &[may_null("spaces", Number), may_null("storageBytes", Number), may_null("lfsBytes", Number)],
};

/// An owner's limits; what is used only where it is asked for by name.
pub(crate) const QUOTA: Shape = Shape {
    name: "Quota",
    fields: &[
        has("owner", Text),
        may_null("spaces", Number),
        may_null("storageBytes", Number),
        may_null("lfsBytes", Number),
        may("used", A(&AMOUNTS)),
    ],
};

/// What has been asked for as a grant, and what was answered.
pub(crate) const GRANT: Shape = Shape {
    name: "Grant",
    fields: &[
        has("id", Text),
        has("space", Text),
        has("flavor", Text),
        has("reason", Text),
        has("askedAt", Moment),
        has("status", OneOf(&["pending", "approved", "denied", "ended"])),
        may("answeredAt", Moment),
        may_null("endedAt", Moment),
        may("answer", Text),
    ],
};

/// What one Space has used.
pub(crate) const SPACE_USAGE: Shape = Shape {
    name: "SpaceUsage",
    fields: &[
        has_null("space", Text),
        has("minutes", Number),
        has("costUSD", Amount),
        has("fuel", Number),
        has("hardware", Many(&Object)),
        has("storage", Many(&Object)),
        may("from", Moment),
        may("to", Moment),
    ],
};

/// What many have used, with its parts.
pub(crate) const USAGE: Shape = Shape {
    name: "Usage",
    fields: &[
        has("from", Moment),
        has("to", Moment),
        has("minutes", Number),
        has("costUSD", Amount),
        has("fuel", Number),
        has("items", Many(&Object)),
        has_null("next", Text),
    ],
};

/// Who has changed what.
pub(crate) const AUDIT_ENTRY: Shape = Shape {
    name: "AuditEntry",
    fields: &[
        has("id", Text),
        has("at", Moment),
        has("actor", Object),
        has_null("from", Text),
        has("action", Text),
        has_null("space", Object),
        has_null("target", Text),
        has("detail", ByName(&Text)),
    ],
};
