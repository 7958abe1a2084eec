//! The texts that version 1 of these records wrote: they must read the same for ever.

use std::collections::BTreeMap;

use spaceport_core::grant::{Grant, GrantState};
use spaceport_core::id::{AccountId, GrantId, SpaceId};

use super::Record;
use super::tests::survives;
use crate::audit::{AuditActor, AuditEntry};
use crate::quota::OwnerQuota;
use crate::usage::{DayUsage, MonthStorage, Stay, TierUse};

#[test]
fn usage_reads_back_as_written() {
    let stay = Stay { flavor: "t4-small".into(), price: 600_000, grant: None, millis: 61_000 };
    let granted = Stay { grant: Some(GrantId::from_bytes([3; 12])), ..stay.clone() };
    let day = DayUsage { path: "ada/x".into(), counted_to: 7, fuel: 9, stays: vec![stay, granted] };
    let text = r#"{"path":"ada/x","to":7,"fuel":9,"stays":[{"on":"t4-small","price":600000,"grant":null,"ms":61000},{"on":"t4-small","price":600000,"grant":"030303030303030303030303","ms":61000}]}"#;
    assert_eq!(survives(&day), text);
    let tiers = vec![TierUse { tier: "small".into(), price: 5_000_000, since: 4 }];
    let month = MonthStorage { path: "ada/x".into(), tiers };
    assert_eq!(survives(&month), r#"{"path":"ada/x","tiers":[{"tier":"small","price":5000000,"since":4}]}"#);
}

#[test]
fn grants_read_back_as_written() {
    let by = AccountId::from_bytes([2; 12]);
    let grant = |state| Grant {
        id: GrantId::from_bytes([1; 12]),
        flavor: "t4-small".into(),
        reason: "r".into(),
        asked_by: by,
        asked_at: 5,
        state,
    };
    let texts = [
        (GrantState::Pending, r#""pending""#),
        (
            GrantState::Approved { by, at: 6, ended_at: Some(7) },
            r#"{"approved":{"by":"020202020202020202020202","at":6,"ended_at":7}}"#,
        ),
        (
            GrantState::Denied { by, at: 6, reason: "no".into() },
            r#"{"denied":{"by":"020202020202020202020202","at":6,"reason":"no"}}"#,
        ),
    ];
    for (state, text) in texts {
        let stored = survives(&grant(state));
        assert!(stored.ends_with(&format!(r#""asked_at":5,"state":{text}}}"#)), "{stored}");
    }
}

#[test]
fn entries_of_the_audit_log_and_quotas_read_back_as_written() {
    for actor in [AuditActor::User(AccountId::from_bytes([2; 12]), "ada".into()), AuditActor::Shell, AuditActor::Host] {
        survives(&AuditEntry {
            actor,
            from: Some("127.0.0.1".into()),
            action: "space.create".into(),
            space: Some((SpaceId::from_bytes([1; 12]), "ada/x".into())),
            target: None,
            detail: BTreeMap::from([("sdk".into(), "wasm".into())]),
        });
    }
    let text = r#"{"actor":"shell","from":null,"action":"user.create","space":null,"target":"ada","detail":{}}"#;
    let entry = AuditEntry::decode(1, text.as_bytes()).unwrap();
    assert_eq!((entry.target.as_deref(), survives(&entry).as_str()), (Some("ada"), text));
    let quota = OwnerQuota { spaces: Some(3), storage_bytes: None, lfs_bytes: Some(1 << 40) };
    assert_eq!(survives(&quota), r#"{"spaces":3,"storage_bytes":null,"lfs_bytes":1099511627776}"#);
}
