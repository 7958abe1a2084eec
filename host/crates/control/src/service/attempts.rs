//! Wrong passwords, and how long to wait after them.
//!
//! Guessing is made slow from two sides: for one account, wherever the guesses come from, and for one address, whichever
//! accounts they are for. After a few that are free each wrong one doubles the wait. An attempt is counted before its
//! password is looked at, so that many at once gain nothing, and taken back if it was right. What is kept is bounded: beyond
//! it, what was tried longest ago is forgotten. Names count as they are written, whether there is such a user or not.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use spaceport_core::lifecycle::Millis;
use spaceport_core::name::OwnerName;
use spaceport_db::Account;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::Control;
use super::error::{ServiceError, ServiceResult};

/// Passwords that are checked at a time: each takes a core and 19 MiB for a moment, and anybody may send one.
static CHECKS: Semaphore = Semaphore::const_new(2);
/// How long one waits for its turn: those that come beyond are told to try again, and do not queue up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Accounts and addresses that are remembered, each: some megabytes. So many guesses take longer than they are remembered.
const MAX_KEPT: usize = 20_000;
/// The wait after the first wrong password that is not free.
const FIRST_WAIT: Millis = 1000;
/// Silence after which everything is forgotten.
const FORGOTTEN: Millis = 60 * 60 * 1000;
/// For an account: a person who does not remember tries so often. The wait stays short, since a stranger can cause it.
const OF_ACCOUNT: Rule = Rule { free: 5, longest: 60 * 1000 };
/// For an address: many people may share it.
const OF_ADDRESS: Rule = Rule { free: 20, longest: 15 * 60 * 1000 };

/// How often one may be wrong, and how long the wait becomes.
#[derive(Clone, Copy)]
struct Rule {
    free: u32,
    longest: Millis,
}

/// What is remembered.
#[derive(Default)]
pub(super) struct Attempts {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    accounts: HashMap<String, Wrong>,
    addresses: HashMap<IpAddr, Wrong>,
    /// From where an account was signed in to: the wait that strangers cause is not for those.
    known: HashMap<(String, IpAddr), Wrong>,
}

/// Wrong attempts, and when the last was.
#[derive(Clone, Copy, Default)]
struct Wrong {
    count: u32,
    last: Millis,
}

impl Wrong {
    /// How long to wait yet.
    fn wait(self, rule: Rule, now: Millis) -> Millis {
        let Some(beyond) = self.count.checked_sub(rule.free) else { return 0 };
        let wait = FIRST_WAIT.checked_shl(beyond.min(32)).unwrap_or(Millis::MAX).min(rule.longest);
        (self.last + wait).saturating_sub(now)
    }

    fn is_forgotten(self, now: Millis) -> bool {
        self.last + FORGOTTEN <= now
    }
}

impl Attempts {
    /// Counts an attempt, unless it comes too soon; then how long to wait.
    fn begin(&self, name: &str, from: IpAddr, now: Millis) -> Result<(), Millis> {
        let mut kept = self.kept.lock();
        let is_known = get(&mut kept.known, &(name.to_owned(), from), now).is_some();
        let of_account = get(&mut kept.accounts, &name.to_owned(), now).filter(|_| !is_known).unwrap_or_default();
        let of_address = get(&mut kept.addresses, &from, now).unwrap_or_default();
        match of_account.wait(OF_ACCOUNT, now).max(of_address.wait(OF_ADDRESS, now)) {
            0 => {}
            wait => return Err(wait),
        }
        if !is_known {
            count(&mut kept.accounts, name.to_owned(), now);
        }
        count(&mut kept.addresses, from, now);
        Ok(())
    }

    /// The password was right. What was wrong before stays for the address, which may know one password and guess others.
    fn succeeded(&self, name: &str, from: IpAddr, now: Millis) {
        let mut kept = self.kept.lock();
        kept.accounts.remove(name);
        if let Some(wrong) = kept.addresses.get_mut(&from) {
            wrong.count = wrong.count.saturating_sub(1);
        }
        count(&mut kept.known, (name.to_owned(), from), now);
    }
}

fn get<K: Hash + Eq>(map: &mut HashMap<K, Wrong>, key: &K, now: Millis) -> Option<Wrong> {
    let wrong = *map.get(key)?;
    if wrong.is_forgotten(now) {
        map.remove(key);
        return None;
    }
    Some(wrong)
}

fn count<K: Hash + Eq + Clone>(map: &mut HashMap<K, Wrong>, key: K, now: Millis) {
    if map.len() >= MAX_KEPT && !map.contains_key(&key) {
        map.retain(|_, wrong| !wrong.is_forgotten(now));
        let oldest = map.iter().min_by_key(|(_, wrong)| wrong.last).map(|(key, _)| key.clone());
        if let Some(oldest) = oldest.filter(|_| map.len() >= MAX_KEPT) {
            map.remove(&oldest);
        }
    }
    let wrong = map.entry(key).or_default();
    *wrong = Wrong { count: wrong.count.saturating_add(1), last: now };
}

impl Control {
    /// The account of a user who knows its password, and sends it from an address (of IPv6, the network that one customer
    /// has); `None` for a wrong one as for a user there is not. After wrong ones it takes ever longer until one is looked at.
    pub async fn password_sign_in(
        &self,
        name: &OwnerName,
        password: &str,
        from: IpAddr,
    ) -> ServiceResult<Option<Account>> {
        let _turn = self.password_turn().await?;
        let (key, now) = (name.as_str().to_ascii_lowercase(), self.inner.clock.now());
        self.inner.attempts.begin(&key, from, now).map_err(|wait| {
            let seconds = wait.div_ceil(1000);
            let message = format!("Too many wrong passwords: try again in {seconds} seconds, or use a token");
            ServiceError::TooSoon { message, seconds }
        })?;
        let account = self.inner.accounts.authenticate_password(name, password.to_owned()).await?;
        match &account {
            Some(_) => self.inner.attempts.succeeded(&key, from, now),
            None => tracing::info!(name = name.as_str(), %from, "a wrong password"),
        }
        Ok(account)
    }

    /// The turn to hash a password, for as long as it is held.
    pub(super) async fn password_turn(&self) -> ServiceResult<SemaphorePermit<'static>> {
        let busy = || ServiceError::Unavailable("Too many sign in at the same time: try again".to_owned());
        let turn = tokio::time::timeout(PATIENCE, CHECKS.acquire()).await;
        turn.ok().and_then(Result::ok).ok_or_else(busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn the_wait_for_an_account_grows_and_ends() {
        let attempts = Attempts::default();
        let mut now = 0;
        for _ in 0..OF_ACCOUNT.free {
            assert_eq!(attempts.begin("ada", HOME, now), Ok(()));
        }
        for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
            // From wherever; what comes too soon does not make it longer.
            assert_eq!(attempts.begin("ada", AWAY, now), Err(wait * 1000));
            assert_eq!(attempts.begin("ada", HOME, now + wait * 1000 - 1), Err(1));
            now += wait * 1000;
            assert_eq!(attempts.begin("ada", AWAY, now), Ok(()));
        }
        assert_eq!(attempts.begin("bob", AWAY, now), Ok(()), "each by itself");
        now += FORGOTTEN;
        assert_eq!(attempts.begin("ada", HOME, now), Ok(()));
        assert_eq!(attempts.begin("ada", HOME, now), Ok(()), "forgotten");
    }

    #[test]
    fn an_address_waits_whichever_accounts_it_guesses_and_whatever_it_knows() {
        let attempts = Attempts::default();
        for number in 0..OF_ADDRESS.free {
            assert_eq!(attempts.begin(&format!("user-{number}"), HOME, 0), Ok(()));
            assert_eq!(attempts.begin("own", AWAY, 0), Ok(()));
            attempts.succeeded("own", AWAY, 0);
        }
        assert_eq!(attempts.begin("another", HOME, 0), Err(1000));
        assert_eq!(attempts.begin("another", AWAY, 0), Ok(()), "right ones do not count");
    }

    #[test]
    fn who_has_signed_in_from_a_place_does_not_wait_there_for_what_strangers_do() {
        let attempts = Attempts::default();
        assert_eq!(attempts.begin("ada", HOME, 0), Ok(()));
        attempts.succeeded("ada", HOME, 0);
        while attempts.begin("ada", AWAY, 1).is_ok() {}
        assert_eq!(attempts.begin("ada", HOME, 1), Ok(()));
    }

    #[test]
    fn made_up_names_and_addresses_do_not_fill_the_memory() {
        let attempts = Attempts::default();
        for number in 0..MAX_KEPT as u32 + 100 {
            let from = IpAddr::from(number.to_be_bytes());
            attempts.begin(&number.to_string(), from, u64::from(number)).unwrap();
            attempts.succeeded(&number.to_string(), from, u64::from(number));
        }
        let kept = attempts.kept.lock();
        assert!(kept.accounts.len().max(kept.addresses.len()).max(kept.known.len()) <= MAX_KEPT);
        assert!(kept.addresses.contains_key(&IpAddr::from((MAX_KEPT as u32 + 99).to_be_bytes())), "the newest stays");
    }
}
