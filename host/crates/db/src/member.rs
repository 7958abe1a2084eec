//! Members of organizations. Each membership is two rows, one to be found by the organization and one by the user, always
//! written together.

use spaceport_core::id::AccountId;
use spaceport_core::lifecycle::Millis;
use spaceport_core::permission::OrgRole;

use crate::batch::Batch;
use crate::db::Db;
use crate::error::ReadError;

/// What a user is in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// What it may do there.
    pub role: OrgRole,
    /// Since when it is a member.
    pub since: Millis,
}

impl Batch {
    /// Makes a user a member, or changes what it is.
    pub fn put_member(&mut self, db: &Db, organization: AccountId, user: AccountId, member: &Member) -> &mut Self {
        self.put(db.members(), &(organization, user), member);
        self.put(db.memberships(), &(user, organization), member)
    }

    /// Ends a membership, if there is one.
    pub fn delete_member(&mut self, db: &Db, organization: AccountId, user: AccountId) -> &mut Self {
        self.delete(db.members(), &(organization, user));
        self.delete(db.memberships(), &(user, organization))
    }

    /// Ends every membership that an account has, or that others have in it: for an account that goes.
    pub fn delete_memberships(&mut self, db: &Db, account: AccountId) -> Result<&mut Self, ReadError> {
        for ((_, user), _) in db.members().under(&account)? {
            self.delete_member(db, account, user);
        }
        for ((_, organization), _) in db.memberships().under(&account)? {
            self.delete_member(db, organization, account);
        }
        Ok(self)
    }
}
