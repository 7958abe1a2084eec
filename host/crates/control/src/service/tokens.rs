//! A user's own tokens: listed, made and revoked with a token that may. No token makes one that may more than itself, and a
//! fine-grained one makes none.

use std::collections::BTreeSet;
use std::sync::Arc;

use spaceport_core::id::{AccountId, TokenId};
use spaceport_core::name::{OwnerName, SpacePath};
use spaceport_core::permission::{
    Action, Actor, Denied, Entity, MAX_SCOPES, Permission, Scope, Scopes, Subject, TokenRole, User, can,
};
use spaceport_db::{AccessToken, AccountKind, AuditActor, Batch, TokenHash};

use super::Control;
use super::accounts::{Accounts, NewToken};
use super::audit::{Act, record, who};
use super::error::{ServiceError, ServiceResult};
use super::storage::{commit_failed, read_failed};
use super::token::TokenText;

/// Most tokens of one user: more than anybody tells apart.
const MAX_TOKENS: usize = 500;

/// What a scope of a new token is about, as people name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedEntity {
    /// All Spaces of a user or an organization.
    Owner(OwnerName),
    /// One Space.
    Space(SpacePath),
}

/// A token of the actor's, to be created.
#[derive(Debug, Clone)]
pub struct NewOwnToken {
    /// What it is for.
    pub label: String,
    /// What it allows at most.
    pub role: TokenRole,
    /// Of a fine-grained one: what it is for everywhere.
    pub global: Vec<Permission>,
    /// And on single things.
    pub scoped: Vec<(NamedEntity, Vec<Permission>)>,
}

/// A scope with the name that its thing has now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeView {
    /// What it is about.
    pub entity: Entity,
    /// What that is.
    pub kind: EntityKind,
    /// Its name.
    pub name: String,
    /// What is allowed.
    pub permissions: Vec<Permission>,
}

/// What a scope can be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityKind {
    /// A user.
    User,
    /// An organization.
    Organization,
    /// A Space.
    Space,
}

impl Accounts {
    /// Revokes a token of an account. What is under way with it is not broken off.
    pub(super) async fn revoke_token(&self, account: AccountId, id: TokenId, by: AuditActor) -> ServiceResult<()> {
        let tokens = self.db.tokens_of(account).map_err(read_failed)?;
        let found = tokens.into_iter().find(|(_, token)| token.id == id);
        let (hash, token) =
            found.ok_or_else(|| ServiceError::NothingToDelete(format!("There is no token {id} of yours")))?;
        let mut batch = Batch::default();
        batch.delete(self.db.tokens(), &hash);
        let act = Act::new("token.revoke").with("token", id).with("label", &token.label);
        record(&self.db, self.clock.now(), by, act, &mut batch);
        self.db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// Revokes those of these texts that are tokens, whoever's: who knows one could use it. How many there were.
    pub async fn revoke_leaked(&self, texts: &[String]) -> ServiceResult<usize> {
        let hashes: BTreeSet<TokenHash> =
            texts.iter().filter_map(|text| TokenText::parse(text)).map(|text| TokenHash(text.hash())).collect();
        let mut batch = Batch::default();
        let mut revoked = 0;
        for hash in hashes {
            if let Some(token) = self.db.tokens().get(&hash).map_err(read_failed)? {
                tracing::warn!(token = %token.id, account = %token.account, "a token that leaked was revoked");
                batch.delete(self.db.tokens(), &hash);
                let act = Act::new("token.revoke_leaked").with("token", token.id).with("label", &token.label);
                record(&self.db, self.clock.now(), AuditActor::Host, act, &mut batch);
                revoked += 1;
            }
        }
        if revoked > 0 {
            self.db.commit(batch).await.map_err(commit_failed)?;
        }
        Ok(revoked)
    }
}

impl Control {
    /// The actor's tokens, newest first.
    pub fn own_tokens(&self, actor: &Actor) -> ServiceResult<Vec<AccessToken>> {
        let user = holder(actor, TokenRole::Read)?;
        self.accounts().tokens(&user.name)
    }

    /// Creates a token of the actor's and returns it: it cannot be read again.
    pub async fn create_own_token(&self, actor: &Actor, new: NewOwnToken) -> ServiceResult<(TokenText, AccessToken)> {
        let user = holder(actor, TokenRole::Write)?;
        if new.role > user.role {
            let message = "A token cannot make one that may more than itself";
            return Err(ServiceError::Forbidden(message.to_owned()));
        }
        if self.accounts().tokens(&user.name)?.len() >= MAX_TOKENS {
            let message = format!("You have {MAX_TOKENS} tokens, as many as a user may have: revoke some first");
            return Err(ServiceError::Invalid(message));
        }
        let scopes = self.scopes(actor, &new)?;
        let made = NewToken { user: user.name.clone(), role: new.role, label: new.label };
        let (text, token) = self.accounts().issue_token(made, Arc::new(scopes), who(actor)).await?;
        tracing::info!(token = %token.id, role = token.role.as_str(), actor = %user.name, "a token was created");
        Ok((text, token))
    }

    /// Revokes a token of the actor's.
    pub async fn revoke_own_token(&self, actor: &Actor, id: TokenId) -> ServiceResult<()> {
        let user = holder(actor, TokenRole::Write)?;
        self.accounts().revoke_token(user.id, id, who(actor)).await?;
        tracing::info!(token = %id, actor = %user.name, "a token was revoked");
        Ok(())
    }

    /// Scopes with names, of those things that are there still and that the token's user may see.
    pub fn named_scopes(&self, user: &User, scopes: &Scopes) -> ServiceResult<Vec<ScopeView>> {
        // Whether the token itself sees a thing does not matter for what it is called.
        let viewer = Actor::User(User { role: TokenRole::Read, ..user.clone() });
        let mut views = Vec::new();
        for Scope { entity, permissions } in &scopes.scoped {
            let named = match entity {
                Entity::Owner(id) => self.accounts().account_by_id(*id)?.map(|account| {
                    let kind = match account.kind {
                        AccountKind::User => EntityKind::User,
                        AccountKind::Organization => EntityKind::Organization,
                    };
                    (kind, account.name.to_string())
                }),
                Entity::Space(id) => {
                    let space = self.inner.db.spaces().get(id).map_err(read_failed)?;
                    let seen = space.filter(|space| can(&viewer, Action::See, Subject::of(space)).is_ok());
                    seen.map(|space| (EntityKind::Space, space.path.to_string()))
                }
            };
            let permissions = permissions.clone();
            views.extend(named.map(|(kind, name)| ScopeView { entity: *entity, kind, name, permissions }));
        }
        Ok(views)
    }

    /// The scopes that are meant, if they make sense.
    fn scopes(&self, actor: &Actor, new: &NewOwnToken) -> ServiceResult<Scopes> {
        let invalid = |message: String| Err(ServiceError::Invalid(message));
        let has_permissions = !new.global.is_empty() || !new.scoped.is_empty();
        if has_permissions && new.role != TokenRole::FineGrained {
            return invalid("Only a token with the role \"fineGrained\" has permissions of its own".to_owned());
        }
        if new.scoped.len() > MAX_SCOPES {
            return invalid(format!("A token has at most {MAX_SCOPES} scopes: name their owner instead"));
        }
        if let Some(other) = new.global.iter().find(|permission| **permission != Permission::Discuss) {
            return invalid(format!("{} is a permission on a Space or an owner: name one", other.as_str()));
        }
        let mut scoped: Vec<Scope> = Vec::new();
        for (named, permissions) in &new.scoped {
            let entity = match named {
                NamedEntity::Owner(name) => Entity::Owner(self.accounts().account(name)?.id),
                NamedEntity::Space(path) => Entity::Space(self.space(actor, path, Action::See)?.id),
            };
            let mut permissions = permissions.clone();
            permissions.sort();
            permissions.dedup();
            scoped.push(Scope { entity, permissions });
        }
        let mut global = new.global.clone();
        global.dedup();
        Ok(Scopes { global, scoped })
    }
}

/// Who holds a token that is good for this, where the account itself is concerned.
fn holder(actor: &Actor, least: TokenRole) -> ServiceResult<&User> {
    match actor {
        Actor::Nobody => Err(Denied::SignIn.into()),
        Actor::User(user) if user.role >= least => Ok(user),
        Actor::User(_) => {
            Err(ServiceError::Forbidden(format!("Managing tokens needs a token with the role {:?}", least.as_str())))
        }
    }
}
