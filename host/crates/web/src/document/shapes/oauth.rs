//! What programs are told that sign users in.

use super::super::Kind::{Many, Number, Object, Text};
use super::super::{Shape, has, has_null, may};

/// What this hub offers as an OpenID provider.
pub(crate) const PROVIDER: Shape = Shape {
    name: "OpenIdProvider",
    fields: &[
        has("issuer", Text),
        has("authorization_endpoint", Text),
        has("token_endpoint", Text),
        has("userinfo_endpoint", Text),
        has("jwks_uri", Text),
        has("scopes_supported", Many(&Text)),
    ],
};

/// The keys by which tokens are verified.
pub(crate) const KEYS: Shape = Shape { name: "JsonWebKeys", fields: &[has("keys", Many(&Object))] };

/// What a user has agreed to.
pub(crate) const TOKENS: Shape = Shape {
    name: "OAuthTokens",
    fields: &[
        has("access_token", Text),
        has("token_type", Text),
        has("expires_in", Number),
        has_null("refresh_token", Text),
        has_null("id_token", Text),
        has("scope", Text),
    ],
};

/// Who the bearer of a token acts for, as far as it may know.
pub(crate) const USER_INFO: Shape = Shape {
    name: "UserInfo",
    fields: &[has("sub", Text), may("name", Text), may("preferred_username", Text), may("picture", Text)],
};

/// A code that a user types in elsewhere.
pub(crate) const DEVICE_CODE: Shape = Shape {
    name: "DeviceCode",
    fields: &[
        has("device_code", Text),
        has("user_code", Text),
        has("verification_uri", Text),
        has("verification_uri_complete", Text),
        has("expires_in", Number),
        has("interval", Number),
    ],
};
