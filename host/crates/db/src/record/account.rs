//! The stored form of an account.

use serde::{Deserialize, Serialize};
use spaceport_core::id::AccountId;
use spaceport_core::name::OwnerName;

use crate::account::{Account, AccountKind, PasswordHash};
use crate::record::record_by_json;

record_by_json!(Account, AccountV1);

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
