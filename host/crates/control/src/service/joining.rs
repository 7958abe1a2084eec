//! Accounts that people make for themselves, where the operator lets them.
//!
//! Anybody may ask for one, so the number that is made in an hour is bounded, for one address and for the whole host. A place
//! is taken before the account is made, so that many at once gain nothing, and given back if none came of it. An e-mail address
//! is noted and not verified; several accounts may have the same, so nobody learns here whether one is known.

use std::collections::VecDeque;
use std::net::IpAddr;

use parking_lot::Mutex;
use spaceport_core::email::{EmailAddress, InvalidEmail};
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::{InvalidName, OwnerName};
use spaceport_core::permission::TokenRole;
use spaceport_db::{Account, AccountEmail, AccountKind, AuditActor, Batch, PasswordHash};

use super::Control;
use super::accounts::{blocking, name_taken};
use super::audit::{Act, record};
use super::error::{ServiceError, ServiceResult};
use super::password::hash_password;
use super::sessions::NewSession;

/// The time in which accounts are counted.
const SPAN: Millis = 60 * 60 * 1000;
/// Accounts that people make in that time on the whole host: more than come to a host of this size by themselves, and few
/// enough that whoever makes them by program fills neither the database nor the list of names before the operator sees it.
const OF_HOST: usize = 200;
/// The same from one address: a class behind one router begins together, and no address alone uses up the host's.
const OF_ADDRESS: usize = 40;

/// Who wants an account, as it was typed.
pub struct Newcomer<'a> {
    /// The name.
    pub name: &'a str,
    /// The e-mail address.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
}

/// The accounts that were made of late, the oldest first: at most [`OF_HOST`].
#[derive(Default)]
pub(super) struct Joined(Mutex<VecDeque<(Millis, IpAddr)>>);

impl Joined {
    /// Takes a place, or says how long to wait for one.
    fn begin(&self, from: IpAddr, now: Millis) -> Result<(), Millis> {
        let mut made = self.0.lock();
        while made.front().is_some_and(|(at, _)| at + SPAN <= now) {
            made.pop_front();
        }
        let of_address = || made.iter().filter(|(_, address)| *address == from);
        let oldest = match (made.len() >= OF_HOST, of_address().count() >= OF_ADDRESS) {
            (true, _) => made.front(),
            (false, true) => of_address().next(),
            (false, false) => None,
        };
        if let Some((at, _)) = oldest {
            return Err(at + SPAN - now);
        }
        made.push_back((now, from));
        Ok(())
    }

    /// Gives a place back.
    fn give_back(&self, from: IpAddr, at: Millis) {
        let mut made = self.0.lock();
        if let Some(index) = made.iter().rposition(|place| *place == (at, from)) {
            made.remove(index);
        }
    }
}

impl Control {
    /// Whether a name can be somebody's who comes now: the name, or why not.
    pub fn check_new_user(&self, name: &str) -> ServiceResult<OwnerName> {
        Ok(self.new_user(name)?.name)
    }

    /// An account of a name that can be had. Who is faster is settled when it is stored.
    fn new_user(&self, name: &str) -> ServiceResult<Account> {
        let name: OwnerName = name.parse().map_err(|error: InvalidName| ServiceError::Invalid(error.to_string()))?;
        let account = self.accounts().new_account(name, AccountKind::User)?;
        if self.accounts().account(&account.name).is_ok() {
            return Err(name_taken(&account.name));
        }
        Ok(account)
    }

    /// Makes an account for whoever asks at an address (of IPv6, the network that one customer has), and signs them in.
    /// Whether people may is for the caller to know.
    pub async fn join(&self, newcomer: &Newcomer<'_>, from: IpAddr) -> ServiceResult<NewSession> {
        let address: EmailAddress =
            newcomer.email.parse().map_err(|error: InvalidEmail| ServiceError::Invalid(error.to_string()))?;
        if !self.has_users()? {
            // The link that makes the first administrator is of no use any more once there is a user.
            let message = "This host has no administrator yet: its operator makes the first account";
            return Err(ServiceError::Unavailable(message.to_owned()));
        }
        let now = self.inner.clock.now();
        self.inner.joined.begin(from, now).map_err(|wait| {
            let message = "Too many accounts were made in the last hour: try again later".to_owned();
            ServiceError::TooSoon { message, seconds: wait.div_ceil(1000) }
        })?;
        let made = self.make_account(newcomer.name, address, newcomer.password).await;
        if made.is_err() {
            self.inner.joined.give_back(from, now);
        }
        let account = made?;
        tracing::info!(user = %account.name, %from, "somebody has signed up");
        let user = self.accounts().user(account, TokenRole::Write)?;
        self.begin_session(user, None).await
    }

    /// The account, its address and their entry in the audit log, in one step.
    async fn make_account(&self, name: &str, address: EmailAddress, password: &str) -> ServiceResult<Account> {
        let (db, now) = (&self.inner.db, self.inner.clock.now());
        // A name that cannot be had costs no hash.
        let account = self.new_user(name)?;
        let hash = {
            let _turn = self.password_turn().await?;
            let password = password.to_owned();
            blocking(move || hash_password(&password)).await?
        };
        let account = Account { password: Some(PasswordHash(hash)), ..account };
        let email = AccountEmail { address, is_verified: false, set_at: now };
        let mut batch = Batch::default();
        batch.insert_account(db, &account).put(db.emails(), &account.id, &email);
        let by = AuditActor::User(account.id, account.name.to_string());
        let act = Act::new("user.create").to(&account.name).with("admin", false).with("by", "sign-up");
        record(db, now, by, act, &mut batch);
        self.accounts().insert_account(batch, account).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn no_address_alone_uses_up_the_hosts_accounts_and_all_together_do() {
        let joined = Joined::default();
        for number in 0..OF_HOST as u32 {
            let from = address(number / OF_ADDRESS as u32);
            assert_eq!(joined.begin(from, u64::from(number)), Ok(()), "{number}");
        }
        assert_eq!(joined.begin(address(99), 1000), Err(SPAN - 1000), "of the whole host");
        let joined = Joined::default();
        for number in 0..OF_ADDRESS as u64 {
            assert_eq!(joined.begin(address(1), number), Ok(()));
        }
        assert_eq!(joined.begin(address(1), 1000), Err(SPAN - 1000), "of one address");
        assert_eq!(joined.begin(address(2), 1000), Ok(()));
        assert_eq!(joined.begin(address(1), SPAN), Ok(()), "after an hour there is a place again");
        assert!(joined.begin(address(1), SPAN).is_err(), "one, not all");
    }

    #[test]
    fn a_place_of_which_no_account_came_is_free_again() {
        let joined = Joined::default();
        for number in 0..OF_ADDRESS as u64 {
            assert_eq!(joined.begin(address(1), number), Ok(()));
        }
        joined.give_back(address(1), 5);
        assert_eq!(joined.begin(address(1), 1000), Ok(()));
        assert!(joined.begin(address(1), 1000).is_err());
    }
}
