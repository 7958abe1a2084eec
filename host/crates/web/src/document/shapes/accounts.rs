//! Users, organizations, and what they have.

use super::super::Kind::{A, Many, Moment, Number, Object, OneOf, Switch, Text};
use super::super::{Shape, has, has_null, may, may_null, needs, takes};

/// What somebody is in an organization.
pub(crate) const ROLE: super::super::Kind = OneOf(&["read", "write", "admin"]);

pub(crate) const WHOAMI: Shape = Shape {
    name: "WhoAmI",
    fields: &[
        has("type", Text),
        has("id", Text),
        has("name", Text),
        has("fullname", Text),
        has_null("email", Text),
        has("emailVerified", Switch),
        has("canPay", Switch),
        has("isPro", Switch),
        has("isAdmin", Switch),
        has("avatarUrl", Text),
        has("orgs", Many(&A(&ORGANIZATION))),
        has("auth", A(&AUTH)),
    ],
};

const AUTH: Shape = Shape {
    name: "Auth",
    fields: &[has("type", Text), may("accessToken", A(&TOKEN_AT_HAND)), may("expiresAt", Moment)],
};

const TOKEN_AT_HAND: Shape = Shape {
    name: "AccessToken",
    fields: &[has("displayName", Text), has("role", Text), has("createdAt", Moment), may("fineGrained", Object)],
};

/// An organization in a profile; its members are told what they are there, too.
pub(crate) const ORGANIZATION: Shape = Shape {
    name: "Organization",
    fields: &[
        has("type", Text),
        has("id", Text),
        has("name", Text),
        has("fullname", Text),
        has("avatarUrl", Text),
        may("roleInOrg", Text),
    ],
};

pub(crate) const USER_OVERVIEW: Shape = Shape {
    name: "UserOverview",
    fields: &[
        has("_id", Text),
        has("type", Text),
        has("user", Text),
        has("fullname", Text),
        has("avatarUrl", Text),
        has("createdAt", Moment),
        has("isPro", Switch),
        has("numSpaces", Number),
        has("numLikes", Number),
        has("orgs", Many(&A(&ORGANIZATION))),
    ],
};

pub(crate) const ORGANIZATION_OVERVIEW: Shape = Shape {
    name: "OrganizationOverview",
    fields: &[
        has("_id", Text),
        has("type", Text),
        has("name", Text),
        has("fullname", Text),
        has("avatarUrl", Text),
        has("createdAt", Moment),
        has("numSpaces", Number),
        has("numUsers", Number),
    ],
};

/// Somebody who is in a list of people; `role` only among members, for members.
pub(crate) const PERSON: Shape = Shape {
    name: "Person",
    fields: &[
        has("_id", Text),
        has("type", Text),
        has("user", Text),
        has("fullname", Text),
        has("avatarUrl", Text),
        has("isPro", Switch),
        may("role", ROLE),
    ],
};

/// A member as they were put into an organization.
pub(crate) const PLACED: Shape =
    Shape { name: "Membership", fields: &[has("user", Text), has("role", ROLE), has("since", Moment)] };

pub(crate) const LIKED: Shape = Shape { name: "Liked", fields: &[has("createdAt", Moment), has("repo", Object)] };

/// That something was done.
pub(crate) const DONE: Shape = Shape { name: "Done", fields: &[has("success", Switch)] };

/// A token of the caller's; the token itself only where it was just made.
pub(crate) const TOKEN: Shape = Shape {
    name: "OwnToken",
    fields: &[
        has("id", Text),
        has("displayName", Text),
        has("role", Text),
        has("createdAt", Moment),
        has("lastFour", Text),
        may("fineGrained", Object),
        may("token", Text),
    ],
};

/// A browser in which somebody is signed in.
pub(crate) const BROWSER: Shape = Shape {
    name: "Browser",
    fields: &[
        has("id", Text),
        has("since", Moment),
        has("expiresAt", Moment),
        has("role", Text),
        has("byToken", Switch),
        has("current", Switch),
    ],
};

pub(crate) const ENDED: Shape = Shape { name: "EndedSessions", fields: &[has("ended", Number)] };

/// What a token of the role `fineGrained` is for.
pub(crate) const SCOPES: Shape = Shape {
    name: "Scopes",
    fields: &[
        takes("global", Many(&Text), "What it may do everywhere."),
        takes("scoped", Many(&A(&SCOPE)), "What it may do with one user, organization or Space."),
    ],
};

const SCOPE: Shape = Shape {
    name: "Scope",
    fields: &[needs("entity", A(&ENTITY), "With what."), needs("permissions", Many(&Text), "What it may do with it.")],
};

const ENTITY: Shape = Shape {
    name: "Entity",
    fields: &[needs("type", OneOf(&["user", "org", "space"]), "What it is."), needs("name", Text, "Its name or path.")],
};

/// A public key by which a user signs in over SSH.
pub(crate) const KEY: Shape = Shape {
    name: "Key",
    fields: &[
        has("id", Text),
        has("title", Text),
        has("type", Text),
        has("key", Text),
        has("fingerprint", Text),
        has("createdAt", Moment),
        has_null("lastUsedAt", Moment),
    ],
};

/// What a webhook looks at.
pub(crate) const WATCHED: Shape = Shape {
    name: "Watched",
    fields: &[needs("type", OneOf(&["user", "org", "space"]), "What it is."), needs("name", Text, "Its name or path.")],
};

pub(crate) const WEBHOOK: Shape = Shape {
    name: "Webhook",
    fields: &[
        has("id", Text),
        has("url", Text),
        has("watched", Many(&A(&WATCHED))),
        has("domains", Many(&Text)),
        may_null("secret", Text),
        has("disabled", Switch),
        has_null("disabledReason", Text),
        has("createdAt", Moment),
        has("updatedAt", Moment),
    ],
};

pub(crate) const WRAPPED_WEBHOOK: Shape = Shape { name: "WrappedWebhook", fields: &[has("webhook", A(&WEBHOOK))] };

/// What became of a message to a webhook.
pub(crate) const DELIVERY: Shape = Shape {
    name: "Delivery",
    fields: &[
        has("number", Number),
        has("at", Moment),
        has("event", Text),
        has("repo", Text),
        has("tries", Number),
        has("state", OneOf(&["waiting", "delivered", "failed"])),
        has_null("status", Number),
        has_null("error", Text),
    ],
};
