//! The stored forms of accounts and access tokens.

use serde::{Deserialize, Serialize};
use spaceport_core::id::{AccountId, TokenId};
use spaceport_core::name::OwnerName;
use spaceport_core::permission::TokenRole;

use crate::account::{AccessToken, Account, AccountKind, PasswordHash};
use crate::record::record_by_json;

record_by_json!(Account, AccountV1);
record_by_json!(AccessToken, AccessTokenV1);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountV1 {
    id: AccountId,
    name: OwnerName,
    kind: AccountKindV1,
    is_admin: bool,
    password: Option<String>,
    created_at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AccountKindV1 {
    User,
    Organization,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccessTokenV1 {
    id: TokenId,
    account: AccountId,
    role: TokenRoleV1,
    label: String,
    last_four: String,
    created_at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TokenRoleV1 {
    Read,
    Write,
    Admin,
}

impl From<&Account> for AccountV1 {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id,
            name: account.name.clone(),
            kind: match account.kind {
                AccountKind::User => AccountKindV1::User,
                AccountKind::Organization => AccountKindV1::Organization,
            },
            is_admin: account.is_admin,
            password: account.password.as_ref().map(|password| password.0.clone()),
            created_at: account.created_at,
        }
    }
}

impl From<AccountV1> for Account {
    fn from(stored: AccountV1) -> Self {
        Self {
            id: stored.id,
            name: stored.name,
            kind: match stored.kind {
                AccountKindV1::User => AccountKind::User,
                AccountKindV1::Organization => AccountKind::Organization,
            },
            is_admin: stored.is_admin,
            password: stored.password.map(PasswordHash),
            created_at: stored.created_at,
        }
    }
}

impl From<&AccessToken> for AccessTokenV1 {
    fn from(token: &AccessToken) -> Self {
        Self {
            id: token.id,
            account: token.account,
            role: match token.role {
                TokenRole::Read => TokenRoleV1::Read,
                TokenRole::Write => TokenRoleV1::Write,
                TokenRole::Admin => TokenRoleV1::Admin,
            },
            label: token.label.clone(),
            last_four: token.last_four.clone(),
            created_at: token.created_at,
        }
    }
}

impl From<AccessTokenV1> for AccessToken {
    fn from(stored: AccessTokenV1) -> Self {
        Self {
            id: stored.id,
            account: stored.account,
            role: match stored.role {
                TokenRoleV1::Read => TokenRole::Read,
                TokenRoleV1::Write => TokenRole::Write,
                TokenRoleV1::Admin => TokenRole::Admin,
            },
            label: stored.label,
            last_four: stored.last_four,
            created_at: stored.created_at,
        }
    }
}
