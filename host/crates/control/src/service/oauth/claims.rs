//! What applications are told of a user, as an answer and as a signed token, and the key by which they check it.
//!
//! Tokens are only ever written here, never read, so all that is needed of JOSE is its compact form; the signature is the
//! signing key's affair.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use spaceport_core::oauth::Scopes;
use spaceport_db::{Account, OauthGrant};

use super::super::Control;
use super::super::error::ServiceResult;
use super::bearer::OauthBearer;
use super::client::App;
use super::error::OauthError;

/// Bytes of a hash of which the left half binds an access token to an id token.
const HALF: usize = 16;
/// The one algorithm there is.
const ALGORITHM: &str = "ES256";

/// What an application may know of a user.
#[derive(Debug, Clone, PartialEq)]
pub struct OauthProfile(pub Map<String, Value>);

impl Control {
    /// What the bearer of an access token may know of its user.
    pub fn oauth_profile(&self, token: &str) -> Result<OauthProfile, OauthError> {
        let bearer = self.inner.accounts.oauth_bearer(token)?.ok_or(OauthError::InvalidToken)?;
        let OauthBearer { account, scopes, .. } = bearer;
        Ok(OauthProfile(self.claims_of(&account, &scopes)?))
    }

    /// The public half of the key that signs, as a JSON web key.
    pub fn oauth_key(&self) -> ServiceResult<Value> {
        let key_id = self.key_id()?;
        let (x, y) = self.signing_key()?.public();
        let (x, y) = (BASE64.encode(x), BASE64.encode(y));
        Ok(json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": ALGORITHM, "kid": key_id }))
    }

    /// Who has signed in, and where, signed.
    pub(super) fn id_token(
        &self,
        app: &App,
        account: &Account,
        grant: &OauthGrant,
        access_token: &str,
        nonce: Option<String>,
    ) -> ServiceResult<String> {
        let now = self.inner.clock.now() / 1000;
        let mut claims = self.claims_of(account, &Scopes::parse(&grant.scopes))?;
        let at_hash = BASE64.encode(&Sha256::digest(access_token.as_bytes())[..HALF]);
        for (name, value) in [
            ("iss", json!(self.addresses().hub_url())),
            ("aud", json!(app.id)),
            ("iat", json!(now)),
            ("exp", json!(now + u64::from(app.oauth.expiration_minutes) * 60)),
            ("auth_time", json!(grant.auth_time / 1000)),
            ("at_hash", json!(at_hash)),
        ] {
            claims.insert(name.to_owned(), value);
        }
        if let Some(nonce) = nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        let head = json!({ "alg": ALGORITHM, "typ": "JWT", "kid": self.key_id()? }).to_string();
        let signed = format!("{}.{}", BASE64.encode(head), BASE64.encode(Value::Object(claims).to_string()));
        let signature = self.signing_key()?.sign(signed.as_bytes());
        Ok(format!("{signed}.{}", BASE64.encode(signature)))
    }

    /// What is told of a user. Plans and payment do not exist here; clients want the members anyway.
    fn claims_of(&self, account: &Account, scopes: &Scopes) -> ServiceResult<Map<String, Value>> {
        let (hub, name) = (self.addresses().hub_url(), account.name.as_str());
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), json!(account.id.to_string()));
        if scopes.contains("profile") {
            for (key, value) in [
                ("name", json!(name)),
                ("preferred_username", json!(name)),
                ("profile", json!(format!("{hub}/{name}"))),
                ("picture", json!(format!("{hub}/avatars/{name}.svg"))),
                ("isPro", json!(false)),
                ("orgs", json!([])),
            ] {
                claims.insert(key.to_owned(), value);
            }
        }
        if scopes.contains("read-billing") {
            claims.insert("canPay".to_owned(), json!(false));
        }
        let email = if scopes.contains("email") { self.email_of(account.id)? } else { None };
        if let Some(email) = email {
            claims.insert("email".to_owned(), json!(email.address.as_str()));
            claims.insert("email_verified".to_owned(), json!(email.is_verified));
        }
        Ok(claims)
    }

    /// The key's thumbprint, by RFC 7638: another key has another.
    fn key_id(&self) -> ServiceResult<String> {
        let (x, y) = self.signing_key()?.public();
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, BASE64.encode(x), BASE64.encode(y));
        Ok(BASE64.encode(Sha256::digest(members.as_bytes())))
    }
}
