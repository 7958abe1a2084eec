//! What an administrator does to accounts and tokens that are there. Each change is in the audit log.

use spaceport_core::id::{AccountId, TokenId};
use spaceport_core::permission::TokenRole;
use spaceport_db::{AccessToken, Account, AccountKind, AuditActor, Batch, PasswordHash, TokenHash, Version};

use super::accounts::{AccountChanges, Accounts, TokenChanges, blocking, require_label, require_role};
use super::audit::{Act, record};
use super::error::{ServiceError, ServiceResult};
use super::password::hash_password;
use super::quotas::forget_quota;
use super::storage::{commit_failed, read_failed};

impl Accounts {
    /// Changes standing and password of a user.
    pub(super) async fn change_user(
        &self,
        id: AccountId,
        changes: AccountChanges,
        by: AuditActor,
    ) -> ServiceResult<Account> {
        let password = match changes.password {
            Some(Some(text)) => Some(Some(PasswordHash(blocking(move || hash_password(&text)).await?))),
            Some(None) => Some(None),
            None => None,
        };
        let (mut account, version) = self.versioned(id)?;
        if changes.is_admin == Some(false) {
            self.require_other_admin(&account)?;
        }
        let mut act = Act::new("user.change").to(&account.name);
        if let Some(is_admin) = changes.is_admin {
            account.is_admin = is_admin;
            act = act.with("admin", is_admin);
        }
        if let Some(password) = password {
            act = act.with("password", if password.is_some() { "set" } else { "removed" });
            account.password = password;
        }
        let mut batch = Batch::default();
        batch.replace(self.db.accounts(), &id, &account, version);
        record(&self.db, self.clock.now(), by, act, &mut batch);
        self.db.commit(batch).await.map_err(commit_failed)?;
        Ok(account)
    }

    /// Deletes a user with its tokens, likes, memberships, sign-ins, webhooks and quota. The caller has seen that it owns no
    /// Space, and that nobody gives it one meanwhile or makes it a member.
    pub(super) async fn delete_user(&self, id: AccountId, by: AuditActor) -> ServiceResult<()> {
        let (account, version) = self.versioned(id)?;
        self.require_other_admin(&account)?;
        let mut batch = Batch::default();
        self.leave_organizations(&account, &mut batch)?;
        batch.remove_account(&self.db, &account, version).map_err(read_failed)?;
        self.forget_sign_ins(id, &mut batch)?;
        self.forget_webhooks(id, &mut batch)?;
        forget_quota(&self.db, id, &mut batch);
        batch.delete(self.db.emails(), &id);
        record(&self.db, self.clock.now(), by, Act::new("user.delete").to(&account.name), &mut batch);
        self.db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// Changes what a token is for, and what it allows at most.
    pub(super) async fn change_any_token(&self, id: TokenId, to: TokenChanges, by: AuditActor) -> ServiceResult<()> {
        let tokens = self.db.tokens();
        let (hash, _) = self.token_with_id(id)?;
        let found = tokens.get_versioned(&hash).map_err(read_failed)?;
        let (mut token, version) = found.ok_or_else(no_such_token)?;
        let account = self.account_by_id(token.account)?.ok_or_else(no_such_token)?;
        let mut act = Act::new("token.change").to(&account.name).with("token", id);
        if let Some(role) = to.role.filter(|role| *role != token.role) {
            if token.role == TokenRole::FineGrained {
                let message = "A fine-grained token allows what its scopes name: make another one instead";
                return Err(ServiceError::Invalid(message.to_owned()));
            }
            require_role(&account, role)?;
            token.role = role;
            act = act.with("role", role.as_str());
        }
        if let Some(label) = to.label {
            require_label(&label)?;
            act = act.with("label", &label);
            token.label = label;
        }
        let mut batch = Batch::default();
        batch.replace(tokens, &hash, &token, version);
        record(&self.db, self.clock.now(), by, act, &mut batch);
        self.db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    fn token_with_id(&self, id: TokenId) -> ServiceResult<(TokenHash, AccessToken)> {
        let all = self.db.tokens().scan().map_err(read_failed)?;
        all.into_iter().find(|(_, token)| token.id == id).ok_or_else(no_such_token)
    }

    /// Ends a token.
    pub(super) async fn revoke_any_token(&self, id: TokenId, by: AuditActor) -> ServiceResult<()> {
        let tokens = self.db.tokens();
        let (hash, token) = self.token_with_id(id)?;
        let owner = self.account_by_id(token.account)?.map_or_else(String::new, |account| account.name.to_string());
        let mut batch = Batch::default();
        batch.delete(tokens, &hash);
        let act = Act::new("token.revoke").to(owner).with("token", id).with("label", &token.label);
        record(&self.db, self.clock.now(), by, act, &mut batch);
        self.db.commit(batch).await.map_err(commit_failed)?;
        Ok(())
    }

    /// Ends the memberships of a user, who must not be the last admin of an organization.
    fn leave_organizations(&self, user: &Account, batch: &mut Batch) -> ServiceResult<()> {
        for ((_, organization), _) in self.db.memberships().under(&user.id).map_err(read_failed)? {
            let (organization, version) = self.versioned(organization)?;
            // The row is the lock for its members: no other admin leaves at the same moment.
            batch.replace(self.db.accounts(), &organization.id, &organization, version);
            self.refuse_to_lose(&organization, user)?;
        }
        batch.delete_memberships(&self.db, user.id).map_err(read_failed)?;
        Ok(())
    }

    /// Ends what browsers and applications hold for a user, and what it has agreed to.
    fn forget_sign_ins(&self, user: AccountId, batch: &mut Batch) -> ServiceResult<()> {
        let db = &self.db;
        for (key, _) in db.web_sessions().under(&user).map_err(read_failed)? {
            batch.delete(db.web_sessions(), &key);
        }
        for (key, _) in db.oauth_consents().under(&user).map_err(read_failed)? {
            batch.delete(db.oauth_consents(), &key);
        }
        for (key, _) in db.oauth_grants().under(&user).map_err(read_failed)? {
            batch.delete(db.oauth_grants(), &key);
        }
        Ok(())
    }

    fn forget_webhooks(&self, user: AccountId, batch: &mut Batch) -> ServiceResult<()> {
        for (id, webhook) in self.db.webhooks().scan().map_err(read_failed)? {
            if webhook.owner == user {
                batch.remove_webhook(&self.db, id).map_err(read_failed)?;
            }
        }
        Ok(())
    }

    fn versioned(&self, id: AccountId) -> ServiceResult<(Account, Version)> {
        let found = self.db.accounts().get_versioned(&id).map_err(read_failed)?;
        found.ok_or_else(|| ServiceError::AccountNotFound(id.to_string()))
    }

    /// Refuses to leave the host without an administrator.
    fn require_other_admin(&self, account: &Account) -> ServiceResult<()> {
        let is_other = |other: &Account| other.is_admin && other.kind == AccountKind::User && other.id != account.id;
        if !account.is_admin || self.list()?.iter().any(is_other) {
            return Ok(());
        }
        let message = format!("{} is the only administrator of this host: make somebody else one first", account.name);
        Err(ServiceError::Conflict(message))
    }
}

/// Why nothing is done with a token that is not there.
pub(super) fn no_such_token() -> ServiceError {
    ServiceError::NotFound("There is no such token".to_owned())
}
