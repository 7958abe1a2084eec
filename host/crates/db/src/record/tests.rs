use std::time::Duration;

use spaceport_core::id::{BuildId, TokenId};
use spaceport_core::lifecycle::{Build, BuildFailure, Desired, FailureKind, InstanceId, Next, Release, Serving, State};
use spaceport_core::permission::{Entity, OrgRole, Permission, Scope, Scopes, TokenRole};
use spaceport_core::revision::Oid;
use spaceport_core::space::{SleepAfter, Space};

use super::*;
use crate::account::{AccessToken, Account, AccountKind, PasswordHash};
use crate::lfs::LfsLink;
use crate::release::BuiltRelease;
use crate::testing::{finding, release, space};

#[track_caller]
pub(super) fn survives<T: Record + PartialEq + std::fmt::Debug>(value: &T) -> String {
    let mut bytes = Vec::new();
    value.encode(&mut bytes);
    assert_eq!(T::decode(T::VERSION, &bytes).as_ref(), Ok(value));
    let newer = T::decode(T::VERSION + 1, &bytes).unwrap_err();
    assert!(newer.0.contains("newer"), "{newer:?}");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn spaces_read_back_as_written() {
    let after = SleepAfter::After(Duration::from_secs(300));
    for sleep_after in [SleepAfter::HostDefault, SleepAfter::Never, after] {
        survives(&Space { sleep_after, storage: None, ..space(1) });
    }
}

#[test]
fn accounts_tokens_and_releases_read_back_as_written() {
    for (kind, password) in
        [(AccountKind::User, Some(PasswordHash("$argon2id$x".into()))), (AccountKind::Organization, None)]
    {
        let id = AccountId::from_bytes([1; 12]);
        survives(&Account { id, name: "ada".parse().unwrap(), kind, is_admin: true, password, created_at: 1 });
    }
    for role in [TokenRole::Read, TokenRole::Write, TokenRole::Admin] {
        let (id, account) = (TokenId::from_bytes([2; 12]), AccountId::from_bytes([1; 12]));
        survives(&token(id, account, role));
    }
    survives(&release(3));
    let link = LfsLink { size: 5 << 30, created_at: 1 };
    assert_eq!(survives(&link), r#"{"size":5368709120,"created_at":1}"#);
}

fn token(id: TokenId, account: AccountId, role: TokenRole) -> AccessToken {
    let (label, last_four, scopes) = ("l".into(), "wxyz".into(), Default::default());
    AccessToken { id, account, role, label, last_four, created_at: 1, scopes }
}

#[test]
fn members_and_scopes_read_back_as_written() {
    for role in OrgRole::ALL {
        let text = format!(r#"{{"role":"{}","since":7}}"#, role.as_str());
        assert_eq!(survives(&crate::Member { role, since: 7 }), text);
    }
    let (id, account) = (TokenId::from_bytes([2; 12]), AccountId::from_bytes([1; 12]));
    let scope = |entity| Scope { entity, permissions: Permission::ALL.to_vec() };
    let scoped = vec![scope(Entity::Owner(account)), scope(Entity::Space(SpaceId::from_bytes([3; 12])))];
    let scopes = Scopes { global: vec![Permission::Discuss], scoped };
    let fine_grained = AccessToken { scopes: scopes.into(), ..token(id, account, TokenRole::FineGrained) };
    assert_eq!(survives(&fine_grained), TOKEN_V2);
}

#[test]
fn tokens_of_version_1_still_read() {
    let (id, account) = (TokenId::from_bytes([2; 12]), AccountId::from_bytes([1; 12]));
    for role in [TokenRole::Read, TokenRole::Write, TokenRole::Admin] {
        let text = TOKEN_V1.replace("ROLE", role.as_str());
        assert_eq!(AccessToken::decode(1, text.as_bytes()), Ok(token(id, account, role)));
    }
}

const TOKEN_V1: &str = r#"{"id":"020202020202020202020202","account":"010101010101010101010101","role":"ROLE","label":"l","last_four":"wxyz","created_at":1}"#;
const TOKEN_V2: &str = r#"{"id":"020202020202020202020202","account":"010101010101010101010101","role":"fine_grained","label":"l","last_four":"wxyz","created_at":1,"scopes":{"global":["discuss"],"scoped":[{"entity":{"owner":"010101010101010101010101"},"permissions":["read_content","write","discuss"]},{"entity":{"space":"030303030303030303030303"},"permissions":["read_content","write","discuss"]}]}}"#;

#[test]
fn a_like_and_a_head_that_was_set_aside_read_back_as_written() {
    assert_eq!(survives(&crate::Like { at: 7 }), r#"{"at":7}"#);
    let state = State { set_aside: Some(Oid::from_bytes([9; 20])), ..State::default() };
    assert!(survives(&state).ends_with(r#""set_aside":"0909090909090909090909090909090909090909"}"#));
}

/// Text that version 1 wrote: it must read the same for ever.
const SPACE_V1: &str = r#"{"id":"000000000000000000000001","path":"Ada/space-1","subdomain":"ada-space-1","owner":"010101010101010101010101","creator":"020202020202020202020202","created_at":1,"updated_at":2,"visibility":"protected","sdk":"wasm","hardware":"cpu-basic","storage":"small","sleep_after":"never","variables":{"MODE":{"value":"on","description":"a switch","updated_at":3}},"secrets":{"TOKEN":{"description":null,"updated_at":4}}}"#;
const RELEASE_V1: &str = r#"{"number":3,"revision":"0707070707070707070707070707070707070707","artifact":"component:abc","readme":"---\nsdk: wasm\n---\n","created_at":5}"#;
const LIVE_V1: &str = r#"{"desired":"Run","build":{"Failed":{"revision":"0909090909090909090909090909090909090909","failure":{"kind":"ConfigError","message":"m"}}},"release":{"number":2,"revision":"0707070707070707070707070707070707070707"},"serving":{"Live":{"instance":4,"release":{"number":1,"revision":"0707070707070707070707070707070707070707"},"since":5,"failures":1,"next":{"instance":6,"release":{"number":2,"revision":"0707070707070707070707070707070707070707"}}}},"trouble":"t","next_instance":7}"#;
const FAILED_V1: &str = r#"{"desired":"Paused","build":{"Running":{"id":"050505050505050505050505","revision":"0909090909090909090909090909090909090909"}},"release":null,"serving":{"Failed":{"release":{"number":1,"revision":"0707070707070707070707070707070707070707"},"message":"m","failures":2,"retry_at":8}},"trouble":null,"next_instance":1}"#;

#[test]
fn the_form_of_version_1_is_fixed() {
    assert_eq!(survives(&space(1)), SPACE_V1);
    assert_eq!(Space::decode(1, SPACE_V1.as_bytes()), Ok(space(1)));
    // A kind is its word, whether it is the host's or a plugin's.
    let plugin = Space { sdk: "markdown-demo".parse().unwrap(), ..space(1) };
    assert_eq!(survives(&plugin), SPACE_V1.replace(r#""sdk":"wasm""#, r#""sdk":"markdown-demo""#));
    assert_eq!(survives(&release(3)), RELEASE_V1);
    assert_eq!(BuiltRelease::decode(1, RELEASE_V1.as_bytes()), Ok(release(3)));
}

#[test]
fn lifecycles_of_version_1_still_read() {
    let oid = Oid::from_bytes([9; 20]);
    let old = Release { number: 1, revision: Oid::from_bytes([7; 20]) };
    let new = Release { number: 2, ..old };
    let failure = BuildFailure { kind: FailureKind::ConfigError, message: "m".into() };
    let live = State {
        desired: Desired::Run,
        build: Build::Failed { revision: oid, failure },
        release: Some(new),
        serving: Serving::Live {
            instance: InstanceId(4),
            release: old,
            since: 5,
            failures: 1,
            next: Some(Next { instance: InstanceId(6), release: new }),
        },
        trouble: Some("t".into()),
        next_instance: 7,
        set_aside: None,
    };
    let failed = State {
        desired: Desired::Paused,
        build: Build::Running { id: BuildId::from_bytes([5; 12]), revision: oid },
        serving: Serving::Failed { release: old, message: "m".into(), failures: 2, retry_at: Some(8) },
        ..State::default()
    };
    for (state, text) in [(live, LIVE_V1), (failed, FAILED_V1)] {
        assert_eq!(State::decode(1, text.as_bytes()), Ok(state.clone()));
        assert_eq!(survives(&state), text);
    }
    survives(&State::default());
}

#[test]
fn a_row_that_makes_no_sense_is_an_error_with_the_reason() {
    let error = Space::decode(1, br#"{"id":"x"}"#).unwrap_err();
    assert!(error.0.contains("24 lower-case hexadecimal digits"), "{error:?}");
    assert!(SpaceId::decode(1, b"short").is_err());
}

#[test]
fn what_was_read_in_a_repository_reads_back_as_written() {
    let oid = |byte| Oid::from_bytes([byte; 20]);
    let linked = spaceport_core::linked::Linked { models: vec!["a/m".into()], datasets: vec!["a/d".into()] };
    let text = survives(&crate::LinkedRepos { revision: oid(7), linked });
    let revision = "07".repeat(20);
    assert_eq!(text, format!(r#"{{"revision":"{revision}","models":["a/m"],"datasets":["a/d"]}}"#));
    let blob = "08".repeat(20);
    assert_eq!(
        survives(&finding()),
        format!(
            r#"{{"rule":"private-key","path":"a/b.py","line":3,"blob":"{blob}","revision":"{revision}","found_at":5,"excerpt":"KEY = …","revoked":false,"in_history":true}}"#
        )
    );
}
