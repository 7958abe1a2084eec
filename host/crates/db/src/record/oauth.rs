//! The stored forms of what is known of sign-ins at Spaces.

use serde::{Deserialize, Serialize};
use spaceport_core::id::SpaceId;
use spaceport_core::permission::TokenRole;

use crate::account::TokenHash;
use crate::oauth::{GrantStage, OauthApp, OauthConsent, OauthGrant};
use crate::record::record_by_json;

record_by_json!(OauthApp, OauthAppV1);
record_by_json!(OauthConsent, OauthConsentV1);
record_by_json!(OauthGrant, OauthGrantV1);

/// A hash as 64 hexadecimal digits.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct HashV1([u8; 32]);

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RoleV1 {
    FineGrained,
    Read,
    Write,
    Admin,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OauthAppV1 {
    secret_number: u64,
    rotated_at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OauthConsentV1 {
    scopes: String,
    at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OauthGrantV1 {
    space: Option<SpaceId>,
    scopes: String,
    role: Option<RoleV1>,
    auth_time: u64,
    created_at: u64,
    expires_at: u64,
    stage: StageV1,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum StageV1 {
    Code { code: HashV1, expires_at: u64, redirect_uri: String, challenge: Option<String>, nonce: Option<String> },
    Tokens { refresh: HashV1, access: Vec<(HashV1, u64)>, needs_secret: bool },
}

impl From<HashV1> for String {
    fn from(hash: HashV1) -> Self {
        hash.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl TryFrom<String> for HashV1 {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const MALFORMED: &str = "a hash has 64 hexadecimal digits";
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        let mut bytes = [0; 32];
        if text.len() != 2 * bytes.len() {
            return Err(MALFORMED);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (high, low) = (digit(pair[0]).ok_or(MALFORMED)?, digit(pair[1]).ok_or(MALFORMED)?);
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl From<TokenHash> for HashV1 {
    fn from(hash: TokenHash) -> Self {
        Self(hash.0)
    }
}

impl From<HashV1> for TokenHash {
    fn from(stored: HashV1) -> Self {
        Self(stored.0)
    }
}

impl From<TokenRole> for RoleV1 {
    fn from(role: TokenRole) -> Self {
        match role {
            TokenRole::FineGrained => Self::FineGrained,
            TokenRole::Read => Self::Read,
            TokenRole::Write => Self::Write,
            TokenRole::Admin => Self::Admin,
        }
    }
}

impl From<RoleV1> for TokenRole {
    fn from(stored: RoleV1) -> Self {
        match stored {
            RoleV1::FineGrained => Self::FineGrained,
            RoleV1::Read => Self::Read,
            RoleV1::Write => Self::Write,
            RoleV1::Admin => Self::Admin,
        }
    }
}

impl From<&OauthApp> for OauthAppV1 {
    fn from(app: &OauthApp) -> Self {
        Self { secret_number: app.secret_number, rotated_at: app.rotated_at }
    }
}

impl From<OauthAppV1> for OauthApp {
    fn from(stored: OauthAppV1) -> Self {
        Self { secret_number: stored.secret_number, rotated_at: stored.rotated_at }
    }
}

impl From<&OauthConsent> for OauthConsentV1 {
    fn from(consent: &OauthConsent) -> Self {
        Self { scopes: consent.scopes.clone(), at: consent.at }
    }
}

impl From<OauthConsentV1> for OauthConsent {
    fn from(stored: OauthConsentV1) -> Self {
        Self { scopes: stored.scopes, at: stored.at }
    }
}

impl From<&OauthGrant> for OauthGrantV1 {
    fn from(grant: &OauthGrant) -> Self {
        Self {
            space: grant.space,
            scopes: grant.scopes.clone(),
            role: grant.role.map(Into::into),
            auth_time: grant.auth_time,
            created_at: grant.created_at,
            expires_at: grant.expires_at,
            stage: grant.stage.clone().into(),
        }
    }
}

impl From<OauthGrantV1> for OauthGrant {
    fn from(stored: OauthGrantV1) -> Self {
        Self {
            space: stored.space,
            scopes: stored.scopes,
            role: stored.role.map(Into::into),
            auth_time: stored.auth_time,
            created_at: stored.created_at,
            expires_at: stored.expires_at,
            stage: stored.stage.into(),
        }
    }
}

impl From<GrantStage> for StageV1 {
    fn from(stage: GrantStage) -> Self {
        match stage {
            GrantStage::Code { code, expires_at, redirect_uri, challenge, nonce } => {
                Self::Code { code: code.into(), expires_at, redirect_uri, challenge, nonce }
            }
            GrantStage::Tokens { refresh, access, needs_secret } => Self::Tokens {
                refresh: refresh.into(),
                access: access.into_iter().map(|(hash, end)| (hash.into(), end)).collect(),
                needs_secret,
            },
        }
    }
}

impl From<StageV1> for GrantStage {
    fn from(stored: StageV1) -> Self {
        match stored {
            StageV1::Code { code, expires_at, redirect_uri, challenge, nonce } => {
                Self::Code { code: code.into(), expires_at, redirect_uri, challenge, nonce }
            }
            StageV1::Tokens { refresh, access, needs_secret } => Self::Tokens {
                refresh: refresh.into(),
                access: access.into_iter().map(|(hash, end)| (hash.into(), end)).collect(),
                needs_secret,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;
    use crate::session::WebSession;

    /// Text that version 1 wrote: it must read the same for ever.
    const CODE_V1: &str = r#"{"space":"010101010101010101010101","scopes":"openid profile","role":"write","auth_time":1,"created_at":2,"expires_at":3,"stage":{"code":{"code":"0404040404040404040404040404040404040404040404040404040404040404","expires_at":4,"redirect_uri":"http://a/","challenge":"c","nonce":null}}}"#;
    const TOKENS_V1: &str = r#"{"space":null,"scopes":"openid profile","role":null,"auth_time":1,"created_at":2,"expires_at":3,"stage":{"tokens":{"refresh":"0505050505050505050505050505050505050505050505050505050505050505","access":[["0606060606060606060606060606060606060606060606060606060606060606",7]],"needs_secret":true}}}"#;
    const SESSION_V1: &str = r#"{"role":"read","token":"0707070707070707070707070707070707070707070707070707070707070707","created_at":1,"expires_at":2}"#;

    fn grant(role: Option<TokenRole>, stage: GrantStage) -> OauthGrant {
        let space = role.is_some().then(|| SpaceId::from_bytes([1; 12]));
        let scopes = "openid profile".into();
        OauthGrant { space, scopes, role, auth_time: 1, created_at: 2, expires_at: 3, stage }
    }

    #[track_caller]
    fn reads<T: Record + PartialEq + std::fmt::Debug>(value: &T, text: &str) {
        let mut bytes = Vec::new();
        value.encode(&mut bytes);
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), text);
        assert_eq!(T::decode(1, text.as_bytes()).as_ref(), Ok(value));
        assert!(T::decode(2, text.as_bytes()).unwrap_err().0.contains("newer"));
    }

    #[test]
    fn grants_sessions_and_applications_read_back_as_written() {
        let code = GrantStage::Code {
            code: TokenHash([4; 32]),
            expires_at: 4,
            redirect_uri: "http://a/".into(),
            challenge: Some("c".into()),
            nonce: None,
        };
        reads(&grant(Some(TokenRole::Write), code), CODE_V1);
        let access = vec![(TokenHash([6; 32]), 7)];
        let tokens = GrantStage::Tokens { refresh: TokenHash([5; 32]), access, needs_secret: true };
        reads(&grant(None, tokens), TOKENS_V1);
        let token = Some(TokenHash([7; 32]));
        reads(&WebSession { role: TokenRole::Read, token, created_at: 1, expires_at: 2 }, SESSION_V1);
        reads(&OauthApp { secret_number: 3, rotated_at: 4 }, r#"{"secret_number":3,"rotated_at":4}"#);
        reads(&OauthConsent { scopes: "openid".into(), at: 4 }, r#"{"scopes":"openid","at":4}"#);
    }

    #[test]
    fn a_hash_that_is_none_is_refused() {
        for text in ["07", &"0g".repeat(32), &"é".repeat(32)] {
            let text = SESSION_V1.replace(&"07".repeat(32), text);
            assert!(WebSession::decode(1, text.as_bytes()).is_err(), "{text}");
        }
    }
}
