//! The audit log, grants, quotas and usage, as operations see them.

use spaceport_core::grant::GrantState;
use spaceport_core::id::AccountId;
use spaceport_core::permission::{OrgRole, User};

use super::*;

/// The administrator, with a token that says so.
async fn root(host: &Host) -> Actor {
    let name = || "root".parse().unwrap();
    let new = NewUser { name: name(), is_admin: true, password: None };
    host.control.accounts().create_user(new).await.unwrap();
    let new = NewToken { user: name(), role: TokenRole::Admin, label: "root".into() };
    let token = host.control.accounts().create_token(new).await.unwrap();
    Actor::User(host.control.accounts().authenticate(token.expose()).unwrap().unwrap().user)
}

async fn actions(host: &Host, root: &Actor, filter: AuditFilter) -> Vec<String> {
    let page = host.control.audit(root, filter, 100).await.unwrap();
    page.entries.into_iter().rev().map(|(_, entry)| entry.action).collect()
}

fn app(name: &str) -> NewSpace {
    NewSpace { sdk: Sdk::Wasm, secrets: Vec::new(), ..new_space(name) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_in_the_audit_log_and_no_secret_is() {
    let host = Host::start().await;
    let root = root(&host).await;
    let (control, ada) = (&host.control, &host.ada);
    let path = control.create_space(ada, NewSpace { secrets: vec![setting("FIRST", CANARY)], ..app("x") }).await;
    let path = path.unwrap().value.path;
    // Each later than the one before.
    let step = || host.clock.advance(1000);
    step();
    control.set_secret(ada, &path, setting("SECOND", CANARY)).await.unwrap();
    step();
    control.delete_secret(ada, &path, "SECOND").await.unwrap();
    step();
    control.set_variable(ada, &path, setting("MODE", "on")).await.unwrap();
    step();
    control.delete_variable(ada, &path, "MODE").await.unwrap();
    step();
    control.request_hardware(ada, &path, "cpu-upgrade", None).await.unwrap();
    step();
    control.set_sleep_time(ada, &path, 60).await.unwrap();
    step();
    control.set_storage(ada, &path, Some("small")).await.unwrap();
    step();
    let changes = SpaceChanges { visibility: Some(Visibility::Private) };
    control.update_space(ada, &path, changes).await.unwrap();
    step();
    control.pause(ada, &path).await.unwrap();
    step();
    control.restart(ada, &path, Restart::Factory).await.unwrap();
    step();
    let put = FileChange::Put { path: "a.txt".into(), content: "a".into() };
    let commit = NewCommit { summary: "s".into(), changes: vec![put], ..NewCommit::default() };
    control.commit(ada, &path, "main", commit.clone()).await.unwrap();
    control.commit(ada, &path, "main", commit).await.unwrap();
    step();
    control.create_branch(ada, &path, "b", None).await.unwrap();
    step();
    let to = "ada/y".parse().unwrap();
    control.move_space(ada, &path, &to).await.unwrap();
    step();
    let about = |space: &str| AuditFilter { space: Some(space.into()), ..AuditFilter::default() };
    let expected = [
        "space.create",
        "secret.set",
        "secret.delete",
        "variable.set",
        "variable.delete",
        "space.hardware",
        "space.sleep_time",
        "space.storage",
        "space.settings",
        "space.pause",
        "space.restart",
        "repository.commit",
        "branch.create",
        "space.move",
    ];
    assert_eq!(actions(&host, &root, about("ADA/y")).await, expected, "also under the path that it had before");
    control.delete_space(ada, &to).await.unwrap();
    assert_eq!(actions(&host, &root, about("ada/y")).await, ["space.move", "space.delete"]);

    let by = |actor: &str| AuditFilter { actor: Some(actor.into()), ..AuditFilter::default() };
    assert_eq!(actions(&host, &root, by("shell")).await.len(), 4, "two users with a token each");
    assert_eq!(actions(&host, &root, by("Ada")).await.len(), expected.len() + 1);
    let all = format!("{:?}", control.audit(&root, AuditFilter::default(), 100).await.unwrap());
    assert!(all.contains("FIRST") && all.contains("SECOND") && !all.contains(CANARY), "{all}");
    assert!(!all.contains(host.token.expose()), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_there_with_its_change_or_not_at_all() {
    let host = Host::start().await;
    let root = root(&host).await;
    let before = actions(&host, &root, AuditFilter::default()).await;
    // Entries of one moment come in any order.
    host.clock.advance(1000);
    let space = host.create("x").await.unwrap();
    let refused = [
        host.create("x").await.is_err(),
        host.control.set_storage(&host.ada, &space.path, Some("small")).await.is_err(),
        host.control.roll_back(&host.ada, &space.path, 99).await.is_err(),
        host.control
            .accounts()
            .create_user(NewUser { name: "ada".parse().unwrap(), is_admin: true, password: None })
            .await
            .is_err(),
    ];
    assert_eq!(refused, [true; 4]);
    let after = actions(&host, &root, AuditFilter::default()).await;
    assert_eq!(after[before.len()..], ["space.create"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_name_the_address_and_come_in_pages() {
    let host = Host::start().await;
    let root = root(&host).await;
    let address = "192.0.2.7".parse().unwrap();
    for number in 0..5 {
        host.clock.advance(1000);
        Box::pin(asked_from(Some(address), host.create(&format!("x{number}")))).await.unwrap();
    }
    let mut filter = AuditFilter { actor: Some("ada".into()), ..AuditFilter::default() };
    let mut seen = Vec::new();
    loop {
        let page = host.control.audit(&root, filter.clone(), 2).await.unwrap();
        assert!(page.entries.len() <= 2);
        seen.extend(page.entries.into_iter().map(|(_, entry)| (entry.space.unwrap().1, entry.from.unwrap())));
        match page.next {
            Some(next) => filter.before = Some(next),
            None => break,
        }
    }
    let expected: Vec<_> = (0..5).rev().map(|number| (format!("ada/x{number}"), "192.0.2.7".to_owned())).collect();
    assert_eq!(seen, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_asked_for_answered_and_ends_when_the_hardware_changes() {
    let host = Host::start().await;
    let (control, ada, root) = (&host.control, &host.ada, root(&host).await);
    let path = control.create_space(ada, app("x")).await.unwrap().value.path;
    let ask = |flavor: &'static str, reason: &'static str| control.ask_for_grant(ada, &path, flavor, reason);
    assert!(matches!(ask("cpu-basic", "r").await, Err(ServiceError::Invalid(_))), "it is free");
    assert!(matches!(ask("t4-small", "r").await, Err(ServiceError::NotOffered(_))), "nothing here runs it");
    assert!(matches!(ask("cpu-upgrade", " ").await, Err(ServiceError::Invalid(_))));
    let asked = ask("cpu-upgrade", "a demo").await.unwrap();
    assert!(matches!(ask("cpu-upgrade", "again").await, Err(ServiceError::Conflict(_))));
    assert_eq!(control.all_grants(&root).unwrap(), std::slice::from_ref(&asked));
    let id = asked.grant.id;
    assert!(matches!(control.answer_grant(ada, id, GrantAnswer::Approve).await, Err(ServiceError::Forbidden(_))));
    assert!(matches!(
        control.answer_grant(&root, id, GrantAnswer::Deny(String::new())).await,
        Err(ServiceError::Invalid(_))
    ));
    let denied = control.answer_grant(&root, id, GrantAnswer::Deny("no hardware left".into())).await.unwrap();
    assert!(matches!(denied.grant.state, GrantState::Denied { reason, .. } if reason == "no hardware left"));
    assert!(matches!(control.answer_grant(&root, id, GrantAnswer::Approve).await, Err(ServiceError::Conflict(_))));

    let id = ask("cpu-upgrade", "a better demo").await.unwrap().grant.id;
    control.answer_grant(&root, id, GrantAnswer::Approve).await.unwrap();
    let active = |control: &Control| {
        let grants = control.grants(ada, &path).unwrap().into_iter();
        grants.filter(|found| found.grant.is_active()).count()
    };
    control.request_hardware(ada, &path, "cpu-upgrade", None).await.unwrap();
    assert_eq!(active(control), 1, "moving to it is what it is for");
    control.request_hardware(ada, &path, "cpu-basic", None).await.unwrap();
    assert_eq!(active(control), 0);
    control.delete_space(ada, &path).await.unwrap();
    assert_eq!(control.all_grants(&root).unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_spaces_created_at_once_as_many_are_made_as_the_quota_has_room_for() {
    let host = Host::start().await;
    let root = root(&host).await;
    let quota = OwnerQuota { spaces: Some(2), ..OwnerQuota::default() };
    host.control.set_quota(&root, &"ada".parse().unwrap(), quota).await.unwrap();
    let names: Vec<String> = (0..5).map(|number| format!("x{number}")).collect();
    let results = futures_util::future::join_all(names.iter().map(|name| host.create(name))).await;
    let made = results.iter().filter(|result| result.is_ok()).count();
    let over = results.iter().filter(|result| matches!(result, Err(ServiceError::OverQuota(_)))).count();
    assert_eq!((made, over), (2, 3), "{results:?}");
    assert_eq!(host.repos.list().await.unwrap().len(), 2, "what was begun is taken away");
    let view = host.control.quota(&root, &"ada".parse().unwrap()).await.unwrap();
    assert_eq!(view.used.spaces, Some(2));
    assert!(view.used.storage_bytes > Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_goes_when_it_owns_nothing_and_the_last_administrator_stays() {
    let host = Host::start().await;
    let root = root(&host).await;
    let (control, ada) = (&host.control, "ada".parse().unwrap());
    let space = host.create("x").await.unwrap();
    let refused = control.delete_user(&root, &ada).await.unwrap_err();
    assert!(matches!(&refused, ServiceError::Conflict(text) if text.contains("ada/x")), "{refused}");
    control.delete_space(&host.ada, &space.path).await.unwrap();
    control.delete_user(&root, &ada).await.unwrap();
    assert_eq!(control.accounts().authenticate(host.token.expose()).unwrap(), None, "its tokens go with it");
    assert!(host.create("y").await.is_err(), "nobody owns it");

    let name = "root".parse().unwrap();
    let no_admin = AccountChanges { is_admin: Some(false), password: None };
    assert!(matches!(control.change_user(&root, &name, no_admin).await, Err(ServiceError::Conflict(_))));
    assert!(matches!(control.delete_user(&root, &name).await, Err(ServiceError::Conflict(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_goes_leaves_its_organizations_and_not_as_the_last_admin() {
    let host = Host::start().await;
    let root = root(&host).await;
    let (control, lab, ada) = (&host.control, "lab".parse().unwrap(), "ada".parse().unwrap());
    let organization = control.create_organization(&host.ada, "lab".parse().unwrap()).await.unwrap().id;
    let refused = control.delete_user(&root, &ada).await.unwrap_err();
    assert!(matches!(&refused, ServiceError::Conflict(text) if text.contains("lab")), "{refused}");
    assert!(control.accounts().authenticate(host.token.expose()).unwrap().is_some());
    let ada_now = Actor::User(control.accounts().authenticate(host.token.expose()).unwrap().unwrap().user);
    control.put_member(&ada_now, &lab, &"root".parse().unwrap(), OrgRole::Admin).await.unwrap();
    control.delete_user(&root, &ada).await.unwrap();
    let members = control.accounts().members(organization).unwrap();
    assert_eq!(members.iter().map(|view| view.account.name.as_str()).collect::<Vec<_>>(), ["root"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_counts_in_the_quota_of_the_owner() {
    let host = Host::start().await;
    let root = root(&host).await;
    let path = host.create("x").await.unwrap().path;
    let quota = OwnerQuota { storage_bytes: Some(100_000), ..OwnerQuota::default() };
    host.control.set_quota(&root, &"ada".parse().unwrap(), quota).await.unwrap();
    let commit = |bytes: usize| {
        let put = FileChange::Put { path: "a.txt".into(), content: "x".repeat(bytes).into() };
        NewCommit { summary: "s".into(), changes: vec![put], ..NewCommit::default() }
    };
    let refused = host.control.commit_as_pull_request(&host.ada, &path, "main", commit(200_000)).await.unwrap_err();
    assert!(matches!(refused, ServiceError::OverQuota(_)), "{refused}");
    let (number, _) = host.control.commit_as_pull_request(&host.ada, &path, "main", commit(10)).await.unwrap().value;
    let head = format!("refs/pr/{number}");
    let refused = host.control.commit(&host.ada, &path, &head, commit(200_000)).await.unwrap_err();
    assert!(matches!(refused, ServiceError::OverQuota(_)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_is_one_by_account_and_by_token() {
    let host = Host::start().await;
    let root = root(&host).await;
    assert!(host.control.users(&root).is_ok());
    let Actor::User(user) = &root else { panic!("root is a user") };
    for (actor, is_forbidden) in [
        (Actor::Nobody, false),
        (host.ada.clone(), true),
        (Actor::User(User { role: TokenRole::Write, ..user.clone() }), true),
        (Actor::User(User { is_admin: false, ..user.clone() }), true),
    ] {
        let refused = host.control.users(&actor).unwrap_err();
        assert_eq!(matches!(refused, ServiceError::Forbidden(_)), is_forbidden, "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_is_told_to_those_who_see_the_settings() {
    let host = Host::start().await;
    let (control, root) = (&host.control, root(&host).await);
    let space = host.create("x").await.unwrap();
    let days = control.days(None, None).unwrap();
    let stranger =
        Actor::User(User::new(AccountId::from_bytes([9; 12]), "eve".parse().unwrap(), false, TokenRole::Write));
    assert!(control.space_usage(&host.ada, &space.path, days).is_ok());
    assert!(control.space_usage(&root, &space.path, days).is_ok());
    assert!(control.space_usage(&stranger, &space.path, days).is_err());
    assert!(control.own_usage(&Actor::Nobody, days).is_err());
    assert!(control.all_usage(&host.ada, None, days).is_err());
    assert!(matches!(control.days(Some(1 << 41), Some(1)), Err(ServiceError::Invalid(_))));
    assert!(matches!(control.days(Some(0), None), Err(ServiceError::Invalid(_))), "more than a year");
}
