//! Users and their access tokens. Needs only the database, so that the shell can use it while no host runs.

use std::sync::Arc;

use spaceport_core::id::{AccountId, ID_BYTES, TokenId};
use spaceport_core::name::OwnerName;
use spaceport_core::permission::{Membership, Scopes, TokenRole, User};
use spaceport_db::{
    AccessToken, Account, AccountKind, AuditActor, Batch, CommitError, Db, Expect, PasswordHash, TableId, TokenHash,
};

use super::audit::{Act, record};
use super::error::{ServiceError, ServiceResult};
use super::password::{hash_password, verify_password};
use super::storage::{commit_failed, read_failed};
use super::token::TokenText;
use crate::ports::Clock;

/// Names that addresses of the hub need for themselves.
const RESERVED_NAMES: [&str; 24] = [
    "admin",
    "api",
    "assets",
    "avatars",
    "by-subdomain",
    "docs",
    "git",
    "hardware",
    "healthz",
    "join",
    "login",
    "logout",
    "metrics",
    "new-space",
    "oauth",
    "organizations",
    "readyz",
    "semantic-search",
    "settings",
    "setup",
    "spaces",
    "templates",
    "users",
    "zero-gpu",
];

/// Longest label of a token, in bytes.
const MAX_LABEL: usize = 100;

/// The accounts of this host. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    pub(super) db: Arc<Db>,
    pub(super) clock: Arc<dyn Clock>,
}

/// A user to be created.
pub struct NewUser {
    /// Its name.
    pub name: OwnerName,
    /// Whether it administers this host.
    pub is_admin: bool,
    /// Without one it signs in by token.
    pub password: Option<String>,
}

/// What is to be changed about a user.
#[derive(Clone, Default)]
pub struct AccountChanges {
    /// Whether it administers this host.
    pub is_admin: Option<bool>,
    /// Its password; `Some(None)`: it has none from now on, and signs in by token only.
    pub password: Option<Option<String>>,
}

/// What is to be changed about a token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenChanges {
    /// What it allows at most.
    pub role: Option<TokenRole>,
    /// What it is for.
    pub label: Option<String>,
}

/// A token to be created.
pub struct NewToken {
    /// Whose it is.
    pub user: OwnerName,
    /// What it allows at most.
    pub role: TokenRole,
    /// What it is for.
    pub label: String,
}

/// Somebody who has presented a valid token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Who, and what the token allows.
    pub user: User,
    /// The token.
    pub token: AccessToken,
}

impl Accounts {
    /// The accounts in a database.
    pub fn new(db: Arc<Db>, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock }
    }

    /// Creates a user for whoever has the shell of this machine.
    pub async fn create_user(&self, user: NewUser) -> ServiceResult<Account> {
        self.create_user_as(user, AuditActor::Shell).await
    }

    /// Creates a user.
    pub(super) async fn create_user_as(&self, user: NewUser, by: AuditActor) -> ServiceResult<Account> {
        let account = self.new_account(user.name, AccountKind::User)?;
        let password = match user.password {
            Some(password) => Some(PasswordHash(blocking(move || hash_password(&password)).await?)),
            None => None,
        };
        let account = Account { is_admin: user.is_admin, password, ..account };
        let mut batch = Batch::default();
        batch.insert_account(&self.db, &account);
        let act = Act::new("user.create").to(&account.name).with("admin", account.is_admin);
        record(&self.db, self.clock.now(), by, act, &mut batch);
        self.insert_account(batch, account).await
    }

    /// An account of a name that may be one's.
    pub(super) fn new_account(&self, name: OwnerName, kind: AccountKind) -> ServiceResult<Account> {
        if RESERVED_NAMES.contains(&name.as_str().to_ascii_lowercase().as_str()) {
            return Err(ServiceError::Invalid(format!("The name {:?} is reserved: choose another", name.as_str())));
        }
        let now = self.clock.now();
        let id = AccountId::from_bytes(new_id(now));
        Ok(Account { id, name, kind, is_admin: false, password: None, created_at: now })
    }

    /// Stores a new account with what goes with it.
    pub(super) async fn insert_account(&self, batch: Batch, account: Account) -> ServiceResult<Account> {
        match self.db.commit(batch).await {
            Ok(_) => Ok(account),
            Err(CommitError::Conflict { table: TableId::AccountNames, .. }) => Err(name_taken(&account.name)),
            Err(error) => Err(commit_failed(error)),
        }
    }

    /// Creates a token for whoever has the shell of this machine, and returns it: it cannot be read again.
    pub async fn create_token(&self, new: NewToken) -> ServiceResult<TokenText> {
        self.create_token_as(new, AuditActor::Shell).await
    }

    /// Creates a token and returns it.
    pub(super) async fn create_token_as(&self, new: NewToken, by: AuditActor) -> ServiceResult<TokenText> {
        Ok(self.issue_token(new, Arc::default(), by).await?.0)
    }

    /// The same, for these scopes if it is fine-grained.
    pub(super) async fn issue_token(
        &self,
        new: NewToken,
        scopes: Arc<Scopes>,
        by: AuditActor,
    ) -> ServiceResult<(TokenText, AccessToken)> {
        let account = self.account(&new.user)?;
        if account.kind != AccountKind::User {
            return Err(ServiceError::Invalid(format!("{} is an organization: tokens belong to users", account.name)));
        }
        require_role(&account, new.role)?;
        if new.role == TokenRole::FineGrained && *scopes == Scopes::default() {
            return Err(ServiceError::Invalid("A fine-grained token needs at least one permission".to_owned()));
        }
        require_label(&new.label)?;
        let text = TokenText::generate();
        let token = AccessToken {
            id: TokenId::from_bytes(new_id(self.clock.now())),
            account: account.id,
            role: new.role,
            label: new.label,
            last_four: text.expose()[text.expose().len() - 4..].to_owned(),
            created_at: self.clock.now(),
            scopes,
        };
        let mut batch = Batch::default();
        batch.insert_new(self.db.tokens(), &TokenHash(text.hash()), &token);
        batch.expect(self.db.accounts(), &account.id, Expect::Present);
        let act = Act::new("token.create").to(&account.name).with("token", token.id).with("label", &token.label);
        let act = act.with("role", token.role.as_str());
        record(&self.db, self.clock.now(), by, act, &mut batch);
        self.db.commit(batch).await.map_err(commit_failed)?;
        Ok((text, token))
    }

    /// Who presents a token; `None` if it is none of ours. Reads two rows by key, and those of memberships: what it costs
    /// does not depend on how near a wrong token comes to a right one, since it is looked up by its hash.
    pub fn authenticate(&self, token: &str) -> ServiceResult<Option<SignedIn>> {
        let Some(text) = TokenText::parse(token) else { return self.authenticate_oauth(token) };
        let Some(token) = self.db.tokens().get(&TokenHash(text.hash())).map_err(read_failed)? else { return Ok(None) };
        let Some(account) = self.db.accounts().get(&token.account).map_err(read_failed)? else { return Ok(None) };
        let user = User { scopes: token.scopes.clone(), ..self.user(account, token.role)? };
        Ok(Some(SignedIn { user, token }))
    }

    /// An account as a user who acts, with the memberships that it has now; `role` is what it may do at most.
    pub fn user(&self, account: Account, role: TokenRole) -> ServiceResult<User> {
        let memberships = self.db.memberships().under(&account.id).map_err(read_failed)?;
        let memberships: Vec<Membership> = memberships
            .into_iter()
            .map(|((_, organization), member)| Membership { organization, role: member.role })
            .collect();
        Ok(User::new(account.id, account.name, account.is_admin, role).in_organizations(memberships))
    }

    /// The account of a user who knows its password; `None` for a wrong one as for a user there is not.
    pub async fn authenticate_password(&self, name: &OwnerName, password: String) -> ServiceResult<Option<Account>> {
        let account = self.db.account_by_name(name).map_err(read_failed)?;
        let hash = account.as_ref().and_then(|account| account.password.clone());
        let is_right = blocking(move || verify_password(&password, hash.as_ref().map(|hash| hash.0.as_str()))).await?;
        Ok(account.filter(|_| is_right))
    }

    /// Every account, in the order of names.
    pub fn list(&self) -> ServiceResult<Vec<Account>> {
        let mut accounts: Vec<Account> =
            self.db.accounts().scan().map_err(read_failed)?.into_iter().map(|(_, account)| account).collect();
        accounts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(accounts)
    }

    /// The tokens of a user, newest first.
    pub fn tokens(&self, user: &OwnerName) -> ServiceResult<Vec<AccessToken>> {
        let account = self.account(user)?;
        let tokens = self.db.tokens_of(account.id).map_err(read_failed)?;
        let mut tokens: Vec<AccessToken> = tokens.into_iter().map(|(_, token)| token).collect();
        tokens.sort_by_key(|token| std::cmp::Reverse((token.created_at, token.id)));
        Ok(tokens)
    }

    /// The account of this name.
    pub fn account(&self, name: &OwnerName) -> ServiceResult<Account> {
        let account = self.db.account_by_name(name).map_err(read_failed)?;
        account.ok_or_else(|| ServiceError::AccountNotFound(name.to_string()))
    }

    /// The account of this id, if it is there.
    pub fn account_by_id(&self, id: AccountId) -> ServiceResult<Option<Account>> {
        self.db.accounts().get(&id).map_err(read_failed)
    }
}

/// Refuses a token that says more than its user may.
pub(super) fn require_role(account: &Account, role: TokenRole) -> ServiceResult<()> {
    if role != TokenRole::Admin || account.is_admin {
        return Ok(());
    }
    let message =
        format!("{} does not administer this host: ask for a token with the role read or write", account.name);
    Err(ServiceError::Invalid(message))
}

/// Refuses a token's name that is too long.
pub(super) fn require_label(label: &str) -> ServiceResult<()> {
    if label.len() <= MAX_LABEL {
        return Ok(());
    }
    Err(ServiceError::Invalid(format!("A token's name has at most {MAX_LABEL} bytes")))
}

/// Why there can be no second account of a name.
pub(super) fn name_taken(name: &OwnerName) -> ServiceError {
    ServiceError::Conflict(format!("There is already an account named {:?}", name.as_str()))
}

/// The bytes of a new id: seconds first, so that ids sort by age, then randomness.
pub(crate) fn new_id(now: u64) -> [u8; ID_BYTES] {
    let mut bytes: [u8; ID_BYTES] = rand::random();
    let seconds = u32::try_from(now / 1000).unwrap_or(u32::MAX);
    bytes[..4].copy_from_slice(&seconds.to_be_bytes());
    bytes
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> ServiceResult<T> + Send + 'static,
) -> ServiceResult<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ServiceError::internal("hash a password", error))?
}
