//! Community GPU grants: hardware that costs a Space nothing, because its owner has asked and an administrator agreed.
//!
//! A grant is for one flavor of one Space. It holds from its approval until the Space leaves that flavor.

use crate::id::{AccountId, GrantId};
use crate::lifecycle::Millis;

/// Longest reason, of whoever asks and of whoever denies, in bytes: an application of a page or two.
pub const MAX_REASON: usize = 4000;
/// Grants kept per Space, answered ones among them: more than anybody asks for, and few enough to be read as one list.
pub const MAX_GRANTS: usize = 50;

/// A grant, from being asked for to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// The flavor it is for.
    pub flavor: String,
    /// Why it is asked for.
    pub reason: String,
    /// Who has asked.
    pub asked_by: AccountId,
    /// When.
    pub asked_at: Millis,
    /// What has become of it.
    pub state: GrantState,
}

/// What has become of a grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantState {
    /// Nobody has answered.
    Pending,
    /// An administrator has agreed.
    Approved {
        /// Who.
        by: AccountId,
        /// When: the flavor is free from then on.
        at: Millis,
        /// When the Space left the flavor.
        ended_at: Option<Millis>,
    },
    /// An administrator has not agreed.
    Denied {
        /// Who.
        by: AccountId,
        /// When.
        at: Millis,
        /// Why.
        reason: String,
    },
}

impl Grant {
    /// Whether a stay on a flavor costs nothing for this grant. A stay that begins before the approval, or goes on past the
    /// end, is given as a whole: stays are counted by the minute, and in doubt for the owner.
    pub fn covers(&self, flavor: &str, from: Millis, to: Millis) -> bool {
        match self.state {
            GrantState::Approved { at, ended_at, .. } => {
                self.flavor == flavor && to > at && ended_at.is_none_or(|ended| from < ended)
            }
            GrantState::Pending | GrantState::Denied { .. } => false,
        }
    }

    /// Whether it makes its flavor free now.
    pub fn is_active(&self) -> bool {
        matches!(self.state, GrantState::Approved { ended_at: None, .. })
    }

    /// Whether nobody has answered yet.
    pub fn is_pending(&self) -> bool {
        self.state == GrantState::Pending
    }

    /// What becomes of it when its Space moves from one flavor to another; `None` if nothing does.
    pub fn after_move(&self, from: &str, to: &str, now: Millis) -> Option<Self> {
        let leaves = self.flavor == from && from != to;
        match self.state {
            GrantState::Approved { by, at, ended_at: None } if leaves => {
                Some(Self { state: GrantState::Approved { by, at, ended_at: Some(now) }, ..self.clone() })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(state: GrantState) -> Grant {
        Grant {
            id: GrantId::from_bytes([1; 12]),
            flavor: "t4-small".into(),
            reason: "a demo".into(),
            asked_by: AccountId::from_bytes([2; 12]),
            asked_at: 5,
            state,
        }
    }

    fn approved(at: Millis, ended_at: Option<Millis>) -> Grant {
        grant(GrantState::Approved { by: AccountId::from_bytes([3; 12]), at, ended_at })
    }

    #[test]
    fn an_approved_grant_covers_its_flavor_from_then_until_its_end() {
        assert!(!approved(10, None).covers("t4-small", 0, 10));
        assert!(approved(10, None).covers("t4-small", 9, 11));
        assert!(approved(10, None).covers("t4-small", 1_000_000, 1_000_001));
        assert!(!approved(10, None).covers("a100-large", 20, 30));
        assert!(approved(10, Some(20)).covers("t4-small", 19, 25));
        assert!(!approved(10, Some(20)).covers("t4-small", 20, 25));
        assert!(!grant(GrantState::Pending).covers("t4-small", 20, 25));
    }

    #[test]
    fn a_grant_ends_when_its_space_leaves_the_flavor_and_not_before() {
        assert_eq!(approved(10, None).after_move("t4-small", "cpu-basic", 30), Some(approved(10, Some(30))));
        assert_eq!(approved(10, None).after_move("cpu-basic", "t4-small", 30), None);
        assert_eq!(approved(10, None).after_move("cpu-basic", "cpu-upgrade", 30), None);
        assert_eq!(approved(10, None).after_move("t4-small", "t4-small", 30), None);
        assert_eq!(approved(10, Some(20)).after_move("t4-small", "cpu-basic", 30), None);
        assert_eq!(grant(GrantState::Pending).after_move("t4-small", "cpu-basic", 30), None);
    }
}
