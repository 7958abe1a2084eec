//! The stored forms of access tokens: the first knows no scopes, the second does.

use serde::{Deserialize, Serialize};
use spaceport_core::id::{AccountId, SpaceId, TokenId};
use spaceport_core::permission::{Entity, Permission, Scope, Scopes, TokenRole};

use crate::account::AccessToken;
use crate::record::{Record, RecordError, read_json, unknown_version, write_json};

impl Record for AccessToken {
    const VERSION: u8 = 2;

    fn encode(&self, bytes: &mut Vec<u8>) {
        write_json(&AccessTokenV2::from(self), bytes);
    }

    fn decode(version: u8, bytes: &[u8]) -> Result<Self, RecordError> {
        match version {
            1 => Ok(read_json::<AccessTokenV1>(bytes)?.into()),
            2 => Ok(read_json::<AccessTokenV2>(bytes)?.into()),
            newer => Err(unknown_version(newer)),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessTokenV1 {
    id: TokenId,
    account: AccountId,
    role: TokenRoleV1,
    label: String,
    last_four: String,
    created_at: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TokenRoleV1 {
    Read,
    Write,
    Admin,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessTokenV2 {
    id: TokenId,
    account: AccountId,
    role: TokenRoleV2,
    label: String,
    last_four: String,
    created_at: u64,
    scopes: ScopesV2,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TokenRoleV2 {
    FineGrained,
    Read,
    Write,
    Admin,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopesV2 {
    global: Vec<PermissionV2>,
    scoped: Vec<ScopeV2>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeV2 {
    entity: EntityV2,
    permissions: Vec<PermissionV2>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EntityV2 {
    Owner(AccountId),
    Space(SpaceId),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PermissionV2 {
    ReadContent,
    Write,
    Discuss,
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
            scopes: Default::default(),
        }
    }
}

impl From<&AccessToken> for AccessTokenV2 {
    fn from(token: &AccessToken) -> Self {
        Self {
            id: token.id,
            account: token.account,
            role: match token.role {
                TokenRole::FineGrained => TokenRoleV2::FineGrained,
                TokenRole::Read => TokenRoleV2::Read,
                TokenRole::Write => TokenRoleV2::Write,
                TokenRole::Admin => TokenRoleV2::Admin,
            },
            label: token.label.clone(),
            last_four: token.last_four.clone(),
            created_at: token.created_at,
            scopes: ScopesV2::from(&*token.scopes),
        }
    }
}

impl From<AccessTokenV2> for AccessToken {
    fn from(stored: AccessTokenV2) -> Self {
        Self {
            id: stored.id,
            account: stored.account,
            role: match stored.role {
                TokenRoleV2::FineGrained => TokenRole::FineGrained,
                TokenRoleV2::Read => TokenRole::Read,
                TokenRoleV2::Write => TokenRole::Write,
                TokenRoleV2::Admin => TokenRole::Admin,
            },
            label: stored.label,
            last_four: stored.last_four,
            created_at: stored.created_at,
            scopes: Scopes::from(stored.scopes).into(),
        }
    }
}

impl From<&Scopes> for ScopesV2 {
    fn from(scopes: &Scopes) -> Self {
        let permissions = |list: &[Permission]| list.iter().copied().map(PermissionV2::from).collect();
        let scoped = scopes.scoped.iter().map(|scope| ScopeV2 {
            entity: match scope.entity {
                Entity::Owner(id) => EntityV2::Owner(id),
                Entity::Space(id) => EntityV2::Space(id),
            },
            permissions: permissions(&scope.permissions),
        });
        Self { global: permissions(&scopes.global), scoped: scoped.collect() }
    }
}

impl From<ScopesV2> for Scopes {
    fn from(stored: ScopesV2) -> Self {
        let permissions = |list: Vec<PermissionV2>| list.into_iter().map(Permission::from).collect();
        let scoped = stored.scoped.into_iter().map(|scope| Scope {
            entity: match scope.entity {
                EntityV2::Owner(id) => Entity::Owner(id),
                EntityV2::Space(id) => Entity::Space(id),
            },
            permissions: permissions(scope.permissions),
        });
        Self { scoped: scoped.collect(), global: permissions(stored.global) }
    }
}

impl From<Permission> for PermissionV2 {
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::ReadContent => Self::ReadContent,
            Permission::Write => Self::Write,
            Permission::Discuss => Self::Discuss,
        }
    }
}

impl From<PermissionV2> for Permission {
    fn from(stored: PermissionV2) -> Self {
        match stored {
            PermissionV2::ReadContent => Self::ReadContent,
            PermissionV2::Write => Self::Write,
            PermissionV2::Discuss => Self::Discuss,
        }
    }
}
